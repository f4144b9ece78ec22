"""Which SQL counts as one query that reads, and schemas given as text."""

from __future__ import annotations

from pathlib import Path

import pytest

from text2sql.schema import ForeignKey, read_schema, render_schema
from text2sql.schema.text import parse_schema
from text2sql.serve.config import is_loopback
from text2sql.serve.fair_queue import FairQueue, QueueFullError
from text2sql.sql.validate import find_fault

SCHEMA = parse_schema(
    "CREATE TABLE shop (shop_id INTEGER PRIMARY KEY, name TEXT);"
    "CREATE TABLE bike (bike_id INT, shop_id INT REFERENCES shop(shop_id), PRIMARY KEY (bike_id))"
)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT name FROM shop",
        "SELECT t.NAME AS n FROM Shop AS t ORDER BY n",
        "WITH x(a) AS (SELECT bike_id FROM bike) SELECT a FROM x",
        "SELECT 1 UNION SELECT 2",
        'SELECT "a text" FROM shop',
        "SELECT count(*), rowid FROM shop WHERE name LIKE '%; DROP TABLE shop'",
        "SELECT name FROM shop WHERE shop_id IN (SELECT shop_id FROM bike)",
    ],
)
def test_queries(sql: str) -> None:
    assert find_fault(sql, SCHEMA, "sqlite") is None


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("", "no SQL"),
        ("DELETE FROM shop", "only reads"),
        ("INSERT INTO shop SELECT * FROM shop", "only reads"),
        ("CREATE TABLE t AS SELECT 1", "only reads"),
        ("PRAGMA writable_schema = 1", "only reads"),
        ("ATTACH 'x' AS y", "only reads"),
        ("VACUUM", "only reads"),
        ("SELECT 1; SELECT 2", "several statements"),
        ("SELECT FROM WHERE", "parse"),
        ("SELECT " + "(" * 3000 + "1" + ")" * 3000, "parse"),
        ("SELECT name FROM depot", "no such table: depot"),
        ("SELECT colour FROM shop", "no such column: colour"),
    ],
)
def test_faults(sql: str, words: str) -> None:
    assert words in (find_fault(sql, SCHEMA, "sqlite") or "")


@pytest.mark.parametrize(
    "sql",
    [
        "WITH x AS (DELETE FROM shop RETURNING *) SELECT * FROM x",
        "SELECT * INTO other FROM shop",
        "SELECT name FROM shop FOR UPDATE",
    ],
)
def test_writes_of_other_dialects(sql: str) -> None:
    assert "only reads" in (find_fault(sql, None, "postgres") or "")


def test_a_schema_is_read_from_ddl_and_m_schema_alike(database: Path) -> None:
    schema = read_schema(database)
    for style in ("ddl", "ddl-values", "m-schema"):
        parsed = parse_schema(render_schema(schema, style))
        assert parsed is not None, style
        assert parsed.names() == schema.names(), style
        assert parsed.foreign_keys == (ForeignKey("bike", "shop_id", "shop", "shop_id"),), style
        assert [t.primary_key for t in parsed.tables] == [("shop_id",), ("bike_id",)], style


@pytest.mark.parametrize("text", ["", "just words", "SELECT 1", "CREATE TABLE", "(" * 5000])
def test_text_without_tables(text: str) -> None:
    assert parse_schema(text) is None


def test_the_queue_serves_clients_in_turn_and_has_an_end() -> None:
    waiting: FairQueue[str] = FairQueue(4, 3)
    for client, item in (("a", "a1"), ("a", "a2"), ("a", "a3"), ("b", "b1")):
        waiting.put(client, item)
    with pytest.raises(QueueFullError):
        waiting.put("c", "c1")
    assert waiting.take(3) == ["a1", "b1", "a2"]
    waiting.put("a", "a4")
    waiting.close()
    with pytest.raises(QueueFullError):
        waiting.put("b", "b2")
    assert waiting.take(9) == ["a3", "a4"]
    assert waiting.take(9) == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.8.8"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "localhost.evil.example", ""])
def test_not_loopback(host: str) -> None:
    assert not is_loopback(host)
