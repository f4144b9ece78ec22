"""Which columns of a schema does a query name?"""

from __future__ import annotations

import sqlglot
from sqlglot import exp

from text2sql.schema import Schema


def gold_columns(sql: str, schema: Schema) -> set[tuple[str, str]]:
    """Return the (table, column) pairs that a query names, in lower case.

    A column without a table counts in each of the query's tables that has it.

    Args:
        sql: one SQLite query.
        schema: of its database.

    Raises:
        sqlglot.errors.SqlglotError: it does not parse.
    """
    tree = sqlglot.parse_one(sql, read="sqlite")
    aliases = {t.alias_or_name.lower(): t.name.lower() for t in tree.find_all(exp.Table)}
    known = schema.names()
    columns = set()
    for column in tree.find_all(exp.Column):
        table = aliases.get(column.table.lower())
        for candidate in [table] if table else set(aliases.values()):
            if (candidate, column.name.lower()) in known:
                columns.add((candidate, column.name.lower()))
    return columns


def gold_tables(sql: str, schema: Schema) -> set[str]:
    """Return the tables of a schema that a query names, in lower case.

    Args:
        sql: one SQLite query.
        schema: of its database.

    Raises:
        sqlglot.errors.SqlglotError: it does not parse.
    """
    tree = sqlglot.parse_one(sql, read="sqlite")
    named = {table.name.lower() for table in tree.find_all(exp.Table)}
    return named & {table.name.casefold() for table in schema.tables}
