"""Joins without need and names out of place, counted from verdicts."""

from __future__ import annotations

from typing import Any

import pytest

from text2sql.report.joins_and_names import count_joins_and_names, joins, joins_and_names_table

SINGLE = "SELECT name FROM owl"
JOINED = "SELECT name FROM owl JOIN nest ON owl.nest_id = nest.id"


def verdict(gold: str, pred: str, right: int, message: str = "", error: str = "") -> dict[str, Any]:
    return {
        "db_id": "owls",
        "gold": gold,
        "pred": pred,
        "exec": right,
        "error": error or None,
        "error_message": message or None,
    }


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (SINGLE, False),
        (JOINED, True),
        ("SELECT 1 FROM owl, nest", True),
        ("SELECT 1 FROM owl WHERE id IN (SELECT a.id FROM nest a JOIN owl b ON 1)", True),
        ("SELECT FROM WHERE (", False),
        ("SELECT " + "(" * 5000, False),
    ],
)
def test_joins(sql: str, expected: bool) -> None:
    assert joins(sql) is expected


def test_counts() -> None:
    verdicts = [
        verdict(SINGLE, SINGLE, 1),
        verdict(SINGLE, JOINED, 1),
        verdict(SINGLE, JOINED, 0, "no such column: T1.Height"),
        verdict(JOINED, JOINED, 1),
        verdict(JOINED, SINGLE, 0, 'no such column: "colour"'),
        verdict(JOINED, SINGLE, 0, "no such table: owls"),
        verdict(JOINED, SINGLE, 0, "interrupted", "timeout"),
    ]
    counts = count_joins_and_names(verdicts, {"owls": frozenset({"height"})}.__getitem__)
    assert (counts.gold_without_join, counts.needless_joins, counts.right_without_join) == (3, 2, 2)
    assert (counts.gold_with_join, counts.right_with_join) == (4, 1)
    assert (counts.column_elsewhere, counts.column_nowhere, counts.unknown_table) == (1, 1, 1)
    assert counts.over_limit == 1
    (row,) = joins_and_names_table({"a row": counts}).rows
    assert row == ["a row", "3", "2", "66.7", "25.0", "1", "1", "1", "1"]
