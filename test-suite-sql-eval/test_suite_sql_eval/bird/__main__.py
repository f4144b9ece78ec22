"""``python -m test_suite_sql_eval.bird``."""

from .cli import main

raise SystemExit(main())
