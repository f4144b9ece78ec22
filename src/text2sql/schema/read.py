"""Read a schema from a SQLite file, from any database SQLAlchemy knows, or from tables.json."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine.reflection import ObjectKind
from sqlalchemy.exc import SQLAlchemyError

from text2sql.errors import UserError
from text2sql.schema.connect import open_engine, parse_url, shown_url
from text2sql.schema.duckdb import reflect_duckdb
from text2sql.schema.model import Column, ForeignKey, Schema, Table
from text2sql.schema.quoting import quote_name
from text2sql.schema.samples import SCANNED_ROWS, Wanted, with_samples


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
        details: also read views, comments, unique keys and row counts.
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
            return _reflect(connection, name, wanted)
    except SQLAlchemyError as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        raise UserError(f"{shown_url(url)}: cannot read the schema: {reason}") from None
    finally:
        engine.dispose()


def default_db_id(url: sa.URL) -> str:
    """Return the name a schema gets by default: that of the file or of the database."""
    return Path(url.database or "database").stem or "database"


def _reflect(connection: sa.Connection, db_id: str, wanted: Wanted) -> Schema:
    inspector = sa.inspect(connection)
    sqlite = connection.dialect.name == "sqlite"
    if sqlite:
        # Some databases in the wild hold text in other encodings; a strict decode would fail.
        raw: Any = connection.connection.driver_connection
        raw.text_factory = lambda data: data.decode("utf-8", "replace")
    names = [n for n in inspector.get_table_names() if not n.startswith("sqlite_")]
    if sqlite:
        names = _declared_order(connection, names)
    views = set(inspector.get_view_names()) if wanted.details else set()
    kind = ObjectKind.ANY if wanted.details else ObjectKind.TABLE
    # One question for all tables where the database can: schemas may have hundreds.
    primary = _by_name(inspector.get_multi_pk_constraint())
    foreign = _by_name(inspector.get_multi_foreign_keys())
    described = {} if sqlite else _by_name(inspector.get_multi_columns(kind=kind))
    unique: dict[str, Any] = {}
    comments: dict[str, Any] = {}
    if wanted.details:
        unique = _by_name(inspector.get_multi_unique_constraints())
        with suppress(NotImplementedError):  # SQLite has no comments
            comments = _by_name(inspector.get_multi_table_comment(kind=kind))
    tables, keys = [], []
    for name in [*names, *sorted(views)]:
        own_key = set((primary.get(name) or {}).get("constrained_columns") or ())
        if sqlite:
            try:
                declared = _sqlite_columns(connection, name)
            except sa.exc.DBAPIError:
                if name in views:  # of a table that is gone
                    continue
                raise
        else:
            declared = [_column(found) for found in described.get(name, ())]
        columns = tuple(replace(c, primary_key=c.name in own_key) for c in declared)
        table = Table(
            name,
            columns,
            comment=(comments.get(name) or {}).get("text") or "",
            is_view=name in views,
            unique=tuple(tuple(u["column_names"]) for u in unique.get(name) or ()),
        )
        tables.append(_with_data(connection, table, wanted))
        for key in foreign.get(name) or ():
            pairs = zip(key["constrained_columns"], key["referred_columns"], strict=False)
            keys += [ForeignKey(name, own, key["referred_table"], ref) for own, ref in pairs]
    return Schema(db_id, tuple(tables), tuple(_spelled_as_declared(keys, tables)))


def _by_name(found: Any) -> dict[str, Any]:
    """What the inspector found, by table name alone."""
    return {str(name): value for (_, name), value in found.items()}


def _declared_order(connection: sa.Connection, names: list[str]) -> list[str]:
    query = sa.text("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid")
    order = {row[0]: position for position, row in enumerate(connection.execute(query))}
    return sorted(names, key=lambda name: order[name])


def _sqlite_columns(connection: sa.Connection, table: str) -> list[Column]:
    """Columns with types as declared; SQLite is asked directly: reflection renames types."""
    rows = connection.exec_driver_sql(f"PRAGMA table_info({quote_name(table)})")
    return [Column(r[1], (r[2] or "TEXT").upper(), nullable=not r[3]) for r in rows]


def _column(found: Any) -> Column:
    return Column(
        found["name"],
        str(found["type"]).upper(),
        nullable=bool(found.get("nullable", True)),
        comment=found.get("comment") or "",
    )


def _with_data(connection: sa.Connection, table: Table, wanted: Wanted) -> Table:
    """The table with row count and samples; without them where the server ran out of time."""
    target = sa.table(table.name, *(sa.column(c.name) for c in table.columns))
    try:
        if wanted.details:
            count = connection.scalar(sa.select(sa.func.count()).select_from(target))
            table = replace(table, row_count=count)
        if wanted.samples and table.columns:
            chosen = sa.select(*target.columns).limit(SCANNED_ROWS)
            table = with_samples(table, [tuple(r) for r in connection.execute(chosen)], wanted)
    except sa.exc.DBAPIError:
        # A view may be broken, a table too large to count in time or not ours to read.
        if not wanted.details:
            raise
        connection.rollback()
    return table


def _spelled_as_declared(keys: Iterable[ForeignKey], tables: list[Table]) -> list[ForeignKey]:
    """Foreign keys in the letter case of the tables they name; those naming none are left out."""
    spelled = {
        (t.name.casefold(), c.name.casefold()): (t.name, c.name) for t in tables for c in t.columns
    }
    found = []
    for key in keys:
        own = spelled.get((key.table.casefold(), key.column.casefold()))
        ref = spelled.get((key.ref_table.casefold(), str(key.ref_column).casefold()))
        if own and ref:
            found.append(ForeignKey(*own, *ref))
    return found
