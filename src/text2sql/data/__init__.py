"""The data stage: sources to training files and evaluation questions, checked and leak-free."""
