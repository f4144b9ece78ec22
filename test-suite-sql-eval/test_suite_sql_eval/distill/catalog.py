"""Read the schema and some rows of a database: all that a variant must respect."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..sandbox import readonly_uri
from .names import quote
from .snapshot import load_schema, sample_rows, script

#: Rows of a table whose values are looked at; more of them add nothing to a column's picture.
MAX_ROWS = 400
_NUMBER = '"number of the row"'  # a name no table has
_LITERAL = re.compile(r"'((?:[^']|'')*)'|(?<![\w.])(-?\d+(?:\.\d+)?)(?![\w.])")


@dataclass(frozen=True)
class Column:
    """A column: its name, declared type in upper case, and whether NULL is forbidden."""

    name: str
    type: str
    not_null: bool

    @property
    def affinity(self) -> str:
        """The type affinity SQLite gives the column (sqlite.org/datatype3.html, section 3.1)."""
        if "INT" in self.type:
            return "INTEGER"
        if any(word in self.type for word in ("CHAR", "CLOB", "TEXT")):
            return "TEXT"
        if not self.type or "BLOB" in self.type:
            return "BLOB"
        if any(word in self.type for word in ("REAL", "FLOA", "DOUB")):
            return "REAL"
        return "NUMERIC"


@dataclass(frozen=True)
class ForeignKey:
    """Columns of a table, and the table and columns they refer to."""

    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]


@dataclass
class Table:
    """A table as variants need it.

    Attributes:
        name: its name.
        columns: the columns a row can be inserted into (no generated ones).
        keys: sets of columns whose values may not repeat; the primary key first if there is one.
        foreign_keys: references to tables that exist.
        check_values: literals of the CHECK constraints that name a column, by column.
        rows: rows of the original, up to `MAX_ROWS`, spread over the table.
        row_count: how many rows the original has.
        has_null: columns in which the original holds a NULL; where it has no row to learn from,
            all that may.
        has_rowid: False for a WITHOUT ROWID table.
    """

    name: str
    columns: list[Column]
    keys: list[tuple[str, ...]]
    foreign_keys: list[ForeignKey] = field(default_factory=list)
    check_values: dict[str, list[Any]] = field(default_factory=dict)
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    row_count: int = 0
    has_null: frozenset[str] = frozenset()
    has_rowid: bool = True

    def position(self, column: str) -> int:
        """Return the place of a column in a row."""
        return next(i for i, known in enumerate(self.columns) if known.name == column)


@dataclass
class Catalog:
    """A database: its tables, parents before children, and the statements that make it.

    Attributes:
        tables: by lower-case name.
        statements: CREATE TABLE and CREATE INDEX statements.
        later: CREATE VIEW and TRIGGER statements; triggers must not fire while filling.
    """

    tables: dict[str, Table]
    statements: list[str]
    later: list[str]

    def column_names(self) -> set[str]:
        """All column names in lower case."""
        return {c.name.lower() for table in self.tables.values() for c in table.columns}

    def root(self, table: str, column: str) -> tuple[str, str]:
        """Follow foreign keys from a column to the one its values come from."""
        seen = set()
        while (table, column) not in seen:
            seen.add((table, column))
            for key in self.tables[table].foreign_keys:
                if column in key.columns:
                    column = key.parent_columns[key.columns.index(column)]
                    table = key.parent
                    break
        return table, column


def open_source(path: Path) -> sqlite3.Connection:
    """Open a SQLite file read-only, or make a .sql script's or a snapshot's tables in memory.

    Raises:
        InputError: no such file, not a SQLite database, or the script has an error.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        if path.suffix in (".sql", ".json"):
            connection = sqlite3.connect(":memory:")
            is_script = path.suffix == ".sql"
            text = path.read_text(encoding="utf-8") if is_script else script(load_schema(path))
            connection.executescript(text)
        else:
            connection = sqlite3.connect(readonly_uri(str(path)), uri=True)
        connection.text_factory = lambda data: data.decode(errors="ignore")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except (sqlite3.Error, UnicodeDecodeError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a SQLite database, script or snapshot ({error})") from error
    return connection


def read_catalog(path: Path, with_rows: bool = True) -> Catalog:
    """Read a database's schema and a spread of its rows.

    Args:
        path: SQLite file, .sql script or .json snapshot.
        with_rows: False leaves the rows unread (schema-only mode).

    Raises:
        InputError: the file cannot be read or has no table.
    """
    connection = open_source(path)
    try:
        found = _read(connection, with_rows)
        if with_rows and path.suffix == ".json":
            _add_samples(found, sample_rows(load_schema(path)))
    except sqlite3.Error as error:
        raise InputError(f"{path}: cannot read the schema ({error})") from error
    finally:
        connection.close()
    if not found.tables:
        raise InputError(f"{path}: the database has no table")
    return found


def _add_samples(catalog: Catalog, samples: dict[str, list[tuple[Any, ...]]]) -> None:
    """Use a snapshot's samples as rows; they cannot be stored, as their foreign keys may dangle."""
    for name, table in catalog.tables.items():
        table.rows = samples[name][:MAX_ROWS]
        table.row_count = len(table.rows)


def _read(connection: sqlite3.Connection, with_rows: bool) -> Catalog:
    listed = connection.execute("PRAGMA table_list").fetchall()
    kinds = {name.lower(): kind for _, name, kind, *_ in listed}
    without_rowid = {name.lower() for _, name, _, _, without, _ in listed if without}
    master = connection.execute(
        "SELECT type, name, sql FROM sqlite_master"
        " WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    ).fetchall()
    plain = [row for row in master if kinds.get(row[1].lower()) != "shadow"]
    tables = {
        name.lower(): _table(connection, name, sql, with_rows)
        for kind, name, sql in plain
        if kind == "table" and kinds.get(name.lower()) == "table"
    }
    for lower, table in tables.items():
        table.has_rowid = lower not in without_rowid
        table.foreign_keys = list(_foreign_keys(connection, table, tables))
    return Catalog(
        {table.name.lower(): table for table in _parents_first(tables)},
        [sql for kind, _, sql in plain if kind == "table"]
        + [sql for kind, _, sql in plain if kind == "index"],
        [sql for kind, _, sql in plain if kind in ("view", "trigger")],
    )


def _table(connection: sqlite3.Connection, name: str, sql: str, with_rows: bool) -> Table:
    columns, primary = [], []
    for _, column, type_, not_null, _, place, hidden in connection.execute(
        f"PRAGMA table_xinfo({quote(name)})"
    ):
        if not hidden:
            # SQLite lets NULL into a primary key by mistake of old; nobody means it.
            columns.append(Column(column, type_.upper(), bool(not_null or place)))
        if place:
            primary.append((place, column))
    keys = [tuple(column for _, column in sorted(primary))] if primary else []
    for _, index, unique, _, partial in connection.execute(f"PRAGMA index_list({quote(name)})"):
        parts = [row[2] for row in connection.execute(f"PRAGMA index_info({quote(index)})")]
        if unique and not partial and None not in parts and tuple(parts) not in keys:
            keys.append(tuple(parts))
    table = Table(name, columns, keys, check_values=_check_values(sql, columns))
    if with_rows:
        _read_rows(connection, table)
    if not table.rows:
        table.has_null = frozenset(column.name for column in columns if not column.not_null)
    return table


def _read_rows(connection: sqlite3.Connection, table: Table) -> None:
    names = ", ".join(quote(column.name) for column in table.columns)
    source = quote(table.name)
    table.row_count = connection.execute(f"SELECT count(*) FROM {source}").fetchone()[0]
    step = max(1, table.row_count // MAX_ROWS)
    numbered = f"SELECT *, row_number() OVER () - 1 AS {_NUMBER} FROM {source}"
    table.rows = connection.execute(
        f"SELECT {names} FROM ({numbered}) WHERE {_NUMBER} % {step} = 0 LIMIT {MAX_ROWS}"
    ).fetchall()
    nulls = connection.execute(
        "SELECT "
        + ", ".join(f"count(*) > count({quote(column.name)})" for column in table.columns)
        + f" FROM {source}"
    ).fetchone()
    table.has_null = frozenset(
        column.name for column, null in zip(table.columns, nulls, strict=True) if null
    )


def _check_values(sql: str, columns: list[Column]) -> dict[str, list[Any]]:
    """Literals of CHECK constraints, for each column the constraint names."""
    found: dict[str, list[Any]] = {}
    for text in _checks(sql):
        literals: list[Any] = [
            _number(number) if number else word.replace("''", "'")
            for word, number in _LITERAL.findall(text)
        ]
        bare = re.sub(r"'(?:[^']|'')*'", " ", text)
        for column in columns:
            if re.search(rf"(?<!\w){re.escape(column.name)}(?!\w)", bare, re.IGNORECASE):
                found.setdefault(column.name, []).extend(literals)
    return found


def _checks(sql: str) -> Iterator[str]:
    """The conditions of the CHECK constraints of a CREATE TABLE statement."""
    for match in re.finditer(r"\bCHECK\s*\(", sql, re.IGNORECASE):
        depth, end = 1, match.end()
        while depth and end < len(sql):
            depth += {"(": 1, ")": -1}.get(sql[end], 0)
            end += 1
        yield sql[match.end() : end - 1]


def _number(text: str) -> int | float:
    return float(text) if "." in text else int(text)


def _foreign_keys(
    connection: sqlite3.Connection, table: Table, tables: dict[str, Table]
) -> Iterator[ForeignKey]:
    parts: dict[int, list[tuple[int, str, str, str | None]]] = {}
    for number, seq, parent, column, parent_column, *_ in connection.execute(
        f"PRAGMA foreign_key_list({quote(table.name)})"
    ):
        parts.setdefault(number, []).append((seq, parent, column, parent_column))
    for _, part in sorted(parts.items()):
        part.sort()
        known = tables.get(part[0][1].lower())
        if known is None:
            continue
        primary = known.keys[0] if known.keys else ()
        wanted = [to if to is not None else None for *_, to in part]
        targets = primary if None in wanted else wanted
        own = _resolve(table, [column for _, _, column, _ in part])
        other = _resolve(known, [str(target) for target in targets])
        if own and other and len(own) == len(other):
            yield ForeignKey(own, known.name.lower(), other)


def _resolve(table: Table, names: list[str]) -> tuple[str, ...]:
    """Column names as the table writes them; empty if one of them is not there."""
    written = {column.name.lower(): column.name for column in table.columns}
    found = [written.get(name.lower()) for name in names]
    return tuple(name for name in found if name is not None) if None not in found else ()


def _parents_first(tables: dict[str, Table]) -> list[Table]:
    """Order tables so that parents come first; in a cycle, the order of the schema decides."""
    order: list[Table] = []
    waiting = dict(tables)
    while waiting:
        free = [
            name
            for name, table in waiting.items()
            if all(key.parent not in waiting or key.parent == name for key in table.foreign_keys)
        ]
        for name in free or [next(iter(waiting))]:
            order.append(waiting.pop(name))
    return order
