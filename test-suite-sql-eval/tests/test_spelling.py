"""A prediction that is the gold query but for its spelling is right without being run."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_suite_sql_eval import evaluate
from test_suite_sql_eval.judge import spelled_alike

ALIKE = [
    ("SELECT a FROM t", "select  A\n from\tT ;"),
    ("SELECT a FROM t WHERE b = 'x Y'", "select a from t where b = 'x Y';"),
    ('SELECT a FROM t WHERE b = "x Y"', 'SELECT A FROM t WHERE B = "x Y"'),
    ("SELECT a -- b", "SELECT a -- b"),
]
OTHER = [
    ("SELECT a FROM t", "SELECT a FROM t;;"),
    ("SELECT a FROM t WHERE b = 'x Y'", "SELECT a FROM t WHERE b = 'x y'"),
    ("SELECT a FROM t WHERE b = 'x  y'", "SELECT a FROM t WHERE b = 'x y'"),
    ('SELECT a FROM t WHERE b = "Y"', 'SELECT a FROM t WHERE b = "y"'),
    ("SELECT 'a', \"B\" FROM t", "SELECT 'a', \"b\" FROM t"),
    ("SELECT a -- b\n FROM t", "SELECT a -- b FROM t"),
    ("SELECT /* */ a", "select /* */ a"),
    ("SELECT `A`", "SELECT `a`"),
    ("SELECT a FROM t", "SELECT\x0ba FROM t"),
    ("SELECT a FROM t", "SELECT\x1ca FROM t"),
    ("SELECT a\x1fFROM t", "SELECT a FROM t"),
    ("SELECT É", "SELECT é"),
    ("SELECT a\xa0FROM t", "SELECT a FROM t"),
]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_case_and_blanks_are_no_difference(one: str, other: str) -> None:
    assert spelled_alike(one, other)
    assert spelled_alike(other, one)


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_everything_else_is_one(one: str, other: str) -> None:
    assert not spelled_alike(one, other)
    assert not spelled_alike(other, one)


def test_values_in_another_case_are_wrong(db_dir: Path) -> None:
    gold = "SELECT name FROM singer WHERE country = 'France'"
    preds = ["SELECT NAME  FROM Singer WHERE Country = 'France' ;", gold.replace("Fr", "fr")]
    report = evaluate([(gold, "music")] * 2, preds, db_dir)
    assert [verdict["exec"] for verdict in report.verdicts] == [1, 0]
