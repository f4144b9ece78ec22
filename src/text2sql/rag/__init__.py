"""Retrieval of solved questions: a Milvus store of them, its search, and few-shot examples."""
