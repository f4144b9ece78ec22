"""The three layers against a corpus of good and bad statements in four dialects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlglot
import yaml

from text2sql.schema import read_schema
from text2sql.schema.quoting import quote_name
from text2sql.sql.database import Database
from text2sql.sql.validate import Rejected, Validator, find_fault, limited_sql

GROUPS: list[dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parent / "corpus.yaml").read_text(encoding="utf-8")
)
DIALECTS = ("sqlite", "duckdb", "postgres", "mysql")
SERVERS = [pytest.param(dialect, marks=[pytest.mark.services]) for dialect in ("postgres", "mysql")]


def corpus(dialect: str) -> list[tuple[str, str | None]]:
    """(statement, layer it must fail at) of a dialect."""
    mark = quote_name("two words", dialect)
    return [
        (text.replace("«", mark[0]).replace("»", mark[-1]), group.get("layer"))
        for group in GROUPS
        if dialect in group["dialects"]
        for text in group["statements"]
    ]


def verdict(validator: Validator, sql: str) -> str | None:
    try:
        validator.check(sql)
    except Rejected as reject:
        assert reject.reason
        return reject.layer
    return None


def test_the_corpus_is_large() -> None:
    texts = [text for dialect in DIALECTS for text, _ in corpus(dialect)]
    assert len({text for group in GROUPS for text in group["statements"]}) >= 300
    assert len(texts) >= 850


@pytest.mark.parametrize("dialect", DIALECTS)
def test_no_bad_statement_passes_the_first_two_layers(dialect: str, shop_sqlite: str) -> None:
    schema = read_schema(shop_sqlite)
    validator = Validator(schema, dialect)
    wrong = []
    for sql, layer in corpus(dialect):
        expected = None if layer == "execution" else layer
        found = verdict(validator, sql)
        if found != expected:
            wrong.append((sql, f"expected {expected}, got {found}"))
    assert wrong == []


@pytest.mark.parametrize("dialect", [*DIALECTS, None])
def test_the_service_refuses_what_training_data_may_not_hold(dialect: str | None) -> None:
    for sql, layer in corpus(dialect or "postgres"):
        fault = find_fault(sql, None, dialect)
        if layer == "syntax":
            assert fault, sql
        elif dialect:
            assert fault is None, sql


@pytest.mark.parametrize("shop_url", ["sqlite", "duckdb", *SERVERS], indirect=True)
def test_all_layers_on_a_real_database(shop_url: str) -> None:
    with Database(shop_url, timeout=5) as database:
        validator = Validator(read_schema(shop_url), database.dialect, database)
        wrong = [
            (sql, f"expected {layer}, got {found}")
            for sql, layer in corpus(database.dialect)
            if (found := verdict(validator, sql)) != layer
        ]
        assert wrong == []
        assert database.run("SELECT count(*) FROM customer").rows == [(5,)]


def test_the_limit_is_put_on_in_the_tree(shop_sqlite: str) -> None:
    validator = Validator(read_schema(shop_sqlite), "sqlite")

    def limited(sql: str) -> str:
        checked = validator.check(sql)
        return limited_sql(checked.sql, checked.tree, "sqlite", 3)

    assert limited("SELECT name FROM customer") == "SELECT name FROM customer LIMIT 3"
    assert limited("SELECT name FROM customer LIMIT 2").endswith("LIMIT 2")
    assert limited("SELECT name FROM customer LIMIT 9").endswith("LIMIT 3")
    union = limited("SELECT name FROM customer UNION SELECT title FROM product ORDER BY 1")
    assert union.endswith("ORDER BY 1 LIMIT 3")
    nested = limited("SELECT id FROM customer WHERE id IN (SELECT id FROM orders LIMIT 9)")
    assert nested.endswith("LIMIT 9) LIMIT 3")


@pytest.mark.parametrize(
    ("sql", "dialect", "limited"),
    [
        ("SELECT a FROM t FETCH FIRST 2 ROWS ONLY", "postgres", None),
        ("SELECT a FROM t FETCH FIRST 900 ROWS ONLY", "postgres", "SELECT a FROM t LIMIT 3"),
        ("SELECT a FROM t ORDER BY a FETCH FIRST 2 ROWS WITH TIES", "postgres", None),
        ("SELECT a FROM t", "tsql", "SELECT TOP 3 a FROM t"),
    ],
)
def test_limits_written_in_other_ways(sql: str, dialect: str, limited: str | None) -> None:
    tree = sqlglot.parse_one(sql, read=dialect)
    assert isinstance(tree, sqlglot.exp.Query)
    assert limited_sql(sql, tree, dialect, 3) == (limited or sql)


def test_more_functions_can_be_trusted(shop_sqlite: str) -> None:
    schema = read_schema(shop_sqlite)
    with pytest.raises(Rejected, match=r"syntax: function net_price\(\)"):
        Validator(schema, "sqlite").check("SELECT net_price(amount) FROM orders")
    Validator(schema, "sqlite", functions=["NET_PRICE"]).check("SELECT net_price(1)")
