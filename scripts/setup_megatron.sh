#!/usr/bin/env bash
# Add Megatron training to an environment: megatron-core, MCoreAdapter from ROLL's repository, and
# for GPUs Transformer Engine (requirements/transformer-engine*.txt), whose part for torch is compiled
# here. No CUDA toolkit is needed, and none is used: the headers are those of torch's CUDA.
#
#   scripts/setup_megatron.sh https://github.com/alibaba/ROLL [.venv-train]   a git URL: commit below
#   scripts/setup_megatron.sh ../ROLL [.venv-train]                           a folder: as it is
#
# PyPI's package "mcore-adapter" is another project with the same name; it is refused.
set -euo pipefail

commit=8eb27cc2dc34c4d1310b169d9b86d339004d811a
megatron=megatron-core==0.16.1 # the newest for Python 3.11
lock=requirements/transformer-engine.txt
built=requirements/transformer-engine-nodeps.txt
build=build/transformer-engine
seconds_each=40 # of one core, for a file of Transformer Engine's; most of it goes to torch's headers

fail() {
    printf 'setup-megatron: %s\n' "$1" >&2
    exit 1
}

source=${1:-}
cd "$(dirname "${BASH_SOURCE[0]}")/.."
venv=${2:-.venv-train}
[ -n "$source" ] || fail \
    "say where ROLL is: make setup-megatron MCORE_ADAPTER=https://github.com/alibaba/ROLL (or a folder)"
case $source in
    mcore-adapter* | mcore_adapter*)
        [ -d "$source" ] || fail \
            "'$source' on PyPI is another project than ROLL's MCoreAdapter; give ROLL's git URL or a folder"
        ;;
esac
[ -x "$venv/bin/python" ] || fail "$venv is missing; run: make setup-gpu (for .venv: make setup)"
cuda= # .venv is for CPUs, whose Megatron tests do without
if [ "$venv" != .venv ]; then
    cuda=$("$venv/bin/python" -c 'import torch; print(torch.version.cuda or "")')
    [ -n "$cuda" ] || fail "torch in $venv is a build for CPUs; run: make setup-gpu"
fi

copy=$(mktemp -d)
log=$copy/git.log
trap 'rm -rf "$copy"' EXIT

git() { # whose complaints are told by their English words
    LC_ALL=C command git "$@"
}

reason() { # the first complaint in git's own words
    grep -aoEm 1 '(fatal|error): .*' "$log" || tail -n 1 "$log"
}

if [ -d "$source" ]; then
    folder=$source
