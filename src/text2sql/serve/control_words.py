"""Words that end a turn of the prompt format, taken apart where they are no part of it."""

from __future__ import annotations

from typing import Any

from text2sql.prompt import Example
from text2sql.schema import Column, Schema, Table

CONTROL, HARMLESS = "<|", "< |"  # opens the words that end a turn of the conversation


def disarm(text: str) -> str:
    """Return a text that cannot end its turn and speak for someone else."""
    return text.replace(CONTROL, HARMLESS)


def disarm_example(example: Example) -> Example:
    """Return an example of such texts."""
    return Example(disarm(example.question), disarm(example.sql))


def disarm_schema(schema: Schema) -> Schema:
    """Return a schema whose names and values are such texts."""

    def clean(value: Any) -> Any:
        return disarm(value) if isinstance(value, str) else value

    def column(one: Column) -> Column:
        return Column(clean(one.name), one.type, one.primary_key, tuple(map(clean, one.examples)))

    tables = tuple(
        Table(
            clean(table.name),
            tuple(map(column, table.columns)),
            tuple(tuple(map(clean, row)) for row in table.rows),
        )
        for table in schema.tables
    )
    return Schema(schema.db_id, tables, schema.foreign_keys)
