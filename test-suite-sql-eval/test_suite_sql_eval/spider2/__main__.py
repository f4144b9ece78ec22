"""``python -m test_suite_sql_eval.spider2``."""

from .cli import main

raise SystemExit(main())
