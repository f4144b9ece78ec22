#!/usr/bin/env bash
# 4-bit QLoRA fine-tuning. Example: scripts/train_qlora.sh --profile qwen2.5-coder-7b --dataset spider
exec "$(dirname "$0")/../.venv/bin/text2sql" stage train-qlora "$@"
