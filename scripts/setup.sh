#!/usr/bin/env bash
# Make a Python environment from its lock file: scripts/setup.sh cpu|gpu-train|gpu-vllm
#
# cpu makes .venv, the others .venv-<name>. A second run does nothing; after an interruption it goes
# on where pip stopped. Pip's own settings (index, proxy, cache) are the user's and are left alone.
# PYTHON=python3.12 chooses another interpreter.
set -euo pipefail
cd "$(dirname "$0")/.."

name="${1:-cpu}"
lock="requirements/$name.txt"
venv=".venv"
[ "$name" = cpu ] || venv=".venv-$name"
stamp="$venv/.setup-done"

fail() {
  echo "setup: $*" >&2
  exit 2
}

[ -f "$lock" ] || fail "no lock file $lock; there are: $(basename -s .txt -a requirements/*.txt | tr '\n' ' ')"

# What decides the environment. The packages of this repository are installed in place, so of them
# only the metadata counts.
wanted="$(cat "$lock" requirements/no-deps.txt pyproject.toml test-suite-sql-eval/pyproject.toml \
  scripts/setup.sh | sha256sum | cut -d' ' -f1) $PWD"
[ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && exit 0

python="${PYTHON:-python3}"
command -v "$python" >/dev/null || fail "no $python here; run: sudo apt-get install python3 python3-venv"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  fail "$("$python" -V) is too old, 3.11 is needed; name another with PYTHON=python3.11 make setup"
"$python" -c 'import venv, ensurepip' 2>/dev/null ||
  fail "$python has no venv module; run: sudo apt-get install python3-venv"

mkdir -p "$venv"
exec 9>"$venv/.setup-lock"
flock -n 9 || fail "another set-up of $venv is at work; wait for it"

rm -f "$stamp"
echo "setup: $venv from $lock (first time: minutes; later: nothing)"
# An interrupted venv may lack pip; making it again over itself is quick and keeps what is there.
"$venv/bin/python" -m pip --version >/dev/null 2>&1 || "$python" -m venv "$venv"
pip() { "$venv/bin/python" -m pip --disable-pip-version-check "$@"; }

pip install --progress-bar on -r "$lock" | { grep -v '^Requirement already satisfied' || true; }
if [ "$name" = cpu ]; then
  pip install --quiet --no-deps -r requirements/no-deps.txt
  # PyPI's torchaudio is built for CUDA and does not load beside a CPU build of torch; without its
  # compiled part it imports, and nothing here uses that part.
  if ! "$venv/bin/python" -c 'import torchaudio' 2>/dev/null; then
    find "$venv"/lib*/python3*/site-packages/torchaudio -name '*.so' -delete
    "$venv/bin/python" -c 'import torchaudio' || fail "torchaudio does not import; see docs/environment.md"
  fi
fi
pip install --quiet --no-deps --no-build-isolation -e ./test-suite-sql-eval -e .

printf '%s' "$wanted" >"$stamp.partial"
mv "$stamp.partial" "$stamp"
echo "setup: $venv is ready"
