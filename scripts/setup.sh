#!/usr/bin/env bash
# Make the virtual environment of one profile from its lock file.
#
#   scripts/setup.sh [cpu|gpu-train|gpu-vllm|grpo]      .venv, .venv-train, .venv-vllm, .venv-grpo
#
# pip's own settings (pip.conf, PIP_* variables) decide where packages come from.
# PYTHON=/path/to/python chooses the interpreter, 3.11 or 3.12. A second run does nothing.
set -euo pipefail

fail() {
    printf 'setup: %s\n' "$1" >&2
    exit 1
}

usage="usage: scripts/setup.sh [cpu|gpu-train|gpu-vllm|grpo]"
[ "$#" -le 1 ] || fail "$usage"
profile=${1:-cpu}
case $profile in
    cpu) venv=.venv ;;
    gpu-train) venv=.venv-train ;;
    gpu-vllm) venv=.venv-vllm ;;
    grpo) venv=.venv-grpo ;;
    *) fail "unknown profile '$profile'; $usage" ;;
esac

cd "$(dirname "${BASH_SOURCE[0]}")/.."
lock=requirements/$profile.txt
nodeps=requirements/$profile-nodeps.txt
inputs=("$lock" pyproject.toml test-suite-sql-eval/pyproject.toml scripts/setup.sh)
[ ! -f "$nodeps" ] || inputs+=("$nodeps")

# The folder is part of the key: neither a venv nor an editable install survives a move.
digest=$( { pwd; cat "${inputs[@]}"; } | sha256sum | cut -d ' ' -f 1)
stamp=$venv/.setup-$digest
if [ -f "$stamp" ] && [ -x "$venv/bin/python" ]; then
    printf 'setup: %s is up to date\n' "$venv"
    exit 0
fi

command -v git >/dev/null || fail "git is missing; install it: sudo apt-get install -y git"
command -v flock >/dev/null || fail "flock is missing; install it: sudo apt-get install -y util-linux"

# The locks hold for these versions: some packages have no wheels for others.
supported='import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))'
python=${PYTHON:-}
if [ -z "$python" ]; then
    for candidate in python3.11 python3.12 python3; do
        if "$candidate" -c "$supported" 2>/dev/null; then
            python=$candidate
            break
        fi
    done
fi
packages="python3 python3-venv python3-dev" # Debian 12: 3.11, Ubuntu 24.04: 3.12
[ -n "$python" ] || fail "Python 3.11 or 3.12 is missing; install it: sudo apt-get install -y $packages"
"$python" -c "$supported" 2>/dev/null ||
    fail "$python is not Python 3.11 or 3.12; set PYTHON to one that is"
version=$("$python" -c 'import sys; print("{}.{}".format(*sys.version_info))')
"$python" -c 'import venv, ensurepip' 2>/dev/null ||
    fail "Python's venv module is missing; install it: sudo apt-get install -y python$version-venv"
# Triton compiles a piece of C when a GPU environment is first used; without them it fails then.
if [ "$profile" = gpu-train ] || [ "$profile" = gpu-vllm ]; then
    include=$("$python" -c 'import sysconfig; print(sysconfig.get_paths()["include"])')
    if [ ! -f "$include/Python.h" ] || ! command -v gcc >/dev/null; then
        printf 'setup: gcc or Python.h is missing, which GPUs need: sudo apt-get install -y gcc python%s-dev\n' \
            "$version" >&2
    fi
fi

# pip inherits the lock: where only this script is killed, a second run waits until the pip that it
# left behind has ended, instead of writing into the same environment beside it.
exec 9>"$venv.lock"
if ! flock -n 9; then
    printf 'setup: another setup of %s is running; waiting for it\n' "$venv"
    flock 9
fi
if [ -f "$stamp" ]; then
    printf 'setup: %s was made by the other run\n' "$venv"
    exit 0
fi

started=$SECONDS
rm -f "$venv"/.setup-*
# A folder whose pip does not run, or whose Python is another, is half made: make it anew.
if [ -d "$venv" ] && ! "$venv/bin/python" -c "import pip._internal.cli.main; $supported" 2>/dev/null; then
    printf 'setup: %s is broken or half made; making it anew\n' "$venv"
    rm -rf "$venv"
fi
if [ ! -d "$venv" ]; then
    printf 'setup: making %s with %s\n' "$venv" "$("$python" --version)"
    "$python" -m venv "$venv"
fi
# A killed pip leaves folders named ~something, which it then warns about at every call, and may
# leave a package that it takes for installed though it is not whole: RECORD, written last, is missing.
rm -rf "$venv"/lib/python3*/site-packages/~*
for info in "$venv"/lib/python3*/site-packages/*.dist-info; do
    [ ! -d "$info" ] || [ -f "$info/RECORD" ] || rm -rf "$info"
done

pip_install() {
    "$venv/bin/python" -m pip install --disable-pip-version-check --prefer-binary "$@"
}

builds() { # for GPUs: where pip is set to an index of CPU wheels too, == takes its 2.13.0+cpu first
    [[ $profile != gpu-* ]] || sed -nE 's/^(torch|torchaudio|torchvision)==/\1===/p' "$lock"
}

printf 'setup: installing %s packages of %s\n' "$(grep -c '==' "$lock")" "$lock"
pip_install --requirement "$lock" --constraint <(builds)
if [ -f "$nodeps" ]; then
    printf 'setup: installing %s without their dependencies\n' "$nodeps"
    pip_install --no-deps --requirement "$nodeps"
fi
printf 'setup: installing the two packages of this repository\n'
pip_install --no-deps --no-build-isolation --editable . --editable test-suite-sql-eval

if [ "$profile" = cpu ] && ! "$venv/bin/python" -c 'import torchaudio' 2>/dev/null; then
    libraries=$(echo "$venv"/lib/python3*/site-packages/torchaudio/lib)
    printf "setup: removing torchaudio's CUDA libraries, which this torch cannot load\n"
    rm -f "$libraries"/*.so
    "$venv/bin/python" -c 'import torchaudio' ||
        fail "torchaudio cannot be imported (see above); remove $venv and run setup again"
fi

# Written last and put in place by a rename, so that it exists only for a finished environment.
touch "$stamp.partial"
mv "$stamp.partial" "$stamp"
printf 'setup: %s is ready: %s in %s s\n' \
    "$venv" "$(du -sh "$venv" | cut -f 1)" "$((SECONDS - started))"
