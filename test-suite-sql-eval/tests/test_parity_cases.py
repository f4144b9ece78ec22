"""Single cases: official oddities that are kept, and official crashes with the promised verdict."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_suite_sql_eval.api import Settings, evaluate


def _verdict(tmp_path: Path, db_dir: Path, gold: str, pred: str, **settings: bool) -> int:
    (tmp_path / "gold.txt").write_text(f"{gold}\tmusic\n")
    (tmp_path / "pred.txt").write_text(pred + "\n")
    chosen = Settings(jobs=1, **settings)  # type: ignore[arg-type]
    paths = (str(tmp_path / "gold.txt"), str(tmp_path / "pred.txt"), str(db_dir))
    return int(evaluate(*paths, settings=chosen).verdicts[0]["exec"])


@pytest.mark.parametrize(
    ("gold", "pred", "settings", "expected"),
    [
        # order: textual, sub-queries included
        ("SELECT name FROM singer ORDER BY age", "SELECT name FROM singer", {}, 0),
        ("SELECT name FROM singer", "SELECT name FROM singer ORDER BY age", {}, 1),
        (
            "SELECT name FROM singer WHERE id IN (SELECT id FROM singer ORDER BY age)",
            "SELECT name FROM singer ORDER BY name DESC",
            {},
            0,
        ),
        # both empty
        ("SELECT name FROM singer WHERE id = 99", "SELECT 1, 2, 3 WHERE 0", {}, 1),
        ("SELECT name FROM singer WHERE id = 99", "-- nothing", {}, 1),
        # but a statement that is not a query is never right
        ("SELECT name FROM singer WHERE id = 99", "BEGIN", {}, 0),
        ("SELECT name FROM singer WHERE id = 99", "DELETE FROM singer", {}, 0),
        # columns may be permuted
        ("SELECT name, age FROM singer", "SELECT age, name FROM singer", {}, 1),
        ("SELECT name, age FROM singer", "SELECT name FROM singer", {}, 0),
        # DISTINCT
        ("SELECT DISTINCT country FROM singer", "SELECT country FROM singer", {}, 1),
        (
            "SELECT DISTINCT country FROM singer",
            "SELECT country FROM singer",
            {"keep_distinct": True},
            0,
        ),
        # operators, the word value, the current year
        (
            "SELECT name FROM singer WHERE age >= 31",
            "SELECT name FROM singer WHERE age > = 31",
            {},
            1,
        ),
        ("SELECT name FROM singer WHERE id = 1", "SELECT name FROM singer WHERE id = value", {}, 1),
        ("SELECT 2020", "SELECT YEAR(CURDATE())", {}, 1),
        # statements
        ("SELECT count(*) FROM singer", "SELECT count(*) FROM singer; SELECT 1", {}, 1),
        (
            "SELECT count(*) FROM singer",
            "SELECT count(*) FROM singer; SELECT 1",
            {"keep_distinct": True},
            0,
        ),
        (
            "SELECT count(*) FROM singer;",
            "SELECT COUNT(*) FROM singer;;",
            {"keep_distinct": True, "plug_value": True},
            1,
        ),
        # values
        ("SELECT name FROM singer WHERE id = 2", "SELECT name FROM singer WHERE id = 3", {}, 0),
        (
            "SELECT name FROM singer WHERE id = 2",
            "SELECT name FROM singer WHERE id = 3",
            {"plug_value": True},
            1,
        ),
        (
            "SELECT name FROM singer WHERE country = 'France' AND age > 40",
            "SELECT name FROM singer WHERE age > 1 AND country = 'x'",
            {"plug_value": True},
            1,
        ),
        # the official program stops here with an IndexError
        ("SELECT name FROM singer", "; SELECT name FROM singer", {"plug_value": True}, 0),
    ],
)
def test_case(
    tmp_path: Path, db_dir: Path, gold: str, pred: str, settings: dict[str, bool], expected: int
) -> None:
    assert _verdict(tmp_path, db_dir, gold, pred, **settings) == expected
