"""``python -m text2sql``."""

from text2sql.cli import main

main()
