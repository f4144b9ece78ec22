"""SQL of any dialect: names and values, checks, and execution on private databases."""
