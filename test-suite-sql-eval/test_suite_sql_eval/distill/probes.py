"""Queries to choose variants by where there are no gold queries: plain ones on every column."""

from __future__ import annotations

from collections.abc import Iterator

from .catalog import Catalog, Table
from .names import quote


def probes(catalog: Catalog) -> list[str]:
    """Return simple queries that together use every column and every foreign key of a database."""
    return [sql for table in catalog.tables.values() for sql in _of_table(table, catalog)]


def _of_table(table: Table, catalog: Catalog) -> Iterator[str]:
    source = quote(table.name)
    for column in table.columns:
        name = quote(column.name)
        yield f"SELECT {name}, COUNT(*) FROM {source} GROUP BY {name} HAVING COUNT(*) > 1"
        yield f"SELECT * FROM {source} WHERE {name} = (SELECT MAX({name}) FROM {source})"
        if column.affinity in ("INTEGER", "REAL", "NUMERIC"):
            yield f"SELECT AVG({name}), MAX({name}) FROM {source}"
            yield f"SELECT * FROM {source} WHERE {name} > (SELECT AVG({name}) FROM {source})"
        place = table.position(column.name)
        example = next((row[place] for row in table.rows if isinstance(row[place], str)), None)
        if example is not None:
            text = example.replace("'", "''")
            yield f"SELECT * FROM {source} WHERE {name} = '{text}'"
    for key in table.foreign_keys:
        parent = quote(catalog.tables[key.parent].name)
        pairs = zip(key.columns, key.parent_columns, strict=True)
        match = " AND ".join(f"a.{quote(own)} = b.{quote(other)}" for own, other in pairs)
        own, other = quote(key.columns[0]), quote(key.parent_columns[0])
        yield f"SELECT b.* FROM {source} AS a JOIN {parent} AS b ON {match}"
        yield f"SELECT * FROM {parent} WHERE NOT {other} IN (SELECT {own} FROM {source})"
        yield f"SELECT {own} FROM {source} GROUP BY {own} ORDER BY COUNT(*) DESC LIMIT 1"
