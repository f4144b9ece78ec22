"""Schemas given as text: as databases and people write them, with what goes wrong in it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from text2sql.schema import ForeignKey
from text2sql.schema.text import read_schema_text

# As a PostgreSQL tool exports a table; the typing faults are of the kinds that people make.
POSTGRES = """
CREATE TABLE "shop"."orders" (
  "id" varchar(32) COLLATE "pg_catalog"."default" NOT NULL
    DEFAULT nextval('"shop".orders_id_seq'::regclass),
  "placed" timestamp(6),
  "note" varchar(32) COLLATE "pg_catalog"."default",
  CONSTRAINT "orders_pkey" PRIMARY KEY ("id")
);
ALTER TABLE "shop"."orders" OWNER TO "keeper";
COMMENT ON COLUMN "shop"."orders"."id" IS 'its number; unique';
COMMENT ON COLUMN "shop"."orders"."place d" IS 'when';
COMMENT ON COLUMN "shop"."orders"."note" Is 'what the guest''s said': COMNENT ON COLUMN
"shop"."orders"."placed" IS 'when';
COMMENT ON TABLE "shop"."orders" IS 'all orders';
"""
MYSQL = """*************************** 1. row ***************************
       Table: orders
Create Table: CREATE TABLE `orders` (
  `id` int(11) NOT NULL AUTO_INCREMENT COMMENT 'its number',
  `guest` varchar(20) COLLATE utf8mb4_bin DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY `by_guest` (`guest`),
  CONSTRAINT `f` FOREIGN KEY (`guest`) REFERENCES `people` (`name`)
) ENGINE=InnoDB AUTO_INCREMENT=5 DEFAULT CHARSET=utf8mb4 COMMENT='all orders'
"""


def test_what_postgresql_exports() -> None:
    read = read_schema_text(POSTGRES)
    assert read.schema
    (table,) = read.schema.tables
    assert (table.name, table.comment, table.primary_key) == ("orders", "all orders", ("id",))
    assert [(column.name, column.comment) for column in table.columns] == [
        ("id", "its number; unique"),
        ("placed", ""),
        ("note", "what the guest's said"),
    ]
    faulty, unknown = read.skipped
    assert faulty.startswith('COMNENT ON COLUMN "shop"."orders"."placed"')
    assert unknown.startswith('COMMENT ON COLUMN "shop"."orders"."place d"')


def test_what_mysql_shows() -> None:
    read = read_schema_text(MYSQL)
    assert read.schema
    (table,) = read.schema.tables
    assert [column.name for column in table.columns] == ["id", "guest"]
    assert (table.columns[0].comment, table.comment) == ("its number", "all orders")
    assert read.schema.foreign_keys == (ForeignKey("orders", "guest", "people", "name"),)
    assert read.skipped == ()


@pytest.mark.parametrize(
    ("text", "tables"),
    [
        ("CREATE TABLE a (x int)\n\nCREATE TABLE b (y int);", ["a", "b"]),
        ("CREATE TABLE a (x int); -- CREATE TABLE no (y int);\nCREATE TABLE b (y int)", ["a", "b"]),
        ("CREATE TABLE a (x text DEFAULT 'CREATE TABLE no (y int);')", ["a"]),
        ("CREATE TABLE [dbo].[t] ([n] [nvarchar](50) NULL) ON [PRIMARY]\nGO", ["t"]),
        ("CREATE TABLE IF NOT EXISTS a (x int) WITHOUT ROWID, STRICT;", ["a"]),
    ],
)
def test_statement_by_statement(text: str, tables: list[str]) -> None:
    read = read_schema_text(text)
    assert read.schema
    assert [table.name for table in read.schema.tables] == tables


def test_a_bad_table_costs_only_itself_and_is_named() -> None:
    text = "CREATE TABLE a (x int); CREATE TABLE (oh no; CREATE TABLE b (y int); words"
    read = read_schema_text(text)
    assert read.schema
    assert [table.name for table in read.schema.tables] == ["a", "b"]
    assert read.skipped == ("CREATE TABLE (oh no", "words")


def test_the_request_of_a_web_service() -> None:
    """The documents of the systems that this repository re-creates, where they are at hand."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "reference" / "seeds"
    folder = Path(os.environ.get("TEXT2SQL_SEEDS") or beside)
    documents = sorted(folder.glob("002_*.txt"))
    if not documents:
        pytest.skip("the documents are not here; TEXT2SQL_SEEDS names their folder")
    text = documents[0].read_text(encoding="utf-8")
    start = text.index('{\n    "question": "统计')
    body = json.loads(text[start : text.index("\n}", start) + 2])
    read = read_schema_text(body["db_schema"])
    assert read.schema
    (table,) = read.schema.tables
    assert (table.name, len(table.columns)) == ("bi_industry_statistics", 16)
    assert table.comment and table.columns[0].comment
    assert len(read.skipped) == 2  # the two faults of typing in it
