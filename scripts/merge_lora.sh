#!/usr/bin/env bash
# Fold LoRA adapters into the base model. Example: scripts/merge_lora.sh --profile smollm2-135m
exec "$(dirname "$0")/../.venv/bin/text2sql" stage merge "$@"
