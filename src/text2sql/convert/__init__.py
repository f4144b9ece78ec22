"""Model conversions: GGUF to Hugging Face, LoRA merge, Megatron to Hugging Face and back."""
