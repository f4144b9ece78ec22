"""What is counted over the rows of a prepared dataset: lengths, hardness, keywords, tables."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from test_suite_sql_eval.hardness import LEVELS, hardness
from test_suite_sql_eval.parser import ParseError, parse
from test_suite_sql_eval.schema import EvalSchema

from text2sql.schema.ddl import schema_names

KEYWORDS = (
    "WHERE",
    "JOIN",
    "GROUP BY",
    "HAVING",
    "ORDER BY",
    "LIMIT",
    "DISTINCT",
    "UNION",
    "INTERSECT",
    "EXCEPT",
    "LIKE",
    "IN (SELECT",
)
LITERAL = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"")
UNKNOWN = "not parsed"
QUANTILES = (0.0, 0.5, 0.9, 0.99, 1.0)


@dataclass
class Statistics:
    """Counts over the rows of one file."""

    name: str
    lengths: list[int] = field(default_factory=list)
    hardness: Counter[str] = field(default_factory=Counter)
    keywords: Counter[str] = field(default_factory=Counter)
    tables: Counter[int | str] = field(default_factory=Counter)

    def add(self, length: int, schema_text: str, sql: str) -> None:
        """Count one row."""
        self.lengths.append(length)
        self.hardness[hardness_of(sql, schema_text)] += 1
        self.keywords.update(keywords_of(sql))
        self.tables[tables_of(sql)] += 1

    def share(self, count: int) -> float:
        """A count as a share of the rows."""
        return count / len(self.lengths)

    def cut(self, cutoff: int) -> int:
        """How many rows are longer than the cutoff."""
        return sum(length > cutoff for length in self.lengths)


def hardness_of(sql: str, schema_text: str) -> str:
    """Return Spider's hardness level, or ``not parsed`` for SQL outside of Spider's grammar.

    Args:
        sql: the query.
        schema_text: CREATE TABLE statements that hold the tables it uses.
    """
    schema = _eval_schema(schema_text)
    try:
        return hardness(parse(sql.removeprefix("[ANSWER]\n"), schema))
    except ParseError:
        return UNKNOWN


@lru_cache(maxsize=256)
def _eval_schema(ddl: str) -> EvalSchema:
    tables: dict[str, list[str]] = {}
    for table, column in sorted(schema_names(ddl)):
        tables.setdefault(table, []).append(column)
    return EvalSchema({name: tuple(columns) for name, columns in tables.items()})


def keywords_of(sql: str) -> list[str]:
    """Return which of `KEYWORDS` a query uses, those inside of literals not counted."""
    plain = " ".join(LITERAL.sub("''", sql).upper().replace("( ", "(").split())
    return [k for k in KEYWORDS if re.search(rf"(?<!\w){re.escape(k)}\b", plain)]


def tables_of(sql: str) -> int | str:
    """Return how many different tables a query reads, or ``not parsed``."""
    try:
        tree = sqlglot.parse_one(sql.removeprefix("[ANSWER]\n"), read="sqlite")
    except (SqlglotError, RecursionError):
        return UNKNOWN
    defined = {cte.alias.casefold() for cte in tree.find_all(exp.CTE)}
    return len({table.name.casefold() for table in tree.find_all(exp.Table)} - defined)


def levels() -> tuple[str, ...]:
    """The hardness levels in the order in which they are shown."""
    return (*LEVELS, UNKNOWN)
