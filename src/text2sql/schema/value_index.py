"""An index of a database's text values, for `text2sql.schema.value_search` to look into.

It is a SQLite file of its own, with FTS5 over the words of each value. Words are compared as
`text2sql.schema.words` has them, and values as wholes without the spaces between their words, so
that letter case, plural and the joint in ``NorthCarolina`` do not matter. Nothing leaves the
machine, and columns that look personal are left out.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from text2sql.errors import UserError
from text2sql.schema.connect import open_engine, parse_url, shown_url
from text2sql.schema.model import Column, Schema
from text2sql.schema.read import read_schema
from text2sql.schema.samples import SCANNED_ROWS, looks_personal
from text2sql.schema.words import parts, stem

FORMAT = 1  # of the file; raise it when what is written changes
LONGEST = 80  # characters of a value; longer ones are texts to read, not to compare with
MOST_VALUES = 200_000  # distinct ones of a column
SCRIPT = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT);
CREATE TABLE place (id INTEGER PRIMARY KEY, tab TEXT, col TEXT);
CREATE TABLE entry (id INTEGER PRIMARY KEY, place INTEGER, value TEXT, key TEXT);
CREATE VIRTUAL TABLE words USING fts5(key, content='', detail=none, columnsize=0);
CREATE VIRTUAL TABLE vocabulary USING fts5vocab(words, row);
"""


def build_value_index(
    path_or_url: str | Path,
    output: Path,
    *,
    personal_data: bool = False,
    timeout: float | None = None,
) -> dict[str, Any]:
    """Write the index of a database's text values.

    Args:
        path_or_url: as of `read_schema`; DuckDB is not read.
        output: the file to write; it appears as a whole.
        personal_data: also take columns that look like personal data.
        timeout: seconds a statement may take, on servers.

    Returns:
        Counts of columns and values, of columns left out as personal and of those cut at
        `MOST_VALUES`, and seconds.

    Raises:
        UserError: the database cannot be read.
    """
    started = time.monotonic()
    url = parse_url(str(path_or_url))
    if url.get_backend_name() == "duckdb":
        raise UserError(f"{shown_url(url)}: values of DuckDB are not indexed")
    schema = read_schema(path_or_url, timeout=timeout)
    engine = open_engine(url, timeout)
    partial = output.with_name(f"{output.name}.{os.getpid()}.partial")
    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        with engine.connect() as source, closing(sqlite3.connect(partial)) as target:
            counts = _fill(source, target, schema, personal_data)
            target.commit()
        partial.replace(output)
    except SQLAlchemyError as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        raise UserError(f"{shown_url(url)}: cannot read the values: {reason}") from None
    finally:
        partial.unlink(missing_ok=True)
        engine.dispose()
    return counts | {"seconds": round(time.monotonic() - started, 2)}


def _fill(
    source: sa.Connection, target: sqlite3.Connection, schema: Schema, personal_data: bool
) -> dict[str, Any]:
    target.executescript(f"PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; {SCRIPT}")
    if source.dialect.name == "sqlite":
        raw: Any = source.connection.driver_connection
        raw.text_factory = lambda data: data.decode("utf-8", "replace")
    counts = {"columns": 0, "values": 0, "personal_columns": 0, "cut_columns": 0}
    for table in schema.tables:
        for column in table.columns:
            values = _values(source, table.name, column)
            first = [value for _, value in zip(range(SCANNED_ROWS), values, strict=False)]
            if not first:
                continue
            if not personal_data and looks_personal(column.name, first):
                counts["personal_columns"] += 1
                continue
            counts["columns"] += 1
            place = counts["columns"]
            target.execute("INSERT INTO place VALUES (?, ?, ?)", (place, table.name, column.name))
            added = _insert(target, place, _all(first, values), counts["values"])
            counts["values"] += added
            counts["cut_columns"] += added >= MOST_VALUES
    target.execute("CREATE INDEX by_key ON entry (key)")
    target.execute("CREATE TABLE word (term TEXT PRIMARY KEY, documents INTEGER) WITHOUT ROWID")
    target.execute("INSERT INTO word SELECT term, doc FROM vocabulary")
    target.execute("INSERT INTO meta VALUES ('format', ?)", (str(FORMAT),))
    return counts


def _all(first: Iterable[str], rest: Iterable[str]) -> Iterator[str]:
    yield from first
    yield from rest


def _insert(target: sqlite3.Connection, place: int, values: Iterable[str], start: int) -> int:
    number = start
    for value in values:
        stems = list(map(stem, parts(value)))
        if not stems:
            continue
        number += 1
        row = (number, place, value, "".join(stems))
        target.execute("INSERT INTO entry VALUES (?, ?, ?, ?)", row)
        target.execute("INSERT INTO words (rowid, key) VALUES (?, ?)", (number, " ".join(stems)))
    return number - start


def _values(source: sa.Connection, table: str, column: Column) -> Iterator[str]:
    """Yield the distinct short texts with a letter in a column; none where it cannot be read."""
    col: Any = sa.column(column.name)
    query = sa.select(col).distinct().select_from(sa.table(table, col)).where(col.is_not(None))
    if source.dialect.name == "sqlite":  # where other types have values of no length
        query = query.where(sa.func.typeof(col) == "text", sa.func.length(col) <= LONGEST)
    try:
        for (value,) in source.execute(query.limit(MOST_VALUES)):
            if isinstance(value, str) and len(value) <= LONGEST and any(map(str.isalpha, value)):
                yield value
    except sa.exc.DBAPIError:
        source.rollback()
