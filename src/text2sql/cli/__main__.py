"""``python -m text2sql.cli``."""

from text2sql.cli import main

main()
