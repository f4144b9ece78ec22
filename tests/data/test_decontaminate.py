"""Planted leaks are found at their level; clean rows are not."""

from __future__ import annotations

import pytest

from text2sql.data.config import DecontaminationConfig
from text2sql.data.decontaminate import Decontaminator, skeleton
from text2sql.data.rows import Row

NAMES = frozenset({("owl", "id"), ("owl", "name"), ("owl", "weight")})
QUESTION = "Which of the snow owls in the northern forest weigh more than two kilograms?"
EVALUATION = [Row("dev", 1, QUESTION, "SELECT name FROM owl WHERE weight > 2", db_id="owls")]
OTHER_DDL = "CREATE TABLE boat (id INT, length REAL)"
SAME_DDL = (
    'CREATE TABLE "Owl" (id INT, name TEXT, -- x, y\n weight DECIMAL(5, 2), PRIMARY KEY (id))'
)
CLEAN = Row("train", 9, "How long is the longest boat?", "SELECT max(length) FROM boat", OTHER_DDL)


def leaked(level: str, row: Row) -> bool:
    config = DecontaminationConfig(levels=(level,))  # type: ignore[arg-type]
    return Decontaminator(config, EVALUATION, lambda _: NAMES).check(row) == level


@pytest.mark.parametrize(
    ("level", "row"),
    [
        ("exact", Row("t", 1, QUESTION, "SELECT 1", OTHER_DDL)),
        ("normalized", Row("t", 1, "  " + QUESTION.upper().replace("?", " !"), "x", OTHER_DDL)),
        ("ngram", Row("t", 1, f"Please tell me: {QUESTION} Thanks a lot.", "x", OTHER_DDL)),
        ("minhash", Row("t", 1, QUESTION.replace("two", "2"), "x", OTHER_DDL)),
        ("skeleton", Row("t", 1, "?", "select id from Owl where name > 'a' ;", SAME_DDL)),
        ("schema", Row("t", 1, "?", "SELECT 1", SAME_DDL)),
    ],
)
def test_planted_leak_is_found(level: str, row: Row) -> None:
    assert leaked(level, row)
    assert not leaked(level, CLEAN)


def test_skeleton_needs_the_same_schema() -> None:
    row = Row("t", 1, "?", "SELECT id FROM boat WHERE length > 3", OTHER_DDL)
    assert skeleton(row.sql) == skeleton(EVALUATION[0].sql)
    assert not leaked("skeleton", row)


def test_exact_level_alone_lets_the_rest_through() -> None:
    assert not leaked("exact", Row("t", 1, QUESTION.upper(), "x", OTHER_DDL))


def test_report_counts_and_shows() -> None:
    config = DecontaminationConfig(levels=("exact", "normalized"))
    judge = Decontaminator(config, EVALUATION, lambda _: NAMES)
    judge.check(Row("t", 4, QUESTION, "SELECT 1", OTHER_DDL))
    judge.check(CLEAN)
    report = judge.report()
    assert (report["checked"], report["removed"]) == (2, 1)
    assert report["found_by_level"] == {"exact": 1, "normalized": 1}
    assert report["examples"]["exact"][0]["row"] == 4
