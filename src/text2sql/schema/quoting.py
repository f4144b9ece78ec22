"""Names and values as each SQL dialect reads them."""

from __future__ import annotations

import math
import re
import sqlite3
from contextlib import closing
from functools import cache, lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.compiler import IdentifierPreparer

from text2sql.schema.model import Value

# sqlglot's names of the dialects, with the SQLAlchemy dialect that quotes names in the same way.
PREPARERS = {
    "sqlite": "sqlite",
    "duckdb": "postgresql",
    "postgres": "postgresql",
    "mysql": "mysql",
    "tsql": "mssql",
}
DIALECTS = tuple(PREPARERS)
PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# DuckDB's own words that it does not take as a bare name (duckdb_keywords()).
_DUCKDB_WORDS = """
    anti asof at collation concurrently describe lambda lateral pivot pivot_longer pivot_wider
    positional qualify recursive semi show summarize tablesample unpack unpivot
"""
# MariaDB's (information_schema.keywords) that SQLAlchemy does not know of.
_MARIADB_WORDS = """
    delete_domain_id master_demote_to_replica master_demote_to_slave portion sql_buffer_result
    sql_cache sql_no_cache value
"""


def quote_name(name: str, dialect: str = "sqlite") -> str:
    """Return a name as the dialect takes it: bare where that is safe, else in its quotes.

    Args:
        name: of a table or column.
        dialect: one of `DIALECTS`.
    """
    bare = PLAIN.fullmatch(name) and (
        _is_sqlite_name(name.lower())
        if dialect == "sqlite"
        # PostgreSQL folds bare names to lower case.
        else name.lower() not in _server_words() and (dialect != "postgres" or name == name.lower())
    )
    return name if bare else _preparer(PREPARERS[dialect]).quote_identifier(name)


def quote_value(value: Value, dialect: str = "sqlite") -> str:
    """Return a value as an SQL literal."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float) and not math.isfinite(value):
        if dialect == "sqlite":  # it has no word for infinity, and reads too large a number as it
            return "NULL" if math.isnan(value) else "9e999" if value > 0 else "-9e999"
        return "'NaN'" if math.isnan(value) else "'Infinity'" if value > 0 else "'-Infinity'"
    if isinstance(value, int | float):
        return str(value)
    text = value.replace("'", "''")
    return "'" + (text.replace("\\", "\\\\") if dialect == "mysql" else text) + "'"


@lru_cache(maxsize=1 << 16)
def _is_sqlite_name(word: str) -> bool:
    """Whether SQLite reads a bare word as the table and the column of that name, wherever it is.

    SQLite itself is asked: it refuses some of its keywords as names, takes others, and reads some,
    such as current_date, as something else.
    """
    with closing(sqlite3.connect(":memory:")) as connection:
        try:
            connection.executescript(
                f"CREATE TABLE {word} ({word} INTEGER PRIMARY KEY REFERENCES {word} ({word}));"
                f"INSERT INTO {word} ({word}) VALUES (7)"
            )
            query = f"SELECT {word} FROM {word} WHERE {word} = 7 GROUP BY {word} ORDER BY {word}"
            return connection.execute(query).fetchall() == [(7,)]
        except sqlite3.Error:
            return False


@cache
def _server_words() -> frozenset[str]:
    """Words that one server or another does not take as a bare name; quotes do no harm on others.

    A question's SQL then looks alike on all of them.
    """
    names = (*PREPARERS.values(), "mariadb")
    words = (_preparer(name).reserved_words for name in names)
    return frozenset([*_DUCKDB_WORDS.split(), *_MARIADB_WORDS.split()]).union(*words)


@cache
def _preparer(name: str) -> IdentifierPreparer:
    # With the parameter style of their drivers, some would double the per cent signs in names.
    dialect: Any = sa.URL.create(name).get_dialect()
    preparer: IdentifierPreparer = dialect(paramstyle="named").identifier_preparer
    return preparer
