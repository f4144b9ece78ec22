"""Drop-in command line: python evaluation.py --gold G --pred P --db DIR --table T --etype all."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from test_suite_sql_eval.cli import main

if __name__ == "__main__":
    sys.exit(main())
