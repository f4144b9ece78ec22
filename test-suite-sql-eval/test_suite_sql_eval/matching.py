"""Hardness and exact set match of one question, as the worker process needs them.

Schemas, parsed gold queries and the foreign-key map are kept, so each is read once per worker.
"""

from __future__ import annotations

import functools
from typing import Any

from .exact_match import exact_match
from .hardness import hardness
from .parser import ParsedSql, ParseError, parse
from .schema import EvalSchema, load_schemas

load_tables = functools.cache(load_schemas)
_read_schema = functools.cache(EvalSchema.from_sqlite)


class MatchJudge:
    """Judges by parse, not by execution.

    Args:
        tables: the tables.json file with the foreign keys, or None if only hardness is asked for.
        mode: ``official`` (the official grammar) or ``lenient``.
    """

    def __init__(self, tables: str | None, mode: str) -> None:
        self._tables = tables
        self._mode = mode
        self._gold = functools.lru_cache(maxsize=256)(self._parse_gold)

    def _parse_gold(self, schema_path: str, sql: str) -> ParsedSql | ParseError:
        try:
            return parse(sql, _read_schema(schema_path))
        except ParseError as error:
            return error

    def hardness(self, schema_path: str, gold_sql: str) -> dict[str, Any]:
        """Return {hardness}, or {hardness: None, parse_error} if the gold query does not parse."""
        gold = self._gold(schema_path, gold_sql)
        if isinstance(gold, ParseError):
            return {"hardness": None, "parse_error": str(gold)}
        return {"hardness": hardness(gold)}

    def exact(self, schema_path: str, db_id: str, gold_sql: str, pred_sql: str) -> dict[str, Any]:
        """Return {exact, partial}; a prediction that does not parse counts as an empty query."""
        gold = self._gold(schema_path, gold_sql)
        if isinstance(gold, ParseError):
            return {"exact": 0, "partial": None}
        schema = _read_schema(schema_path)
        try:
            pred: ParsedSql | None = parse(pred_sql, schema)
        except ParseError:
            pred = None
        assert self._tables is not None
        foreign_keys = load_tables(self._tables)[db_id].foreign_keys
        result = exact_match(gold, pred, schema, foreign_keys)
        partial = {
            name: (score.acc, score.rec, score.f1, score.label_total, score.pred_total)
            for name, score in result.partial.items()
        }
        return {"exact": int(result.exact), "partial": partial}
