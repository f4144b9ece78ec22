"""Text-to-SQL fine-tuning from base model to results table."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("text2sql")
except PackageNotFoundError:  # run from a checkout that is not installed
    __version__ = "0+unknown"
