"""Render a schema as the text that stands in a prompt."""

from __future__ import annotations

import re
from collections.abc import Callable

from text2sql.errors import UserError
from text2sql.schema.model import Column, ForeignKey, Schema, Table, Value

PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Words that SQLite does not take as a bare name (https://sqlite.org/lang_keywords.html).
RESERVED = frozenset(
    [
        "add",
        "all",
        "alter",
        "and",
        "as",
        "autoincrement",
        "between",
        "case",
        "check",
        "collate",
        "commit",
        "constraint",
        "create",
        "default",
        "deferrable",
        "delete",
        "distinct",
        "drop",
        "else",
        "escape",
        "except",
        "exists",
        "foreign",
        "from",
        "group",
        "having",
        "in",
        "index",
        "insert",
        "intersect",
        "into",
        "is",
        "isnull",
        "join",
        "limit",
        "not",
        "notnull",
        "null",
        "on",
        "or",
        "order",
        "primary",
        "references",
        "select",
        "set",
        "table",
        "then",
        "to",
        "transaction",
        "union",
        "unique",
        "update",
        "using",
        "values",
        "when",
        "where",
    ]
)


def quote(name: str) -> str:
    """Return a name as SQL takes it: bare where it can be, else in double quotes."""
    if PLAIN_NAME.fullmatch(name) and name.lower() not in RESERVED:
        return name
    return '"' + name.replace('"', '""') + '"'


def literal(value: Value) -> str:
    """Return a value as an SQL literal."""
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, int | float) else "'" + value.replace("'", "''") + "'"


def render_schema(schema: Schema, style: str = "ddl") -> str:
    """Render a schema.

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
    single = len(table.primary_key) == 1
    parts = [_definition(column, single) for column in table.columns]
    parts += _constraints(schema, table)
    return f"CREATE TABLE {quote(table.name)} ({', '.join(parts)});"


def _definition(column: Column, single_key: bool) -> str:
    key = " PRIMARY KEY" if column.primary_key and single_key else ""
    return f"{quote(column.name)} {column.type}{key}"


def _constraints(schema: Schema, table: Table) -> list[str]:
    parts = []
    if len(table.primary_key) > 1:
        parts.append(f"PRIMARY KEY ({', '.join(map(quote, table.primary_key))})")
    return parts + [
        f"FOREIGN KEY ({quote(k.column)}) REFERENCES {quote(k.ref_table)}({quote(k.ref_column)})"
        for k in _keys_of(schema, table)
    ]


def _keys_of(schema: Schema, table: Table) -> list[ForeignKey]:
    return [key for key in schema.foreign_keys if key.table == table.name]


def _ddl_values(schema: Schema) -> str:
    texts = []
    for table in schema.tables:
        single = len(table.primary_key) == 1
        lines = [
            (_definition(c, single), ", ".join(literal(v) for v in c.examples))
            for c in table.columns
        ]
        lines += [(constraint, "") for constraint in _constraints(schema, table)]
        body = [
            f"  {text}{',' if number < len(lines) else ''}{f' -- {note}' if note else ''}"
            for number, (text, note) in enumerate(lines, start=1)
        ]
        texts.append("\n".join([f"CREATE TABLE {quote(table.name)} (", *body, ");"]))
    return "\n".join(texts)


def _ddl_inserts(schema: Schema) -> str:
    lines = []
    for table in schema.tables:
        lines.append(_create(schema, table))
        if table.rows:
            names = ", ".join(quote(column.name) for column in table.columns)
            rows = ", ".join(f"({', '.join(map(literal, row))})" for row in table.rows)
            lines.append(f"INSERT INTO {quote(table.name)} ({names}) VALUES {rows};")
    return "\n".join(lines)


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


STYLES: dict[str, Callable[[Schema], str]] = {
    "ddl": _ddl,
    "ddl-values": _ddl_values,
    "ddl-inserts": _ddl_inserts,
    "m-schema": _m_schema,
    "prose": _prose,
}
