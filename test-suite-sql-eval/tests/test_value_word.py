"""Names that hold the word "value", and IS DISTINCT FROM: judged as written where parity allows."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from test_suite_sql_eval.api import Report, Settings, evaluate

QUERIES = [
    "SELECT max(order_value) FROM sale WHERE is_valued = 1",
    "SELECT value FROM sale ORDER BY value",
    "SELECT id FROM sale WHERE note = 'a > = value'",
    "SELECT id FROM sale WHERE value > = 5",
    "SELECT id FROM sale WHERE value IS DISTINCT FROM 5",
    "SELECT id FROM sale WHERE value IS NOT DISTINCT FROM NULL",
]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "database" / "shop" / "shop.sqlite"
    path.parent.mkdir(parents=True)
    connection = sqlite3.connect(path)
    connection.executescript(
        "CREATE TABLE sale (id INT, value REAL, order_value REAL, is_valued INT, note TEXT);"
        "INSERT INTO sale VALUES (1, 5, 50, 1, 'a > = value'), (2, 7, 70, 1, NULL),"
        " (3, NULL, 90, 0, 'x');"
    )
    connection.close()
    return tmp_path / "database"


def judge(database: Path, gold: list[str], predictions: list[str]) -> Report:
    folder = database.parent
    (folder / "gold.sql").write_text("".join(f"{sql}\tshop\n" for sql in gold))
    (folder / "pred.sql").write_text("".join(f"{sql}\n" for sql in predictions))
    return evaluate(
        str(folder / "gold.sql"),
        str(folder / "pred.sql"),
        str(database),
        settings=Settings(extra=True),
    )


def test_a_gold_query_is_right_by_the_metrics_of_our_own(database: Path) -> None:
    report = judge(database, QUERIES, QUERIES)
    for name in ("strict_ex", "bird_set_ex", "execution_success"):
        assert report.metrics[name] == 1.0
    assert any("holds 'value'; exec and match put 1" in warning for warning in report.warnings)


def test_nothing_is_said_where_no_name_has_the_word(database: Path) -> None:
    queries = ["SELECT id FROM sale WHERE note IS DISTINCT FROM 'x'"]
    report = judge(database, queries, queries)
    assert not [warning for warning in report.warnings if "value" in warning]
    assert report.scores["all"]["exec"] == 1.0


def test_texts_are_not_rewritten(database: Path) -> None:
    gold = ["SELECT id FROM sale WHERE note = 'a > = value'"]
    report = judge(database, gold, ["SELECT id FROM sale WHERE note = 'a >= 1'"])
    assert report.metrics["strict_ex"] == 0.0


def test_is_distinct_from_is_executed(database: Path) -> None:
    gold = ["SELECT id FROM sale WHERE note IS NOT DISTINCT FROM NULL"]
    right = "SELECT DISTINCT id FROM sale WHERE NOT note IS DISTINCT FROM NULL"
    wrong = "SELECT id FROM sale WHERE note IS DISTINCT FROM NULL"
    assert judge(database, gold * 2, [right, wrong]).scores["all"]["exec"] == 0.5
