#!/usr/bin/env bash
# Hugging Face model to Megatron checkpoint. Example: scripts/hf2mg.sh --profile qwen3-1.7b
exec "$(dirname "$0")/../.venv/bin/text2sql" stage hf2mg "$@"
