"""Training through LLaMA-Factory: recipes, launch, resume."""
