"""The data stage: sources to training files and evaluation questions, checked and leak-free."""

from text2sql.data.config import DataConfig
from text2sql.data.prepare import prepare
from text2sql.data.sample import ensure_sample_databases

__all__ = ["DataConfig", "ensure_sample_databases", "prepare"]
