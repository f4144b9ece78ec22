"""Read a schema from DuckDB's own catalogue functions (https://duckdb.org/docs, metadata)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from text2sql.schema.connect import open_duckdb
from text2sql.schema.model import Column, ForeignKey, Schema, Table
from text2sql.schema.quoting import quote_name
from text2sql.schema.samples import SCANNED_ROWS, Wanted, with_samples

TABLES = """
    SELECT table_name, comment, false FROM duckdb_tables()
    WHERE schema_name = current_schema() AND database_name = current_database()
    UNION ALL
    SELECT view_name, comment, true FROM duckdb_views()
    WHERE schema_name = current_schema() AND database_name = current_database() AND NOT internal
"""
COLUMNS = """
    SELECT table_name, column_name, data_type, is_nullable, comment FROM duckdb_columns()
    WHERE schema_name = current_schema() AND database_name = current_database()
    ORDER BY table_name, column_index
"""
CONSTRAINTS = """
    SELECT table_name, constraint_type, constraint_column_names, referenced_table,
           referenced_column_names
    FROM duckdb_constraints()
    WHERE schema_name = current_schema() AND database_name = current_database()
      AND constraint_type IN ('PRIMARY KEY', 'FOREIGN KEY', 'UNIQUE')
"""


def reflect_duckdb(url: sa.URL, db_id: str, wanted: Wanted) -> Schema:
    """Read a DuckDB file; for the rest see `read_schema`."""
    connection = open_duckdb(url)
    try:
        columns: dict[str, list[Column]] = defaultdict(list)
        for table, name, kind, nullable, comment in connection.execute(COLUMNS).fetchall():
            columns[table].append(Column(name, kind, nullable=nullable, comment=comment or ""))
        primary: dict[str, set[str]] = defaultdict(set)
        unique: dict[str, list[tuple[str, ...]]] = defaultdict(list)
        keys = []
        for table, kind, names, target, referred in connection.execute(CONSTRAINTS).fetchall():
            if kind == "PRIMARY KEY":
                primary[table].update(names)
            elif kind == "UNIQUE":
                unique[table].append(tuple(names))
            else:
                pairs = zip(names, referred, strict=True)
                keys += [ForeignKey(table, own, target, ref) for own, ref in pairs]
        tables = []
        for name, comment, is_view in connection.execute(TABLES).fetchall():
            made = tuple(replace(c, primary_key=c.name in primary[name]) for c in columns[name])
            kept = tuple(unique[name]) if wanted.details else ()
            table = Table(name, made, comment=comment or "", is_view=is_view, unique=kept)
            tables.append(_with_data(connection, table, wanted))
        return Schema(db_id, tuple(tables), tuple(keys), "duckdb")
    finally:
        connection.close()


def _with_data(connection: Any, table: Table, wanted: Wanted) -> Table:
    import duckdb

    quoted = quote_name(table.name, "duckdb")
    try:
        if wanted.details:
            count = connection.execute(f"SELECT count(*) FROM {quoted}").fetchone()[0]
            table = replace(table, row_count=count)
        if wanted.samples:
            found = connection.execute(f"SELECT * FROM {quoted} LIMIT {SCANNED_ROWS}").fetchall()
            table = with_samples(table, found, wanted, "duckdb")
    except duckdb.Error:
        if not table.is_view:  # a view may be broken, or read files that we do not open
            raise
    return table
