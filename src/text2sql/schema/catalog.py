"""What a server's own catalogue says that SQLAlchemy's reflection does not.

PostgreSQL: https://www.postgresql.org/docs/current/catalogs.html; MySQL and MariaDB: the table
COLUMNS of information_schema.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import DOMAIN

from text2sql.errors import UserError

# Partitions are read through their parent; what an extension brings is not the user's data.
POSTGRES_TABLES = """
    SELECT n.nspname, c.relname, c.relkind::text
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY (pg_catalog.current_schemas(false))
      AND c.relkind IN ('r', 'p', 'f', 'v', 'm')
      AND NOT c.relispartition
      AND pg_catalog.pg_table_is_visible(c.oid)
      AND NOT EXISTS (
        SELECT 1 FROM pg_catalog.pg_depend d
        WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    ORDER BY c.relname
"""
POSTGRES_OTHERS = """
    SELECT DISTINCT n.nspname
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
    ORDER BY 1
"""
POSTGRES_TYPES = """
    SELECT t.oid, t.typtype::text, t.typbasetype, t.typtypmod, t.typcategory::text, t.typelem,
           t.typnamespace = 'pg_catalog'::regnamespace
    FROM pg_catalog.pg_type t
"""
POSTGRES_COLUMNS = """
    SELECT c.relname, a.attname, a.atttypid, a.atttypmod
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY (pg_catalog.current_schemas(false)) AND a.attnum > 0
      AND pg_catalog.pg_table_is_visible(c.oid)
      AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'f', 'v', 'm')
"""
POSTGRES_LABELS = "SELECT enumtypid, enumlabel FROM pg_catalog.pg_enum ORDER BY 1, enumsortorder"
MYSQL_COLUMNS = """
    SELECT table_name, column_name, column_type FROM information_schema.columns
    WHERE table_schema = DATABASE()
"""
MOST_LABELS = 50  # an enum with more is a table of its own in all but name
# What SQLAlchemy has no name for, or hides the server's behind.
ODD_TYPES: tuple[type[Any], ...] = (sa.types.NullType, sa.ARRAY, sa.Enum, DOMAIN)

TypeName = Callable[[str, str, Any], str]


def postgres_tables(connection: sa.Connection) -> dict[str, tuple[str, str]]:
    """Return the tables and views in the search path: by name their schema and their kind.

    Kinds are those of pg_class.relkind: ``r`` table, ``p`` partitioned, ``f`` foreign, ``v`` view,
    ``m`` materialised view.

    Raises:
        UserError: there is none in the search path, though there are some elsewhere.
    """
    rows = connection.exec_driver_sql(POSTGRES_TABLES).fetchall()
    if not rows:
        path = connection.exec_driver_sql("SHOW search_path").scalar()
        others = [row[0] for row in connection.exec_driver_sql(POSTGRES_OTHERS)]
        if others:
            raise UserError(
                f"no table in the search path ({path}); tables are in: {', '.join(others)}; add"
                f" the schema to the URL: ?options=-csearch_path%3D{others[0]}"
            )
    return {name: (schema, kind) for schema, name, kind in rows}


def type_names(connection: sa.Connection) -> TypeName:
    """Return what names a column's type: of its table, its name and SQLAlchemy's type of it."""
    if connection.dialect.name == "postgresql":
        return _postgres_types(connection)
    if connection.dialect.name in ("mysql", "mariadb"):
        return _mysql_types(connection)
    return lambda table, column, kind: str(kind).upper()


def _postgres_types(connection: sa.Connection) -> TypeName:
    columns = {
        (table, column): (type_id, modifier)
        for table, column, type_id, modifier in connection.exec_driver_sql(POSTGRES_COLUMNS)
    }
    types = {row[0]: row[1:] for row in connection.exec_driver_sql(POSTGRES_TYPES)}
    labels: dict[int, list[str]] = {}
    for type_id, label in connection.exec_driver_sql(POSTGRES_LABELS):
        labels.setdefault(type_id, []).append(label)

    def written(type_id: int, modifier: int) -> str:
        kind, base, base_modifier, category, element, is_builtin = types[type_id]
        if kind == "d":
            return written(base, base_modifier)
        if category == "A" and element:
            return written(element, modifier) + "[]"
        if kind == "e" and len(labels.get(type_id, ())) <= MOST_LABELS:
            return enum_type(labels.get(type_id, []))
        shown = sa.func.format_type(sa.cast(type_id, sa.Integer), sa.cast(modifier, sa.Integer))
        text = str(connection.scalar(sa.select(shown)))
        return text.upper() if is_builtin else text

    def name(table: str, column: str, kind: Any) -> str:
        known = columns.get((table, column))
        return written(*known) if known and isinstance(kind, ODD_TYPES) else str(kind).upper()

    return name


def enum_type(labels: list[str]) -> str:
    """Return an enumeration as a column's type: the labels in their order."""
    quoted = ("'" + label.replace("'", "''") + "'" for label in labels)
    return f"ENUM({', '.join(quoted)})"


def _mysql_types(connection: sa.Connection) -> TypeName:
    declared = {
        (table, column): text.decode() if isinstance(text, bytes) else text
        for table, column, text in connection.exec_driver_sql(MYSQL_COLUMNS)
    }

    def name(table: str, column: str, kind: Any) -> str:
        text = declared.get((table, column), "")
        word, _, labels = text.partition("(")
        if word.lower() in ("enum", "set"):
            return f"{word.upper()}({labels}"
        if isinstance(kind, sa.types.NullType):
            return text.upper()
        # How texts are sorted says nothing of what they are.
        shown = re.sub(r"\s+(?:CHARACTER SET|COLLATE)\s+\S+", "", str(kind).upper())
        return shown + (" UNSIGNED" if "unsigned" in text and "UNSIGNED" not in shown else "")

    return name
