#!/usr/bin/env bash
# LoRA fine-tuning. Example: scripts/train_lora.sh --profile smollm2-135m --dataset sample
exec "$(dirname "$0")/../.venv/bin/text2sql" stage train-lora "$@"
