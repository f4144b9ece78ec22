"""Schemas as entries of Spider's tables.json: written and read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from text2sql.errors import UserError
from text2sql.files import read_json
from text2sql.schema.model import Column, ForeignKey, Schema, Table
from text2sql.schema.types import type_kind


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
        "column_types": ["text", *(type_kind(column.type) for _, column in columns)],
        "primary_keys": [n for n, (_, column) in enumerate(columns, 1) if column.primary_key],
        "foreign_keys": [
            [index[key.table, key.column], index[key.ref_table, key.ref_column]]
            for key in schema.foreign_keys
        ],
    }


def _readable(name: str) -> str:
    return name.replace("_", " ").lower()


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
