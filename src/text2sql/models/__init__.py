"""Model folders and files: Hugging Face weights, GGUF, and opening them with llama.cpp."""
