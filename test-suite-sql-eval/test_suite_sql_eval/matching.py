"""Hardness and exact set match of one question, as the worker process needs them.

Schemas, parsed gold queries and the foreign-key classes are kept, so each is read once per worker.
"""

from __future__ import annotations

import functools

from .em_ast import ParsedSql
from .hardness import hardness
from .parser import ParseError, parse
from .schema import EvalSchema, load_foreign_keys

TYPE_CHECKING = False  # importing typing takes milliseconds
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from typing import Any

load_tables = functools.cache(load_foreign_keys)
#: A name in one of SQLite's kinds of quotes.
_QUOTED = r"`([^`]+)`|\[([^\]]+)\]|\"([^\"]+)\""


class MatchJudge:
    """Judges by parse, not by execution.

    Args:
        tables: the tables.json file with the foreign keys, or None if only hardness is asked for.
        mode: ``official`` (the official grammar) or ``lenient``.
        connect: gives the open connection to a database file, where there is one already.

    Attributes:
        hardness: called with (path, db_id, gold query) it returns {hardness}, or {hardness: None,
            parse_error} if the gold query does not parse.
    """

    def __init__(
        self,
        tables: str | None,
        mode: str,
        connect: Callable[[str], sqlite3.Connection] | None = None,
    ) -> None:
        self._foreign_keys = load_tables(tables) if tables else {}
        self._mode = mode
        self._connect = connect
        self._schema = functools.cache(self._read_schema)
        self._gold = functools.lru_cache(maxsize=256)(self._parse_gold)
        self.hardness = functools.lru_cache(maxsize=256)(self._hardness)

    def _read_schema(self, path: str, db_id: str) -> EvalSchema:
        foreign_keys = self._foreign_keys.get(db_id)
        if self._connect is not None:
            return EvalSchema.from_connection(self._connect(path), foreign_keys)
        return EvalSchema.from_sqlite(path, foreign_keys)

    def _parse_gold(self, path: str, db_id: str, sql: str) -> ParsedSql | ParseError:
        try:
            return parse(sql, self._schema(path, db_id))
        except ParseError as error:
            return error

    def _parse_prediction(self, sql: str, schema: EvalSchema) -> ParsedSql:
        """Parse a prediction; one that does not parse counts as an empty query."""
        try:
            return parse(sql, schema)
        except ParseError:
            if self._mode == "official":
                return ParsedSql()
        from .lenient import parse_lenient

        try:
            return parse_lenient(sql, schema)
        except ParseError:
            return ParsedSql()

    def _hardness(self, path: str, db_id: str, gold_sql: str) -> dict[str, Any]:
        """Return {hardness}, or {hardness: None, parse_error} if the gold query does not parse."""
        gold = self._gold(path, db_id, gold_sql)
        if isinstance(gold, ParseError):
            try:
                gold = parse(*without_quotes(gold_sql, self._schema(path, db_id)))
            except ParseError as error:
                return {"hardness": None, "parse_error": str(error)}
        return {"hardness": hardness(gold)}

    def exact(self, path: str, db_id: str, gold_sql: str, pred_sql: str) -> dict[str, Any]:
        """Return {exact, partial}."""
        gold = self._gold(path, db_id, gold_sql)
        if isinstance(gold, ParseError):
            return {"exact": 0, "partial": None}
        from .exact_match import exact_match  # here, because hardness alone does not need it

        schema = self._schema(path, db_id)
        result = exact_match(gold, self._parse_prediction(pred_sql, schema), schema)
        partial = {
            name: (score.acc, score.rec, score.f1, score.label_total, score.pred_total)
            for name, score in result.partial.items()
        }
        return {"exact": int(result.exact), "partial": partial}


def without_quotes(sql: str, schema: EvalSchema) -> tuple[str, EvalSchema]:
    """Give quoted names other, bare ones, since the official grammar takes no quotes around names.

    Hardness counts clauses and not names, so it is that of the query as written.  Exact match does
    not read such queries, as it does not officially.

    Args:
        sql: the query.
        schema: the names it may use.

    Returns:
        The query, and the schema with those names changed as well.
    """
    import re  # here, because few queries need it

    columns = {name for names in schema.tables.values() for name in names}
    bare: dict[str, str] = {}

    def replaced(match: re.Match[str]) -> str:
        name = (match[1] or match[2] or match[3]).lower()
        if name not in columns and name not in schema.tables:
            return match[0]  # a value
        return bare.setdefault(name, f"quoted_name_{len(bare)}")

    text = re.sub(_QUOTED, replaced, sql)
    tables = {
        bare.get(table, table): tuple(bare.get(name, name) for name in names)
        for table, names in schema.tables.items()
    }
    return text, EvalSchema(tables)
