#!/usr/bin/env bash
# Full fine-tuning. Example: scripts/train_full.sh --profile smollm2-135m --dataset sample
exec "$(dirname "$0")/../.venv/bin/text2sql" stage train-full "$@"
