"""Read a schema from text: CREATE TABLE statements of any dialect, or M-Schema."""

from __future__ import annotations

import re

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from text2sql.schema.model import Column, ForeignKey, Schema, Table

M_TABLE = re.compile(r"^# Table: ([^\n]+?)\s*\n\[\n(.*?)\n\]", re.MULTILINE | re.DOTALL)
M_COLUMN = re.compile(r"^\(([^:\n]+):([^,)\n]+(?:\([^)\n]*\))?)([^\n]*)\)?,?$", re.MULTILINE)
M_KEY = re.compile(r"^([^.=\n]+)\.([^=\n]+)=([^.\n]+)\.([^\n]+)$", re.MULTILINE)


def parse_schema(text: str) -> Schema | None:
    """Return the tables of a schema given as CREATE TABLE statements or as M-Schema.

    Returns:
        The schema; None when no table is recognised. Then the text goes to the model as it is.
    """
    found = _from_m_schema(text) if M_TABLE.search(text) else _from_ddl(text)
    return found if found and found.tables else None


def _from_m_schema(text: str) -> Schema:
    tables = tuple(
        Table(
            name,
            tuple(
                Column(column.strip(), kind.strip(), "Primary Key" in rest)
                for column, kind, rest in M_COLUMN.findall(body)
            ),
        )
        for name, body in M_TABLE.findall(text)
    )
    keys = text.partition("【Foreign keys】")[2]
    return Schema("schema", tables, tuple(ForeignKey(*key) for key in M_KEY.findall(keys)))


def _from_ddl(text: str) -> Schema | None:
    for dialect in (None, "sqlite", "postgres", "mysql"):
        try:
            parsed = sqlglot.parse(text, read=dialect)
        except (SqlglotError, RecursionError):
            continue
        made = [one for one in parsed if isinstance(one, exp.Create) and one.kind == "TABLE"]
        pairs = [_table(one) for one in made if isinstance(one.this, exp.Schema)]
        keys = tuple(key for _, own in pairs for key in own)
        return Schema("schema", tuple(table for table, _ in pairs), keys)
    return None


def _table(create: exp.Create) -> tuple[Table, list[ForeignKey]]:
    name = create.this.this.name
    primary = {
        column.name.casefold()
        for key in create.find_all(exp.PrimaryKey)
        for column in key.expressions
    }
    columns, keys = [], []
    for one in create.this.expressions:
        if isinstance(one, exp.ColumnDef):
            is_key = one.name.casefold() in primary or bool(
                one.find(exp.PrimaryKeyColumnConstraint)
            )
            kind = one.args.get("kind")
            columns.append(Column(one.name, kind.sql() if kind else "TEXT", is_key))
            keys += [_key(name, [one.name], found) for found in one.find_all(exp.Reference)]
        for foreign in one.find_all(exp.ForeignKey):
            own = [column.name for column in foreign.expressions]
            reference = foreign.args.get("reference")
            keys += [_key(name, own, reference)] if reference else []
    return Table(name, tuple(columns)), [key for key in keys if key]


def _key(table: str, own: list[str], reference: exp.Reference) -> ForeignKey | None:
    target = reference.this
    if not isinstance(target, exp.Schema):
        return ForeignKey(table, own[0], target.name, own[0]) if own else None
    named = [column.name for column in target.expressions]
    return ForeignKey(table, own[0], target.this.name, named[0]) if own and named else None
