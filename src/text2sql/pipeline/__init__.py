"""A run: which stages it has, which of them must run, and running them side by side."""
