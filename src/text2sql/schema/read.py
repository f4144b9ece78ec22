"""Read a schema from a SQLite file, from any database SQLAlchemy knows, or from tables.json."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine.reflection import ObjectKind
from sqlalchemy.exc import SQLAlchemyError

from text2sql.errors import UserError
from text2sql.schema.catalog import TypeName, postgres_tables, type_names
from text2sql.schema.connect import open_engine, parse_url, shown_url, sql_dialect
from text2sql.schema.duckdb import reflect_duckdb
from text2sql.schema.model import Column, ForeignKey, Schema, Table
from text2sql.schema.samples import SCANNED_ROWS, Wanted, with_samples
from text2sql.schema.sqlite import sqlite_columns, sqlite_tables


def read_schema(
    path_or_url: str | Path,
    samples: int = 0,
    *,
    personal_data: bool = True,
    db_id: str | None = None,
    details: bool = False,
    timeout: float | None = None,
) -> Schema:
    """Read the schema of a live database, opened for reading only.

    Args:
        path_or_url: a SQLite file, or an SQLAlchemy URL such as ``postgresql://user@host/db``.
        samples: example values per column (and sample rows per table) to take; 0 takes none.
        personal_data: False leaves out examples of columns that by name or by value look like
            e-mail addresses, telephone numbers, names and addresses of people, and the like.
        db_id: name to give the schema; by default that of the file or of the database.
        details: also read comments, unique keys and row counts, and of SQLite files views, which
            are always read elsewhere.
        timeout: seconds that each question to a server may take; a table whose rows take longer
            to count or to sample is left without.

    Raises:
        UserError: no such file, not a database, or it cannot be reached.
    """
    url = parse_url(str(path_or_url))
    name = db_id or default_db_id(url)
    wanted = Wanted(samples, personal_data, details)
    if url.get_backend_name() == "duckdb":
        return reflect_duckdb(url, name, wanted)
    engine = open_engine(url, timeout)
    try:
        with engine.connect() as connection, warnings.catch_warnings():
            # SQLAlchemy warns of SQLite's free type names, which we read ourselves anyway.
            warnings.simplefilter("ignore", category=sa.exc.SAWarning)
            if url.get_backend_name() == "sqlite":
                return _reflect_sqlite(connection, name, wanted)
            return _reflect_server(connection, name, sql_dialect(url), wanted)
    except SQLAlchemyError as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        raise UserError(f"{shown_url(url)}: cannot read the schema: {reason}") from None
    finally:
        engine.dispose()


def default_db_id(url: sa.URL) -> str:
    """Return the name a schema gets by default: that of the file or of the database."""
    return Path(url.database or "database").stem or "database"


def _reflect_sqlite(connection: sa.Connection, db_id: str, wanted: Wanted) -> Schema:
    # Some databases in the wild hold text in other encodings; a strict decode would fail.
    raw: Any = connection.connection.driver_connection
    raw.text_factory = lambda data: data.decode("utf-8", "replace")
    inspector = sa.inspect(connection)
    tables, keys = [], []
    for found in sqlite_tables(connection):
        table = Table(found.name, found.columns)
        if not found.is_virtual:
            primary = inspector.get_pk_constraint(found.name)["constrained_columns"]
            unique = inspector.get_unique_constraints(found.name) if wanted.details else ()
            table = _with_keys(table, primary, unique)
            keys += _foreign_keys(found.name, inspector.get_foreign_keys(found.name))
        tables.append(_with_data(connection, table, wanted, "sqlite"))
    for name in sorted(inspector.get_view_names()) if wanted.details else ():
        with suppress(sa.exc.DBAPIError):  # of a table that is gone
            table = Table(name, sqlite_columns(connection, name), is_view=True)
            tables.append(_with_data(connection, table, wanted, "sqlite"))
    return Schema(db_id, tuple(tables), tuple(_spelled_as_declared(keys, tables)))


def _reflect_server(connection: sa.Connection, db_id: str, dialect: str, wanted: Wanted) -> Schema:
    inspector = sa.inspect(connection)
    home = inspector.default_schema_name or ""
    views = set(inspector.get_view_names())
    placed = dict.fromkeys([*inspector.get_table_names(), *sorted(views)], home)
    if dialect == "postgres":
        known = postgres_tables(connection)
        views = {name for name, (_, kind) in known.items() if kind in "vm"}
        order = [*(name for name in placed if name in known), *known]
        placed = {name: known[name][0] for name in sorted(order, key=lambda name: name in views)}
    # One question for all tables where the database can: schemas may have hundreds.
    facts: dict[str, dict[str, Any]] = {}
    for schema in dict.fromkeys(placed.values()):
        for name, fact in _facts(inspector, None if schema == home else schema, wanted).items():
            if placed.get(name) == schema:
                facts[name] = fact
    type_name = type_names(connection)
    tables, keys = [], []
    for name, schema in placed.items():
        fact = facts.get(name, {})
        columns = (_column(name, found, type_name) for found in fact.get("columns") or ())
        table = Table(
            name,
            tuple(columns),
            comment=(fact.get("comment") or {}).get("text") or "",
            is_view=name in views,
            schema=schema,
        )
        primary = (fact.get("primary") or {}).get("constrained_columns") or ()
        table = _with_keys(table, primary, fact.get("unique") or ())
        tables.append(_with_data(connection, table, wanted, dialect))
        keys += _foreign_keys(name, fact.get("foreign") or ())
    return Schema(db_id, tuple(tables), tuple(_spelled_as_declared(keys, tables)), dialect)


def _facts(inspector: sa.Inspector, schema: str | None, wanted: Wanted) -> dict[str, Any]:
    """What the inspector tells of the tables of a database schema, by table name."""
    every = ObjectKind.ANY
    told: dict[str, Any] = {
        "columns": inspector.get_multi_columns(schema, kind=every),
        "primary": inspector.get_multi_pk_constraint(schema),
        "foreign": inspector.get_multi_foreign_keys(schema),
    }
    if wanted.details:
        told["unique"] = inspector.get_multi_unique_constraints(schema)
        with suppress(NotImplementedError):
            told["comment"] = inspector.get_multi_table_comment(schema, kind=every)
    facts: dict[str, Any] = {}
    for what, by_table in told.items():
        for (_, name), value in by_table.items():
            facts.setdefault(str(name), {})[what] = value
    return facts


def _column(table: str, found: Any, type_name: TypeName) -> Column:
    # SQLAlchemy leaves MySQL's quotes within a name doubled.
    name = found["name"].replace("``", "`")
    return Column(
        name,
        type_name(table, name, found["type"]),
        nullable=bool(found.get("nullable", True)),
        comment=found.get("comment") or "",
    )


def _with_keys(table: Table, primary: Iterable[str], unique: Iterable[Any]) -> Table:
    own = set(primary)
    columns = tuple(replace(c, primary_key=c.name in own) for c in table.columns)
    return replace(
        table, columns=columns, unique=tuple(tuple(found["column_names"]) for found in unique)
    )


def _foreign_keys(table: str, found: Iterable[Any]) -> list[ForeignKey]:
    return [
        ForeignKey(table, own, key["referred_table"], ref)
        for key in found
        for own, ref in zip(key["constrained_columns"], key["referred_columns"], strict=False)
    ]


def _with_data(connection: sa.Connection, table: Table, wanted: Wanted, dialect: str) -> Table:
    """The table with row count and samples, as far as they can be read in time."""
    target = sa.table(table.name, *(sa.column(c.name) for c in table.columns))
    try:
        if wanted.details:
            count = connection.scalar(sa.select(sa.func.count()).select_from(target))
            table = replace(table, row_count=count)
        if wanted.samples and table.columns:
            table = with_samples(table, _rows(connection, target, dialect), wanted, dialect)
    except sa.exc.DBAPIError as error:
        if error.connection_invalidated or type(error) is sa.exc.DatabaseError:
            raise  # the server is gone, the file is damaged
        # A view may be broken, a table too large to count in time or not ours to read.
        connection.rollback()
    return table


def _rows(connection: sa.Connection, target: sa.TableClause, dialect: str) -> list[tuple[Any, ...]]:
    """The first rows; where a value cannot be read, None stands for its whole column."""
    columns = list(target.columns)
    try:
        return _fetch(connection, columns)
    except (sa.exc.DBAPIError, ValueError, OverflowError) as error:
        # Any other failure of a server's, such as its time limit, is the whole table's.
        is_value = not isinstance(error, sa.exc.DBAPIError) or isinstance(error, sa.exc.DataError)
        if dialect != "sqlite" and not is_value:
            raise
        connection.rollback()
    parts = [[row[0] for row in _rows_of_column(connection, column)] for column in columns]
    return list(zip_longest(*parts))


def _rows_of_column(connection: sa.Connection, column: Any) -> list[tuple[Any, ...]]:
    try:
        return _fetch(connection, [column])
    except (sa.exc.DBAPIError, ValueError, OverflowError):
        connection.rollback()
        return []


def _fetch(connection: sa.Connection, columns: list[Any]) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in connection.execute(sa.select(*columns).limit(SCANNED_ROWS))]


def _spelled_as_declared(keys: Iterable[ForeignKey], tables: list[Table]) -> list[ForeignKey]:
    """Foreign keys in the letter case of the tables they name; those naming none are left out."""
    names = {(table.name, column.name) for table in tables for column in table.columns}
    spelled = {(table.casefold(), column.casefold()): (table, column) for table, column in names}

    def declared(table: str, column: str) -> tuple[str, str] | None:
        # On some servers names differ by their letter case alone.
        exact = (table, column) in names
        return (table, column) if exact else spelled.get((table.casefold(), column.casefold()))

    pairs = (
        (declared(key.table, key.column), declared(key.ref_table, str(key.ref_column)))
        for key in keys
    )
    return [ForeignKey(*own, *ref) for own, ref in pairs if own and ref]
