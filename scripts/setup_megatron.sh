#!/usr/bin/env bash
# Add Megatron training to an environment: megatron-core, and MCoreAdapter from ROLL's repository.
#
#   scripts/setup_megatron.sh https://github.com/alibaba/ROLL [.venv-train]   a git URL: commit below
#   scripts/setup_megatron.sh ../ROLL [.venv-train]                           a folder: as it is
#
# PyPI's package "mcore-adapter" is another project with the same name; it is refused.
set -euo pipefail

commit=8eb27cc2dc34c4d1310b169d9b86d339004d811a
megatron=megatron-core==0.16.1 # the newest for Python 3.11

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

# A copy, because building writes into the folder it builds from.
cp -r "$folder/." "$copy/mcore_adapter"
"$venv/bin/python" -m pip install --disable-pip-version-check --no-deps --quiet "$megatron" ||
    fail "pip could not install $megatron (see above)"
"$venv/bin/python" -m pip install --disable-pip-version-check --no-deps --quiet \
    --no-build-isolation --force-reinstall "$copy/mcore_adapter" ||
    fail "pip could not install $folder (see above)"
"$venv/bin/python" - <<'PYTHON' || fail "the installed mcore_adapter is not usable (see above)"
from text2sql.train.megatron_setup import require_mcore_adapter

require_mcore_adapter()
PYTHON
printf 'setup-megatron: MCoreAdapter and %s are in %s\n' "$megatron" "$venv"
