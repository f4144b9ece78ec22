"""Spider's hardness of a query in any dialect, as this repository's evaluator gives it."""

from __future__ import annotations

import sqlglot
from sqlglot.errors import SqlglotError
from test_suite_sql_eval.hardness import LEVELS, hardness
from test_suite_sql_eval.lenient import parse_lenient
from test_suite_sql_eval.parser import ParseError, parse
from test_suite_sql_eval.schema import EvalSchema

from text2sql.schema import Schema

__all__ = ["LEVELS", "eval_schema", "hardness_of"]


def eval_schema(schema: Schema) -> EvalSchema:
    """Return the schema as the evaluator's parser takes it."""
    return EvalSchema(
        {t.name.lower(): tuple(c.name.lower() for c in t.columns) for t in schema.tables}
    )


def hardness_of(sql: str, dialect: str, schema: EvalSchema) -> str | None:
    """Return ``easy``, ``medium``, ``hard`` or ``extra``, or None for a query beyond the grammar.

    The official grammar is asked first, then the wider one; other dialects are put into SQLite's.
    """
    if dialect != "sqlite":
        try:
            sql = sqlglot.transpile(sql, read=dialect, write="sqlite")[0]
        except SqlglotError:
            return None
    for read in (parse, parse_lenient):
        try:
            return hardness(read(sql, schema))
        except ParseError:
            continue
    return None
