"""Read a schema from a SQLite file, from any database SQLAlchemy knows, or from tables.json."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine.reflection import ObjectKind
from sqlalchemy.exc import SQLAlchemyError

from text2sql.errors import UserError
from text2sql.files import read_json
from text2sql.schema.connect import open_engine, parse_url, shown_url
from text2sql.schema.model import Column, ForeignKey, Schema, Table, Value

SCANNED_ROWS = 200  # rows read per table to find examples: bounded, whatever the table's size
VALUE_LENGTH = 40  # longer texts are cut, so that one essay column cannot fill the prompt
PERSONAL_NAME = re.compile(
    r"e_?mail|phone|mobile|fax|ssn|social_?sec|passw|passport|credit_?card|card_?n|iban"
    r"|birth|address|street|first_?name|last_?name|surname|full_?name",
    re.IGNORECASE,
)
PERSONAL_VALUE = re.compile(r"[^@\s]+@[^@\s]+\.\w+|\+?\d[\d\s()./-]{8,}\d")


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
        from text2sql.schema.duckdb import reflect_duckdb

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


@dataclass(frozen=True)
class Wanted:
    """What to read besides names, types and keys; the fields are `read_schema`'s arguments."""

    samples: int
    personal_data: bool
    details: bool


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
    quoted = table.replace('"', '""')
    rows = connection.exec_driver_sql(f'PRAGMA table_info("{quoted}")')
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


def with_samples(table: Table, found: list[tuple[Any, ...]], wanted: Wanted) -> Table:
    """Return the table with sample rows and example values out of the rows found."""
    rows = [tuple(map(_value, row)) for row in found]
    hidden = [
        not wanted.personal_data and _is_personal(c.name, [row[i] for row in rows])
        for i, c in enumerate(table.columns)
    ]
    shown = [tuple(None if h else v for h, v in zip(hidden, row, strict=True)) for row in rows]
    columns = tuple(
        replace(c, examples=_distinct((row[i] for row in shown), wanted.samples))
        for i, c in enumerate(table.columns)
    )
    return replace(table, columns=columns, rows=tuple(shown[: wanted.samples]))


def _value(value: Any) -> Value:
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return None  # pictures and the like say nothing in a prompt
    text = " ".join(str(value).split())
    return text if len(text) <= VALUE_LENGTH else text[: VALUE_LENGTH - 3] + "..."


def _distinct(values: Iterable[Value], limit: int) -> tuple[Value, ...]:
    found: dict[Value, None] = {}
    for value in values:
        if value is not None and value != "":
            found.setdefault(value)
            if len(found) == limit:
                break
    return tuple(found)


def _is_personal(name: str, values: list[Value]) -> bool:
    if PERSONAL_NAME.search(name):
        return True
    return any(isinstance(v, str) and PERSONAL_VALUE.fullmatch(v) for v in values)


def read_tables_json(path: str | Path) -> dict[str, Schema]:
    """Read Spider's tables.json: schema by database id, original names, types as SQL types.

    Args:
        path: the file; layout as in https://github.com/taoyds/spider (Yu et al., 2018).

    Raises:
        UserError: file missing, or an entry lacks a key; the message names file, entry and key.
    """
    schemas = {}
    for number, entry in enumerate(read_json(path), start=1):
        try:
            schema = _from_entry(entry)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise UserError(f"{path}: entry {number} is not a Spider schema: {error!r}") from None
        schemas[schema.db_id] = schema
    return schemas


SQL_TYPES = {"number": "INT", "text": "TEXT", "time": "DATETIME", "boolean": "BOOLEAN"}


def _from_entry(entry: dict[str, Any]) -> Schema:
    tables: list[str] = entry["table_names_original"]
    # A composite primary key is a nested list in some releases of the file.
    primary = set()
    for key in entry["primary_keys"]:
        primary.update(key if isinstance(key, list) else [key])
    columns: list[list[Column]] = [[] for _ in tables]
    named = entry["column_names_original"]
    for index, ((table, name), kind) in enumerate(zip(named, entry["column_types"], strict=True)):
        if table >= 0:
            columns[table].append(Column(name, SQL_TYPES.get(kind, "TEXT"), index in primary))
    keys = tuple(
        ForeignKey(tables[named[a][0]], named[a][1], tables[named[b][0]], named[b][1])
        for a, b in entry["foreign_keys"]
    )
    # Two schemas of the release list SQLite's internal tables, which nobody can create or wants.
    made = tuple(
        Table(n, tuple(c))
        for n, c in zip(tables, columns, strict=True)
        if not n.startswith("sqlite_")
    )
    return Schema(entry["db_id"], made, keys)
