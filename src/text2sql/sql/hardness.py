"""Spider's hardness of a query in any dialect, as this repository's evaluator gives it."""

from __future__ import annotations

from functools import lru_cache

import sqlglot
from sqlglot.errors import SqlglotError
from test_suite_sql_eval.hardness import LEVELS, hardness
from test_suite_sql_eval.lenient import parse_lenient
from test_suite_sql_eval.parser import ParseError, parse
from test_suite_sql_eval.schema import EvalSchema

__all__ = ["LEVELS", "eval_schema", "hardness_of"]


@lru_cache(maxsize=256)
def eval_schema(names: frozenset[tuple[str, str]]) -> EvalSchema:
    """Return the schema that has these (table, column) pairs as the evaluator's parser takes it."""
    tables: dict[str, list[str]] = {}
    for table, column in sorted(names):
        tables.setdefault(table, []).append(column)
    return EvalSchema({name: tuple(columns) for name, columns in tables.items()})


def hardness_of(sql: str, dialect: str, schema: EvalSchema, lenient: bool = True) -> str | None:
    """Return ``easy``, ``medium``, ``hard`` or ``extra``, or None for a query beyond the grammar.

    Other dialects are put into SQLite's.

    Args:
        sql: the query.
        dialect: sqlglot's name of its dialect.
        schema: the tables it is on.
        lenient: where the official grammar does not take it, ask the wider one.
    """
    if dialect != "sqlite":
        try:
            sql = sqlglot.transpile(sql, read=dialect, write="sqlite")[0]
        except SqlglotError:
            return None
    for read in (parse, parse_lenient) if lenient else (parse,):
        try:
            return hardness(read(sql, schema))
        except ParseError:
            continue
    return None
