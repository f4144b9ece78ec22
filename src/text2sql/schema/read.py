"""Read a schema from a SQLite file, from any database SQLAlchemy knows, or from tables.json."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from text2sql.errors import UserError
from text2sql.files import read_json
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
) -> Schema:
    """Read the schema of a live database, opened for reading only.

    Args:
        path_or_url: a SQLite file, or an SQLAlchemy URL such as ``postgresql://user@host/db``.
        samples: example values per column (and sample rows per table) to take; 0 takes none.
        personal_data: False leaves out examples of columns that by name or by value look like
            e-mail addresses, telephone numbers, names and addresses of people, and the like.
        db_id: name to give the schema; by default that of the file or of the database.

    Raises:
        UserError: no such file, not a database, or it cannot be reached.
    """
    text = str(path_or_url)
    is_url = "://" in text
    if not is_url and not Path(text).is_file():
        raise UserError(f"{text}: no such database file (a URL looks like postgresql://...)")
    name = db_id or (text.rsplit("/", 1)[-1].split("?")[0] if is_url else Path(text).stem)
    engine = _engine(text, is_url)
    try:
        with engine.connect() as connection, warnings.catch_warnings():
            # SQLAlchemy warns of SQLite's free type names, which we read ourselves anyway.
            warnings.simplefilter("ignore", category=sa.exc.SAWarning)
            return _reflect(connection, name, samples, personal_data)
    except SQLAlchemyError as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        raise UserError(f"{_shown(text, is_url)}: cannot read the schema: {reason}") from None
    finally:
        engine.dispose()


def _engine(text: str, is_url: bool) -> sa.Engine:
    if not is_url:
        text = f"sqlite:///file:{Path(text).resolve()}?mode=ro&uri=true"
    try:
        return sa.create_engine(text)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{_shown(text, is_url)}: cannot open this database: {reason}") from None


def _shown(text: str, is_url: bool) -> str:
    """The database's name for messages, a password in it left out."""
    if not is_url:
        return text
    try:
        return sa.make_url(text).render_as_string(hide_password=True)
    except ArgumentError:
        return "database URL"


def _reflect(connection: sa.Connection, db_id: str, samples: int, personal: bool) -> Schema:
    inspector = sa.inspect(connection)
    if connection.dialect.name == "sqlite":
        # Some databases in the wild hold text in other encodings; a strict decode would fail.
        raw: Any = connection.connection.driver_connection
        raw.text_factory = lambda data: data.decode("utf-8", "replace")
    names = [n for n in inspector.get_table_names() if not n.startswith("sqlite_")]
    if connection.dialect.name == "sqlite":
        names = _declared_order(connection, names)
    tables, keys = [], []
    for name in names:
        primary = set(inspector.get_pk_constraint(name)["constrained_columns"])
        declared = _types(connection, inspector, name)
        columns = [Column(n, t, n in primary) for n, t in declared]
        tables.append(_with_samples(connection, name, columns, samples, personal))
        for key in inspector.get_foreign_keys(name):
            pairs = zip(key["constrained_columns"], key["referred_columns"], strict=False)
            keys += [ForeignKey(name, own, key["referred_table"], ref) for own, ref in pairs]
    return Schema(db_id, tuple(tables), tuple(_spelled_as_declared(keys, tables)))


def _declared_order(connection: sa.Connection, names: list[str]) -> list[str]:
    query = sa.text("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid")
    order = {row[0]: position for position, row in enumerate(connection.execute(query))}
    return sorted(names, key=lambda name: order[name])


def _types(connection: sa.Connection, inspector: sa.Inspector, table: str) -> list[tuple[str, str]]:
    """Columns with types as declared; SQLite is asked directly: reflection renames types."""
    if connection.dialect.name == "sqlite":
        quoted = table.replace('"', '""')
        rows = connection.exec_driver_sql(f'PRAGMA table_info("{quoted}")')
        return [(row[1], (row[2] or "TEXT").upper()) for row in rows]
    return [(c["name"], str(c["type"]).upper()) for c in inspector.get_columns(table)]


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


def _with_samples(
    connection: sa.Connection, name: str, columns: list[Column], samples: int, personal: bool
) -> Table:
    if not samples:
        return Table(name, tuple(columns))
    names: list[Any] = [sa.column(c.name) for c in columns]
    wanted: Any = sa.select(*names).select_from(sa.table(name))
    rows = [tuple(map(_value, row)) for row in connection.execute(wanted.limit(SCANNED_ROWS))]
    hidden = [
        not personal and _is_personal(c.name, [r[i] for r in rows]) for i, c in enumerate(columns)
    ]
    shown = [tuple(None if h else v for h, v in zip(hidden, row, strict=True)) for row in rows]
    filled = tuple(
        Column(c.name, c.type, c.primary_key, _distinct((row[i] for row in shown), samples))
        for i, c in enumerate(columns)
    )
    return Table(name, filled, tuple(shown[:samples]))


def _value(value: Any) -> Value:
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, bytes):
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
