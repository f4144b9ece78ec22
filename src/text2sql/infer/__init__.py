"""Inference: prompts in, predicted SQL out, by exchangeable engines."""
