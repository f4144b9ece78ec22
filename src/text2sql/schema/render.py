"""Render a schema as the text that stands in a prompt."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from itertools import zip_longest

from text2sql.errors import UserError
from text2sql.schema.model import Schema, Table, Value
from text2sql.schema.quoting import quote_name, quote_value


def render_schema(schema: Schema, style: str = "ddl") -> str:
    """Render a schema; where a style is SQL, it is that of the schema's dialect.

    Args:
        schema: what to render.
        style: ``ddl`` (CREATE TABLE with keys, one line a table), ``ddl-values`` (one column a
            line, example values as comments), ``ddl-inserts`` (``ddl`` and sample rows as INSERT),
            ``m-schema`` (the M-Schema of XGenerationLab, https://github.com/XGenerationLab/M-Schema)
            or ``prose`` (the wording of DB-GPT-Hub's Spider data).

    Raises:
        UserError: no such style.
    """
    if style not in STYLES:
        raise UserError(f"no schema style '{style}'; there are: {', '.join(STYLES)}")
    return STYLES[style](schema)


def _ddl(schema: Schema) -> str:
    return "\n".join(_create(schema, table) for table in schema.tables)


def _create(schema: Schema, table: Table) -> str:
    name = quote_name(table.name, schema.dialect)
    return f"CREATE TABLE {name} ({', '.join(_definitions(schema, table))});"


def _definitions(schema: Schema, table: Table) -> list[str]:
    """Return what stands in a table's parentheses: its columns in their order, then its keys."""
    name = partial(quote_name, dialect=schema.dialect)
    single = len(table.primary_key) == 1
    parts = [
        f"{name(column.name)} {column.type}"
        + (" PRIMARY KEY" if column.primary_key and single else "")
        for column in table.columns
    ]
    if len(table.primary_key) > 1:
        parts.append(f"PRIMARY KEY ({', '.join(map(name, table.primary_key))})")
    for key in schema.foreign_keys:
        if key.table == table.name:
            target = f"{name(key.ref_table)}({name(key.ref_column)})"
            parts.append(f"FOREIGN KEY ({name(key.column)}) REFERENCES {target}")
    return parts


def _ddl_values(schema: Schema) -> str:
    texts = []
    for table in schema.tables:
        texts.append(f"CREATE TABLE {quote_name(table.name, schema.dialect)} (")
        parts = _definitions(schema, table)
        notes = [_values(schema, column.examples) for column in table.columns]
        for number, (part, note) in enumerate(zip_longest(parts, notes, fillvalue=""), start=1):
            comma = "," if number < len(parts) else ""
            texts.append(f"  {part}{comma}" + (f" -- {note}" if note else ""))
        texts.append(");")
    return "\n".join(texts)


def _ddl_inserts(schema: Schema) -> str:
    lines = []
    for table in schema.tables:
        lines.append(_create(schema, table))
        if table.rows:
            names = ", ".join(quote_name(column.name, schema.dialect) for column in table.columns)
            rows = ", ".join(f"({_values(schema, row)})" for row in table.rows)
            target = quote_name(table.name, schema.dialect)
            lines.append(f"INSERT INTO {target} ({names}) VALUES {rows};")
    return "\n".join(lines)


def _values(schema: Schema, values: Iterable[Value]) -> str:
    return ", ".join(quote_value(value, schema.dialect) for value in values)


def _m_schema(schema: Schema) -> str:
    lines = [f"【DB_ID】 {schema.db_id}", "【Schema】"]
    for table in schema.tables:
        columns = []
        for column in table.columns:
            text = f"({column.name}:{column.type}"
            if column.primary_key:
                text += ", Primary Key"
            if column.examples:
                text += f", Examples: [{', '.join(str(v) for v in column.examples)}]"
            columns.append(text + ")")
        lines += [f"# Table: {table.name}", "[", ",\n".join(columns), "]"]
    if schema.foreign_keys:
        lines.append("【Foreign keys】")
        lines += [f"{k.table}.{k.column}={k.ref_table}.{k.ref_column}" for k in schema.foreign_keys]
    return "\n".join(lines)


def _prose(schema: Schema) -> str:
    sentences = [
        f"{schema.db_id} contains tables such as {', '.join(t.name for t in schema.tables)}."
    ]
    for table in schema.tables:
        columns = ", ".join(column.name for column in table.columns)
        sentences.append(f"Table {table.name} has columns such as {columns}.")
        sentences += [f"{name} is the primary key." for name in table.primary_key]
    sentences += [
        f"The {k.column} of {k.table} is the foreign key of {k.ref_column} of {k.ref_table}."
        for k in schema.foreign_keys
    ]
    return " ".join(sentences)


WITH_VALUES = ("ddl-values", "m-schema")  # styles that show example values beside types
STYLES: dict[str, Callable[[Schema], str]] = {
    "ddl": _ddl,
    "ddl-values": _ddl_values,
    "ddl-inserts": _ddl_inserts,
    "m-schema": _m_schema,
    "prose": _prose,
}
