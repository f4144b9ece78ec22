#!/usr/bin/env bash
# Answer the evaluation questions with vLLM on GPUs. Example: scripts/infer_vllm.sh --dataset spider
exec "$(dirname "$0")/../.venv/bin/text2sql" stage infer --profile qwen3-1.7b "$@"
