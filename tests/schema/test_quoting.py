"""Names stand bare only where the database itself reads them as names."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
import sqlalchemy as sa

from text2sql.schema.quoting import DIALECTS, quote_name, quote_value

ODD_NAMES = ["two words", "9lives", "100%", 'a"b', "a`b", "a]b", "中文", "", "a;b", "a.b"]
_WORDS = """
    abort action add after all alter always analyze and as asc attach autoincrement before begin
    between by cascade case cast check collate column commit conflict constraint create cross
    current current_date current_time current_timestamp database default deferrable deferred delete
    desc detach distinct do drop each else end escape except exclude exclusive exists explain fail
    false filter first following for foreign from full generated glob group groups having if ignore
    immediate in index indexed initially inner insert instead intersect into is isnull join key last
    left like limit match materialized natural no not nothing notnull null nulls of offset on or
    order others outer over partition plan pragma preceding primary query raise range recursive
    references regexp reindex release rename replace restrict returning right rollback row rows
    rowid savepoint select set table temp temporary then ties to transaction trigger true unbounded
    union unique update using vacuum values view virtual when where window with without
"""


def misread(names: list[str], dialect: str, run: Callable[[str], list[Any]]) -> list[str]:
    """The names that a database does not read, as `quote_name` writes them, as table and column."""
    wrong = []
    for name in names:
        text = quote_name(name, dialect)
        query = f"SELECT {text} FROM {text} WHERE {text} = 7 GROUP BY {text} ORDER BY {text}"
        try:
            run(f"CREATE TABLE {text} ({text} INT, other INT)")
            run(f"INSERT INTO {text} ({text}) VALUES (7)")
            read = [tuple(row) for row in run(query)]
            run(f"DROP TABLE {text}")
        except Exception as error:
            read = [error]
        if read != [(7,)]:
            wrong.append(f"{text}: {read}")
    return wrong


def test_sqlite_reads_every_name() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        run = lambda sql: connection.execute(sql).fetchall()  # noqa: E731
        assert misread([*_WORDS.split(), *ODD_NAMES], "sqlite", run) == []


def test_sqlite_names_stay_bare_where_they_can() -> None:
    quoted = ["cast", "current_date", "Current_Time", "current_timestamp", "raise", "order", "If"]
    assert [quote_name(name) for name in quoted] == [f'"{name}"' for name in quoted]
    for name in ("key", "rank", "date", "Owl_2", "_x", "desc", "left", "rowid"):
        assert quote_name(name) == name


def test_duckdb_reads_every_name() -> None:
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed")
    with duckdb.connect() as connection:
        run = lambda sql: connection.execute(sql).fetchall()  # noqa: E731
        words = [row[0] for row in run("SELECT DISTINCT keyword_name FROM duckdb_keywords()")]
        assert len(words) > 400
        names = [name for name in ODD_NAMES if name]
        assert misread([*words, *names], "duckdb", run) == []


@pytest.mark.services
@pytest.mark.parametrize(
    ("server", "dialect", "query"),
    [
        ("postgresql_url", "postgres", "SELECT word FROM pg_get_keywords()"),
        ("mariadb_url", "mysql", "SELECT LOWER(word) FROM information_schema.keywords"),
    ],
)
def test_servers_read_every_name(
    server: str, dialect: str, query: str, request: pytest.FixtureRequest
) -> None:
    engine = sa.create_engine(
        request.getfixturevalue(server), isolation_level="AUTOCOMMIT", pool_pre_ping=True
    )

    def run(sql: str) -> list[Any]:
        with engine.connect() as connection:
            plain = connection.execution_options(no_parameters=True)
            result = plain.exec_driver_sql(sql)
            return list(result) if result.returns_rows else []

    words = [row[0] for row in run(query) if row[0].isidentifier()]
    assert len(words) > 400
    names = [name for name in ODD_NAMES if name]
    assert misread([*words, *names, "Owl"], dialect, run) == []
    engine.dispose()


def test_every_dialect_has_its_quotes_and_doubles_no_per_cent_sign() -> None:
    shown = {dialect: quote_name('50% "x`]', dialect) for dialect in DIALECTS}
    assert shown == {
        "sqlite": '"50% ""x`]"',
        "duckdb": '"50% ""x`]"',
        "postgres": '"50% ""x`]"',
        "mysql": '`50% "x``]`',
        "tsql": '[50% "x`]]]',
    }


def test_values_are_literals_of_their_dialect() -> None:
    assert [quote_value(value) for value in (None, True, 2, 1.5, "it's")] == [
        "NULL",
        "TRUE",
        "2",
        "1.5",
        "'it''s'",
    ]
    assert quote_value("a\\b", "mysql") == r"'a\\b'"
    assert quote_value("a\\b", "postgres") == r"'a\b'"
