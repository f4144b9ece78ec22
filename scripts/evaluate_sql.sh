#!/usr/bin/env bash
# Judge any predictions file. Example:
#   scripts/evaluate_sql.sh --gold dev_gold.sql --pred predict.txt --db database --etype exec
here="$(cd "$(dirname "$0")/.." && pwd)"
exec "$here/.venv/bin/python" "$here/test-suite-sql-eval/evaluation.py" "$@"
