"""What of a database nobody may see: tables and columns that a list names."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Self

from text2sql.errors import UserError
from text2sql.schema.model import Schema, Table
from text2sql.schema.quoting import quote_name
from text2sql.schema.sqlite import is_shadow

ANY = "*"
# Of tables that have something to hide, the columns nobody may see; ANY stands for all of them. All
# names are folded.
Hidden = Mapping[str, frozenset[str]]
WHOLE = frozenset({ANY})
ENTRY = re.compile(r'(?P<table>"[^"]+"|[^".]+)(?:\.(?P<column>"[^"]+"|[^".]+))?')
VIRTUAL = re.compile(r"\s*CREATE\s+VIRTUAL\b", re.IGNORECASE)
JOINED_BY_NAME = re.compile(r"\b(?:USING|NATURAL)\b", re.IGNORECASE)
GENERATED = (2, 3)  # table_xinfo's `hidden` of columns that are computed from others


@dataclass(frozen=True)
class DenyList:
    """Names of tables and columns to hide; letter case does not count.

    `columns` holds (table, column), where the table may be ``*`` for all of them.
    """

    tables: frozenset[str]
    columns: frozenset[tuple[str, str]]

    @classmethod
    def parse(cls, entries: Iterable[str]) -> Self:
        """Read ``table``, ``table.column`` and ``*.column``; names with dots stand in quotes.

        Raises:
            ValueError: an entry is none of these.
        """
        tables, columns = set(), set()
        for entry in entries:
            match = ENTRY.fullmatch(entry.strip())
            if match is None or (match["table"] == ANY and not match["column"]):
                raise ValueError(
                    f"denied: '{entry}' is none of: table, table.column, *.column (a name with"
                    ' dots stands in "quotes")'
                )
            names = [name and name.strip('"').casefold() for name in match.groups()]
            if names[1]:
                columns.add((names[0], names[1]))
            else:
                tables.add(names[0])
        return cls(frozenset(tables), frozenset(columns))

    def of_table(self, name: str, columns: Iterable[str]) -> frozenset[str]:
        """Return which columns of a table are hidden; WHOLE where nothing of it is left."""
        table, folded = name.casefold(), {column.casefold() for column in columns}
        hidden = {c for c in folded if {(table, c), (ANY, c)} & self.columns}
        whole = table in self.tables or (hidden and hidden == folded)
        return WHOLE if whole else frozenset(hidden)

    def require_known(self, tables: Mapping[str, Iterable[str]]) -> None:
        """Raise UserError for an entry that names nothing: a typing fault would hide nothing.

        Args:
            tables: the columns of each table there is.
        """
        known = {table.casefold(): set(map(str.casefold, tables[table])) for table in tables}
        missing = [table for table in self.tables if table not in known]
        for table, column in self.columns:
            of = known.values() if table == ANY else [known.get(table, set())]
            if not any(column in columns for columns in of):
                missing.append(f"{table}.{column}")
        if missing:
            raise UserError(
                f"denied: the database has no {', '.join(sorted(missing))}; correct the list, or"
                " take out what is gone"
            )


def hidden_in_schema(schema: Schema, deny: DenyList) -> Hidden:
    """Return what a list hides of a schema; raise UserError where it names what is not there."""
    columns = {table.name: [column.name for column in table.columns] for table in schema.tables}
    deny.require_known(columns)
    hidden = {name.casefold(): deny.of_table(name, own) for name, own in columns.items()}
    return {name: own for name, own in hidden.items() if own}


def hidden_in_sqlite(
    connection: sqlite3.Connection, deny: DenyList, database: str = "main"
) -> Hidden:
    """Return what a list hides of a SQLite file, with what would show it by another name.

    Columns that are computed go with the columns of their table; virtual tables that stand on a
    table that has something to hide, or have such a column, go as a whole, with the tables in which
    they keep their data. So do views that join such a table by the names of columns: SQLite does
    not say which columns these read.

    Args:
        connection: a connection to the file.
        deny: the list.
        database: what the file is called in the connection.

    Raises:
        UserError: the list names what is not there.
    """
    declared = connection.execute(
        f"SELECT type, name, coalesce(sql, '') FROM {database}.sqlite_master"
        " WHERE type IN ('table', 'view')"
    ).fetchall()
    columns = {name: _columns(connection, database, name) for _, name, _ in declared}
    deny.require_known({name: list(own) for name, own in columns.items()})
    hidden: dict[str, frozenset[str]] = {}
    for _, name, sql in declared:
        own = deny.of_table(name, columns[name])
        if own and VIRTUAL.match(sql):
            own = WHOLE
        elif own and own != WHOLE:
            own |= {column.casefold() for column, kind in columns[name].items() if kind}
        if own:
            hidden[name.casefold()] = own
    for kind, name, sql in declared:
        mentions = any(re.search(rf"(?<!\w){re.escape(n)}(?!\w)", sql.casefold()) for n in hidden)
        if mentions and (VIRTUAL.match(sql) or (kind == "view" and JOINED_BY_NAME.search(sql))):
            hidden[name.casefold()] = WHOLE
    virtual = [name for _, name, sql in declared if VIRTUAL.match(sql)]
    for name in columns:
        if any(hidden.get(own.casefold()) == WHOLE and is_shadow(name, own) for own in virtual):
            hidden[name.casefold()] = WHOLE
    return hidden


def _columns(connection: sqlite3.Connection, database: str, table: str) -> dict[str, bool]:
    """Return the columns of a table and whether they are computed; none where it is broken."""
    with suppress(sqlite3.Error):
        rows = connection.execute(f"PRAGMA {database}.table_xinfo({quote_name(table)})").fetchall()
        return {row[1]: row[6] in GENERATED for row in rows}
    return {}


def without_hidden(schema: Schema, hidden: Hidden) -> Schema:
    """Return a schema without what is hidden: names, example values, keys.

    Raises:
        UserError: nothing is left.
    """

    def sees(table: str, column: str) -> bool:
        own = hidden.get(table.casefold(), frozenset())
        return own != WHOLE and column.casefold() not in own

    tables = tuple(
        _visible(table, sees)
        for table in schema.tables
        if hidden.get(table.name.casefold()) != WHOLE
    )
    if not tables:
        raise UserError("denied: the list hides all tables of the database")
    keys = tuple(
        key
        for key in schema.foreign_keys
        if sees(key.table, key.column) and sees(key.ref_table, key.ref_column)
    )
    return replace(schema, tables=tables, foreign_keys=keys)


def _visible(table: Table, sees: Callable[[str, str], bool]) -> Table:
    places = [n for n, column in enumerate(table.columns) if sees(table.name, column.name)]
    return replace(
        table,
        columns=tuple(table.columns[n] for n in places),
        rows=tuple(tuple(row[n] for n in places) for row in table.rows),
        unique=tuple(key for key in table.unique if all(sees(table.name, c) for c in key)),
    )
