#!/usr/bin/env bash
# Megatron checkpoint to Hugging Face. Example: scripts/mg2hf.sh --profile qwen3-1.7b
exec "$(dirname "$0")/../.venv/bin/text2sql" stage mg2hf "$@"
