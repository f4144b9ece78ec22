"""One schema object: read from a database, from tables.json or from DDL; rendered in any style."""

from text2sql.schema.model import Column, ForeignKey, Schema, Table
from text2sql.schema.prune import prune_schema
from text2sql.schema.read import read_schema
from text2sql.schema.render import STYLES, render_schema
from text2sql.schema.spider import read_tables_json, spider_entry

__all__ = [
    "STYLES",
    "Column",
    "ForeignKey",
    "Schema",
    "Table",
    "prune_schema",
    "read_schema",
    "read_tables_json",
    "render_schema",
    "spider_entry",
]
