"""Reading schemas in detail, snapshots and table cards."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from text2sql.create.cards import render_cards, table_card
from text2sql.data.snapshot import Snapshot, read_snapshot, write_snapshot
from text2sql.errors import UserError
from text2sql.schema import ForeignKey, Schema, read_schema
from text2sql.schema.prune import estimate_tokens
from text2sql.sql.database import Database

EVERYWHERE = [
    "sqlite",
    "duckdb",
    *(pytest.param(each, marks=[pytest.mark.services]) for each in ("postgres", "mysql")),
]


def detailed(url: str) -> Schema:
    return read_schema(url, 5, personal_data=False, db_id="shop", details=True, timeout=10)


@pytest.mark.parametrize("shop_url", EVERYWHERE, indirect=True)
def test_every_database_tells_the_same(shop_url: str) -> None:
    schema = detailed(shop_url)
    assert {t.name: t.row_count for t in schema.tables} == {
        "customer": 5,
        "orders": 6,
        "product": 5,
        "order_item": 7,
        "order": 2,
    }
    orders, odd = schema.table("orders"), schema.table("order")
    assert orders and odd
    assert [c.name for c in orders.columns] == ["id", "customer_id", "amount", "Order Date"]
    assert [c.name for c in odd.columns] == ["key", "中文"]
    assert odd.columns[1].examples == ("猫", "狗")
    assert orders.primary_key == ("id",)
    assert set(schema.foreign_keys) == {
        ForeignKey("orders", "customer_id", "customer", "id"),
        ForeignKey("order_item", "order_id", "orders", "id"),
        ForeignKey("order_item", "product_id", "product", "id"),
    }
    customer = schema.table("customer")
    assert customer
    assert customer.columns[1].nullable
    assert customer.columns[3].examples == ()  # e-mail addresses are personal data


@pytest.mark.parametrize("shop_url", EVERYWHERE, indirect=True)
def test_sessions_only_read(shop_url: str) -> None:
    with Database(shop_url, timeout=2, max_rows=2) as database:
        for statement in ("DELETE FROM order_item", "CREATE TABLE made (a INT)"):
            result = database.run(statement)
            assert not result.ok, statement
            assert result.error
        assert database.run("SELECT count(*) FROM order_item").rows == [(7,)]
        cut = database.run("SELECT id FROM product")
        assert (len(cut.rows), cut.truncated) == (2, True)
        assert not database.run("SELECT nosuch FROM product").ok
        assert database.run("SELECT max(id) FROM product").rows == [(5,)]


SLOW = {
    "sqlite": "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT max(n)"
    " FROM r",
    "duckdb": "SELECT count(*) FROM range(1000000) a, range(100000000) b"
    " WHERE a.range * b.range % 7 = 1",
    "postgres": "SELECT pg_sleep(60)",
    "mysql": "SELECT sleep(60)",
}


@pytest.mark.parametrize("shop_url", EVERYWHERE, indirect=True)
def test_statements_end_in_time(shop_url: str) -> None:
    with Database(shop_url, timeout=1) as database:
        result = database.run(SLOW[database.dialect])
        # MySQL's sleep() returns 1 when it is cut short, unlike any other statement.
        assert result.error_kind == "timeout" or result.rows == [(1,)]
        assert result.seconds < 20
        assert database.run("SELECT 1").rows == [(1,)]


def test_snapshot_and_back(shop_sqlite: str, tmp_path: Path) -> None:
    snapshot = Snapshot(detailed(shop_sqlite))
    write_snapshot(snapshot, tmp_path / "snapshot.json")
    assert read_snapshot(tmp_path / "snapshot.json") == snapshot
    (tmp_path / "other.json").write_text('{"format": 1}')
    with pytest.raises(UserError, match="not a snapshot"):
        read_snapshot(tmp_path / "other.json")


def test_views_and_unique_keys(tmp_path: Path) -> None:
    path = tmp_path / "v.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(
        "CREATE TABLE a (id INTEGER PRIMARY KEY, x TEXT NOT NULL, y INT, UNIQUE (x, y));"
        "CREATE VIEW seen AS SELECT x FROM a; CREATE VIEW broken AS SELECT z FROM gone;"
    )
    connection.close()
    schema = read_schema(path, 3, details=True)
    a, seen = schema.table("a"), schema.table("seen")
    assert a and seen
    assert a.unique == (("x", "y"),)
    assert [c.nullable for c in a.columns] == [True, False, True]
    assert seen.is_view
    assert [t.name for t in read_schema(path).tables] == ["a"]


def test_500_tables_with_odd_names_fit_a_budget(tmp_path: Path) -> None:
    path = tmp_path / "big.sqlite"
    odd = ["two words {}", 'se"lect {}', "select{}", "表{}", "back`tick {}"]
    connection = sqlite3.connect(path)
    previous = ""
    for number in range(500):
        name = odd[number % 5].format(number).replace('"', '""')
        key = f' REFERENCES "{previous}"("group")' if previous else ""
        connection.execute(
            f'CREATE TABLE "{name}" ("group" INTEGER PRIMARY KEY, "a b" TEXT, "名" INT{key})'
        )
        connection.execute(f"INSERT INTO \"{name}\" VALUES (1, 'x', 1)")
        previous = name
    connection.commit()
    connection.close()
    schema = read_schema(path, 3, details=True)
    assert len(schema.tables) == 500
    assert len(schema.foreign_keys) == 499
    assert all(t.row_count == 1 for t in schema.tables)
    texts = render_cards(schema, 3000)
    assert len(texts) > 1
    assert all(estimate_tokens(text) <= 3000 for text in texts)
    assert sum(text.count(" references ") for text in texts) == 499
    assert len(render_cards(schema, 10**6)) == 1


def test_a_card_shows_what_there_is(shop_sqlite: str) -> None:
    schema = detailed(shop_sqlite)
    orders = schema.table("orders")
    assert orders
    card = table_card(schema, orders)
    assert card.startswith("table orders (6 rows)\n  id INTEGER key [1; 2; 3], customer_id")
    assert card.endswith("  customer_id references customer.id")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("missing.sqlite", "no such database file"),
        ("sqlite:///missing.sqlite", "no such database file"),
        ("duckdb:///missing.duckdb", "no such database file"),
        ("nosuch://host/db", "cannot open this database"),
        ("postgresql://owl:secret@127.0.0.1:1/x", "cannot"),
    ],
)
def test_bad_urls_are_one_line_without_the_password(url: str, message: str) -> None:
    for use in (lambda: Database(url), lambda: read_schema(url)):
        with pytest.raises(UserError, match=message) as caught:
            use()
        assert "\n" not in str(caught.value)
        assert "secret" not in str(caught.value)
