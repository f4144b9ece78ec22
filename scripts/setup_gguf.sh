#!/usr/bin/env bash
# Add llama.cpp to .venv: the engine and quantizer (compiled here, about 5 minutes on two cores), its
# converter from Hugging Face, and the OpenAI-compatible server.
#
#   scripts/setup_gguf.sh
#
# pip keeps the compiled wheel in its cache, so another checkout on the same machine takes seconds.
# CMAKE_ARGS replaces the build options, for example CMAKE_ARGS=-DGGML_CUDA=ON for NVIDIA GPUs.
# A second run does nothing.
set -euo pipefail

fail() {
    printf 'setup-gguf: %s\n' "$1" >&2
    exit 1
}

cd "$(dirname "${BASH_SOURCE[0]}")/.."
venv=.venv
lock=requirements/gguf.txt
version=$(sed -n 's/^llama-cpp-python==//p' "$lock")
tools=${TEXT2SQL_BUILD:-build}/tools
converter=$tools/llama.cpp-$version

[ -x "$venv/bin/python" ] || fail "$venv is not there; run: make setup"
digest=$( { pwd; cat "$lock" scripts/setup_gguf.sh; echo "${CMAKE_ARGS:-}"; } | sha256sum | cut -d ' ' -f 1)
stamp=$venv/.gguf-$digest
if [ -f "$stamp" ] && [ -f "$converter/convert_hf_to_gguf.py" ] &&
    "$venv/bin/python" -c 'import importlib.util as u, sys; sys.exit(not u.find_spec("llama_cpp"))'; then
    printf 'setup-gguf: llama.cpp is up to date\n'
    exit 0
fi
for tool in cc c++; do
    command -v "$tool" >/dev/null ||
        fail "no C++ compiler ($tool); install one: sudo apt-get install -y g++"
done

exec 9>"$venv.lock"
flock 9 # waits for another setup of this environment
rm -f "$venv"/.gguf-*
started=$SECONDS

# llama.cpp would otherwise be built for this very processor, and a cached wheel that meets an older
# one ends with "illegal instruction". AVX2 is as fast here and runs on every x86 since 2013.
if [ -z "${CMAKE_ARGS:-}" ] && grep -qs '\bavx2\b' /proc/cpuinfo; then
    CMAKE_ARGS="-DGGML_NATIVE=OFF -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON -DGGML_BMI2=ON"
fi
export CMAKE_ARGS="-DLLAVA_BUILD=OFF ${CMAKE_ARGS:-}"

pip_run() {
    "$venv/bin/python" -m pip --disable-pip-version-check "$@"
}

printf 'setup-gguf: installing %s packages of %s; llama.cpp is compiled, which takes minutes\n' \
    "$(grep -c '==' "$lock")" "$lock"
pip_run install --prefer-binary --requirement "$lock"

if [ ! -f "$converter/convert_hf_to_gguf.py" ]; then
    printf 'setup-gguf: taking the converter out of the source package\n'
    mkdir -p "$tools"
    download=$(mktemp -d "$tools/download.XXXXXX")
    trap 'rm -rf "$download"' EXIT
    pip_run download --quiet --no-deps --no-binary llama-cpp-python --dest "$download" \
        "llama-cpp-python==$version"
    tar -xzf "$download"/*.tar.gz -C "$download" --wildcards --strip-components 3 \
        '*/vendor/llama.cpp/convert_hf_to_gguf.py' '*/vendor/llama.cpp/conversion' \
        '*/vendor/llama.cpp/gguf-py' '*/vendor/llama.cpp/LICENSE'
    rm -f "$download"/*.tar.gz
    rm -rf "$converter"
    mv "$download" "$converter"
    chmod 755 "$converter"
    trap - EXIT
fi
"$venv/bin/python" -c 'import llama_cpp' || fail "llama-cpp-python does not load (see above)"

touch "$stamp"
printf 'setup-gguf: ready in %s s; converter in %s\n' "$((SECONDS - started))" "$converter"
