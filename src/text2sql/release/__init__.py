"""A tuned model for others: what belongs to it, its card, and sending both to the hub."""
