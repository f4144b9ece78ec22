"""Text-to-SQL fine-tuning from base model to results table. See README.md for the stages."""
