"""What is counted over the rows of a prepared dataset: lengths, hardness, keywords, tables."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from text2sql.schema.ddl import schema_names
from text2sql.sql.hardness import LEVELS, eval_schema, hardness_of

KEYWORDS = (
    *("WHERE", "JOIN", "GROUP BY", "HAVING", "ORDER BY", "LIMIT", "DISTINCT"),
    *("UNION", "INTERSECT", "EXCEPT", "LIKE", "IN (SELECT"),
)
LITERAL = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"")
UNKNOWN = "not parsed"
SHOWN_LEVELS = (*LEVELS, UNKNOWN)
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
        schema = eval_schema(schema_names(schema_text))
        sql = sql.removeprefix("[ANSWER]\n")
        self.hardness[hardness_of(sql, "sqlite", schema, lenient=False) or UNKNOWN] += 1
        self.keywords.update(keywords_of(sql))
        self.tables[tables_of(sql)] += 1

    def share(self, count: int) -> float:
        """A count as a share of the rows."""
        return count / len(self.lengths)

    def cut(self, cutoff: int) -> int:
        """How many rows are longer than the cutoff."""
        return sum(length > cutoff for length in self.lengths)


def keywords_of(sql: str) -> list[str]:
    """Return which of `KEYWORDS` a query uses, those inside of literals not counted."""
    plain = " ".join(LITERAL.sub("''", sql).upper().replace("( ", "(").split())
    return [k for k in KEYWORDS if re.search(rf"(?<!\w){re.escape(k)}\b", plain)]


def tables_of(sql: str) -> int | str:
    """Return how many different tables a query reads, or ``not parsed``."""
    try:
        tree = sqlglot.parse_one(sql, read="sqlite")
    except (SqlglotError, RecursionError):
        return UNKNOWN
    defined = {cte.alias.casefold() for cte in tree.find_all(exp.CTE)}
    return len({table.name.casefold() for table in tree.find_all(exp.Table)} - defined)
