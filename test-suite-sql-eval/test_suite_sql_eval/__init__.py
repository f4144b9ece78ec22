"""Spider test-suite evaluator: execution accuracy and exact match, safe against hostile SQL."""
