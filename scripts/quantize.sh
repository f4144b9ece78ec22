#!/usr/bin/env bash
# GGUF and Q4_K_M quantization.
exec "$(dirname "$0")/../.venv/bin/text2sql" quantize "$@"
