"""A schema as an entry of Spider's tables.json."""

from __future__ import annotations

from typing import Any

from text2sql.schema.model import Schema

TYPES = (
    ("number", ("INT", "REAL", "NUM", "DEC", "FLOAT", "DOUBLE")),
    ("time", ("DATE", "TIME")),
    ("boolean", ("BOOL",)),
    ("text", ("TEXT", "CHAR", "CLOB")),
)


def spider_entry(schema: Schema) -> dict[str, Any]:
    """Return a schema as an entry of Spider's tables.json (Yu et al., 2018).

    Readable names are the declared ones with spaces for underscores. ``primary_keys`` is a flat
    list that holds every column of a composite key.
    """
    tables = [table.name for table in schema.tables]
    columns = [(i, column) for i, table in enumerate(schema.tables) for column in table.columns]
    index = {(tables[i], column.name): n for n, (i, column) in enumerate(columns, start=1)}
    names = [(i, column.name) for i, column in columns]
    return {
        "db_id": schema.db_id,
        "table_names": [_readable(name) for name in tables],
        "table_names_original": tables,
        "column_names": [[-1, "*"], *([i, _readable(name)] for i, name in names)],
        "column_names_original": [[-1, "*"], *([i, name] for i, name in names)],
        "column_types": ["text", *(_spider_type(column.type) for _, column in columns)],
        "primary_keys": [n for n, (_, column) in enumerate(columns, 1) if column.primary_key],
        "foreign_keys": [
            [index[key.table, key.column], index[key.ref_table, key.ref_column]]
            for key in schema.foreign_keys
        ],
    }


def _readable(name: str) -> str:
    return name.replace("_", " ").lower()


def _spider_type(declared: str) -> str:
    return next((kind for kind, words in TYPES if any(w in declared for w in words)), "others")