elif [[ $source =~ ^(https?|ssh|git|file)://|^git@ ]]; then
    folder=build/ROLL
    if [ "$(git -C "$folder" rev-parse HEAD 2>/dev/null)" != "$commit" ]; then
        rm -rf "$folder"
        # Never a prompt for a password: a private or mistyped address is an error here.
        GIT_TERMINAL_PROMPT=0 git clone --quiet --filter=blob:none --no-checkout \
            "$source" "$folder" 2>"$log" ||
            fail "git cannot clone $source ($(reason)); check the address and the network"
        git -C "$folder" sparse-checkout set mcore_adapter
        git -C "$folder" checkout --quiet "$commit" 2>"$log" ||
            fail "$source does not give commit $commit ($(reason))"
    fi
else
    fail "'$source' is neither a folder nor a git URL"
fi
[ ! -d "$folder/mcore_adapter" ] || folder=$folder/mcore_adapter
[ -f "$folder/src/mcore_adapter/trainer/trainer.py" ] ||
    fail "$folder holds no MCoreAdapter (src/mcore_adapter/trainer/trainer.py)"

exec 9>"$venv.lock"
flock 9 # waits for another setup of this environment, and for the pip of one that was killed

# A copy, because building writes into the folder it builds from.
cp -r "$folder/." "$copy/mcore_adapter"
"$venv/bin/python" -m pip install --disable-pip-version-check --no-deps --quiet "$megatron" ||
    fail "pip could not install $megatron (see above)"
"$venv/bin/python" -m pip install --disable-pip-version-check --no-deps --quiet \
    --no-build-isolation --force-reinstall "$copy/mcore_adapter" ||
    fail "pip could not install $folder (see above)"

pip_install() {
    "$venv/bin/python" -m pip install --disable-pip-version-check --quiet "$@"
}

compilers() { # one for each core that has 3 GB of memory
    awk -v cores="$(nproc)" '/^MemAvailable/ {
        fit = int($2 / 3e6); print fit < 1 ? 1 : fit < cores ? fit : cores }' /proc/meminfo
}

engine=$(sed -n 's/^transformer-engine-torch==//p' "$built")
have=$("$venv/bin/python" -m pip list --disable-pip-version-check --format freeze |
    sed -n 's/^transformer[-_]engine[-_]torch==//p')
if [ -n "$cuda" ] && [ "$have" != "$engine" ]; then
    command -v g++ >/dev/null ||
        fail "no C++ compiler; install one: sudo apt-get install -y g++ python3-dev"
    [ "${cuda%%.*}" = 13 ] ||
        fail "torch in $venv is built for CUDA $cuda, the headers here are of 13; run: make setup-gpu"
    started=$SECONDS
    pip_install --requirement "$lock" || fail "pip could not install $lock (see above)"
    site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
    includes=$(find "$site/nvidia" -maxdepth 3 -type d \
        \( -name include -o -path '*/include/cccl' \) | paste -sd :)
    jobs=${MAX_JOBS:-$(compilers)}
    # Its set-up asks nvcc for its version, and compiles nothing with it. Unless told to build, it looks
    # for a wheel outside the package index first. Unless told not to, it adds the commit of the git
    # checkout around it to its version, which then does not load. With ninja on the path, MAX_JOBS counts.
    settings=(PATH="$(cd "$venv/bin" && pwd):$PATH" CUDA_HOME="$site/nvidia/cu${cuda%%.*}"
        CPLUS_INCLUDE_PATH="$includes${CPLUS_INCLUDE_PATH:+:$CPLUS_INCLUDE_PATH}"
        NVTE_PYTORCH_FORCE_BUILD=TRUE NVTE_NO_LOCAL_VERSION=1 NVTE_FRAMEWORK=pytorch MAX_JOBS="$jobs")
    with_settings() { # pip's command, for what is built beside this environment's torch
        env "${settings[@]}" "$venv/bin/python" -m pip "$1" --disable-pip-version-check --quiet \
            --no-deps --no-build-isolation "${@:2}"
    }
    # The sources stay where they are built: ninja compiles again only what it had not finished.
    with_settings download --no-binary :all: --dest "$copy" "transformer-engine-torch==$engine" ||
        fail "pip could not download the sources of Transformer Engine (see above)"
    mkdir -p "$build"
    tar -xzf "$copy/transformer_engine_torch-$engine.tar.gz" -C "$build"
    sources=$build/transformer_engine_torch-$engine
    files=$(($(find "$sources/csrc" -name '*.cpp' | wc -l) - $(find "$sources" -name '*.o' | wc -l)))
    printf 'setup-megatron: compiling Transformer Engine %s for torch: %s files, about %s minutes with %s\n' \
        "$engine" "$files" "$(((files * seconds_each / jobs + 59) / 60))" \
        "$jobs at a time (MAX_JOBS=); when stopped, it goes on where it was"
    with_settings wheel --wheel-dir "$build" "$sources" &&
        pip_install --no-deps --find-links "$build" --only-binary :all: --requirement "$built" ||
        fail "Transformer Engine could not be built (see above)"
    rm -rf "$build"
    printf 'setup-megatron: Transformer Engine is built, in %s s\n' "$((SECONDS - started))"
fi
"$venv/bin/python" - <<'PYTHON' || fail "the installed mcore_adapter is not usable (see above)"
from text2sql.train.megatron_setup import require_mcore_adapter

require_mcore_adapter()
PYTHON
if [ -n "$cuda" ]; then
    "$venv/bin/python" -c 'import transformer_engine.pytorch' ||
        fail "Transformer Engine does not load (see above)"
fi
printf 'setup-megatron: MCoreAdapter and %s are in %s%s\n' "$megatron" "$venv" \
    "${cuda:+, with Transformer Engine $engine}"
