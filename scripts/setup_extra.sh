#!/usr/bin/env bash
# Add to .venv what some purposes need beyond cpu.txt.
#
#   scripts/setup_extra.sh bge|docs|ray|test...  requirements/<name>.txt, each a lock
#
# A second run does nothing.
set -euo pipefail

fail() {
    printf 'setup-extra: %s\n' "$1" >&2
    exit 1
}

[ "$#" -gt 0 ] || fail "usage: scripts/setup_extra.sh bge|docs|ray|test..."
cd "$(dirname "${BASH_SOURCE[0]}")/.."
venv=.venv
[ -x "$venv/bin/python" ] || fail "$venv is not there; run: make setup"

for name in "$@"; do
    lock=requirements/$name.txt
    [ -f "$lock" ] || fail "$lock: no such lock file"
    digest=$( { pwd; cat "$lock"; } | sha256sum | cut -d ' ' -f 1)
    stamp=$venv/.extra-$name-$digest
    [ ! -f "$stamp" ] || continue
    exec 9>"$venv.lock"
    flock 9 # waits for another setup of this environment
    printf 'setup-extra: adding %s to %s\n' "$lock" "$venv"
    "$venv/bin/python" -m pip --disable-pip-version-check install --quiet --prefer-binary \
        --requirement "$lock"
    rm -f "$venv/.extra-$name"-*
    touch "$stamp"
done
