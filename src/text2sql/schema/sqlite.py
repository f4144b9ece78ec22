"""Tables of a SQLite file that can be asked, with their columns.

Virtual tables (https://sqlite.org/vtab.html) are read like any other where their module is loaded
and works. What they keep in ordinary tables of their own (shadow tables), and what only describes
the file or an index, is nothing that people ask about.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import sqlalchemy as sa

from text2sql.schema.model import Column
from text2sql.schema.quoting import quote_name

MODULE = re.compile(r"CREATE\s+VIRTUAL\s+TABLE\b.*?\bUSING\s+[\"`\[]?(\w+)", re.DOTALL | re.I)
# Modules whose tables tell of pages, statements and index terms.
ABOUT_STORAGE = frozenset(
    {
        *("dbstat", "sqlite_dbpage", "sqlite_stmt", "bytecode", "tables_used", "completion"),
        *("fts3tokenize", "fts4aux", "fts5vocab"),
    }
)
# How modules name their shadow tables, behind the virtual table's name and "_". Asked only where
# SQLite cannot tell because the module is not loaded (or SQLite is older than 3.37).
SHADOW = re.compile(
    r"content|segments|segdir|docsize|stat|data|idx|config|term"  # FTS1 to FTS5
    r"|node|rowid|parent"  # R-tree, geopoly
    r"|info|chunks|rowids|auxiliary|(?:vector_chunks|metadatachunks|metadatatext)\d+"  # vec0
    r"|index|vocab|dict",  # vss0, spellfix1 and others
    re.I,
)
VISIBLE = (0, 2, 3)  # table_xinfo's `hidden`: ordinary, generated virtual, generated stored


@dataclass(frozen=True)
class SqliteTable:
    """A table that can be asked; of a virtual one, keys and constraints are none of SQLite's."""

    name: str
    columns: tuple[Column, ...]
    is_virtual: bool


def sqlite_tables(connection: sa.Connection) -> list[SqliteTable]:
    """Return the tables of a database in the order they were made, helper tables left out.

    A virtual table is left out when it cannot be read: its module is not loaded, or what it stands
    on is gone.
    """
    declared = connection.exec_driver_sql(
        "SELECT name, sql FROM sqlite_master WHERE type = 'table' ORDER BY rowid"
    ).fetchall()
    modules = {
        name: found[1].lower() for name, sql in declared if (found := MODULE.match(sql or ""))
    }
    columns = {name: _virtual_columns(connection, name) for name in modules}
    listed = connection.exec_driver_sql("PRAGMA table_list").fetchall()
    shadows = {row[1] for row in listed if row[2] == "shadow"}
    # Whose shadow tables SQLite does not know.
    unknown = [name for name in modules if not columns[name] or not listed]
    tables = []
    for name, _ in declared:
        if name.startswith("sqlite_") or name in shadows:
            continue
        if name in modules:
            if columns[name] and modules[name] not in ABOUT_STORAGE:
                tables.append(SqliteTable(name, columns[name], True))
        elif not any(is_shadow(name, virtual) for virtual in unknown):
            tables.append(SqliteTable(name, sqlite_columns(connection, name), False))
    return tables


def sqlite_columns(connection: sa.Connection, table: str) -> tuple[Column, ...]:
    """Return the columns that SELECT * gives, with types as declared.

    SQLite is asked directly: SQLAlchemy renames types.
    """
    rows = connection.exec_driver_sql(f"PRAGMA table_xinfo({quote_name(table)})").fetchall()
    shown = [row for row in rows if row[6] in VISIBLE]
    return tuple(Column(r[1], (r[2] or "TEXT").upper(), nullable=not r[3]) for r in shown)


def _virtual_columns(connection: sa.Connection, table: str) -> tuple[Column, ...]:
    """The columns of a virtual table, none where it cannot be read."""
    try:
        connection.exec_driver_sql(f"SELECT * FROM {quote_name(table)} LIMIT 1").fetchall()
        return sqlite_columns(connection, table)
    except sa.exc.DBAPIError:
        return ()


def is_shadow(name: str, virtual: str) -> bool:
    """Say whether a table is by its name one in which a virtual table keeps its data."""
    own, begin = name.lower(), f"{virtual.lower()}_"
    return own.startswith(begin) and SHADOW.fullmatch(own[len(begin) :]) is not None
