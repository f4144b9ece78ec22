"""Database schemas as exact match sees them: lower-case names and foreign-key classes.

Names come from the SQLite file, as upstream does, or from a Spider ``tables.json``; the classes of
columns that foreign keys make equal come from ``tables.json`` alone.
"""

from __future__ import annotations

import os
import sqlite3

from .sandbox import readonly_uri

TYPE_CHECKING = False  # importing these takes milliseconds
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    Path = str | os.PathLike[str]

STAR = "*"


class EvalSchema:
    """The names a query of one database may use.

    Attributes:
        tables: lower-case table name -> lower-case column names, in the database's order.
        foreign_keys: ``table.column`` -> the column that stands for its foreign-key class.
        names: all tables, all columns as ``table.column``, and ``*``.
    """

    __slots__ = ("tables", "foreign_keys", "names")

    def __init__(
        self,
        tables: Mapping[str, tuple[str, ...]],
        foreign_keys: Mapping[str, str] | None = None,
    ) -> None:
        self.tables = tables
        self.foreign_keys = foreign_keys or {}
        columns = {f"{table}.{name}" for table, names in tables.items() for name in names}
        self.names = frozenset({STAR, *tables, *columns})

    @classmethod
    def from_sqlite(
        cls, path: str | Path, foreign_keys: Mapping[str, str] | None = None
    ) -> EvalSchema:
        """Reads the tables and columns of a SQLite file, opened read-only.

        Args:
            path: the database file.
            foreign_keys: the database's classes, from `load_foreign_keys`.

        Raises:
            FileNotFoundError: there is no such file.
            sqlite3.Error: the file is not a readable SQLite database.
        """
        if not os.path.isfile(path):
            raise FileNotFoundError(f"no such database: {path}")
        connection = sqlite3.connect(readonly_uri(os.fspath(path)), uri=True)
        try:
            return cls.from_connection(connection, foreign_keys)
        finally:
            connection.close()

    @classmethod
    def from_connection(
        cls, connection: sqlite3.Connection, foreign_keys: Mapping[str, str] | None = None
    ) -> EvalSchema:
        """Reads the tables and columns of an open database; else as `from_sqlite`.

        A virtual table whose module this SQLite lacks has no columns.
        """
        usual = connection.text_factory
        connection.text_factory = lambda raw: raw.decode("utf-8", errors="replace")
        try:
            found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            tables = {}
            for (name,) in found.fetchall():
                tables[name.lower()] = _column_names(connection, name)
        finally:
            connection.text_factory = usual
        return cls(tables, dict(foreign_keys or {}))

    def with_foreign_keys(self, foreign_keys: Mapping[str, str]) -> EvalSchema:
        """Returns the same names with other foreign-key classes."""
        return EvalSchema(self.tables, foreign_keys)


def _column_names(connection: sqlite3.Connection, table: str) -> tuple[str, ...]:
    quoted = table.replace('"', '""')
    try:
        columns = connection.execute(f'PRAGMA table_info("{quoted}")').fetchall()
    except sqlite3.OperationalError as error:
        if "no such module" not in str(error):
            raise
        return ()
    return tuple(column[1].lower() for column in columns)


def load_schemas(tables_json: str | Path) -> dict[str, EvalSchema]:
    """Reads every database's schema from a Spider ``tables.json``.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not a list of Spider schema entries; the message says which one.
    """
    return {entry["db_id"]: _schema_of(entry) for entry in _read_entries(tables_json)}


def load_foreign_keys(tables_json: str | Path) -> dict[str, dict[str, str]]:
    """Reads every database's foreign-key classes from a Spider ``tables.json``.

    Raises:
        FileNotFoundError, ValueError: as `load_schemas`.
    """
    return {entry["db_id"]: _foreign_key_classes(entry) for entry in _read_entries(tables_json)}


def _read_entries(tables_json: str | Path) -> list[dict[str, Any]]:
    import json  # here, because hardness alone does not need it

    try:
        with open(tables_json, encoding="utf-8") as file:
            entries = json.load(file)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{tables_json}: not a JSON file ({error})") from error
    if not isinstance(entries, list):
        raise ValueError(f"{tables_json}: expected a list of databases")
    needed = ("db_id", "table_names_original", "column_names_original", "foreign_keys")
    for number, entry in enumerate(entries):
        missing = [key for key in needed if not isinstance(entry, dict) or key not in entry]
        if missing:
            raise ValueError(f"{tables_json}: entry {number} lacks {', '.join(missing)}")
    return entries


def _schema_of(entry: Mapping[str, Any]) -> EvalSchema:
    tables: dict[str, list[str]] = {name.lower(): [] for name in entry["table_names_original"]}
    for table, column in entry["column_names_original"]:
        if table >= 0:
            tables[entry["table_names_original"][table].lower()].append(column.lower())
    frozen = {name: tuple(columns) for name, columns in tables.items()}
    return EvalSchema(frozen, _foreign_key_classes(entry))


def _foreign_key_classes(entry: Mapping[str, Any]) -> dict[str, str]:
    """Maps each column of a foreign key to the first column of its class.

    A pair joins the first class that holds one of its ends.  Two classes that a later pair links
    stay apart, as upstream leaves them: merging them would change published scores.
    """
    tables = entry["table_names_original"]
    names = [
        f"{tables[table].lower()}.{column.lower()}" if table >= 0 else STAR
        for table, column in entry["column_names_original"]
    ]
    classes: list[set[int]] = []
    for pair in entry["foreign_keys"]:
        known = next((members for members in classes if not members.isdisjoint(pair)), None)
        if known is None:
            classes.append(set(pair))
        else:
            known.update(pair)
    return _representatives(classes, names)


def _representatives(classes: Sequence[set[int]], names: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for members in classes:
        first = names[min(members)]
        found.update({names[member]: first for member in sorted(members)})
    return found
