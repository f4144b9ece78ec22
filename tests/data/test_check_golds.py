"""Wrong and ambiguous gold queries are named; right ones are not."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from text2sql.cli import cli
from text2sql.data.check_golds import KINDS, check_golds, findings_page, plain
from text2sql.data.config import DataConfig
from text2sql.data.limit_ties import limit_cuts
from text2sql.files import read_jsonl, write_json, write_text

SCRIPT = """
CREATE TABLE animal (name TEXT, legs INTEGER, cage INTEGER);
INSERT INTO animal VALUES ('ant', 6, 1), ('bee', 6, 1), ('cat', 4, 2), ('hen', 2, 2), ('eel', 0, 3);
"""
# Question, gold query, the finding expected of it.
CASES = [
    ("Which animals have six legs?", "SELECT name FROM animal WHERE legs = 6", None),
    ("What is gone?", "SELECT nome FROM animal", "fails"),
    ("Which animal is a dog?", "SELECT name FROM animal WHERE name = 'dog'", "empty"),
    ("Most legs?", "SELECT name FROM animal ORDER BY legs DESC LIMIT 1", "limit_tie"),
    ("How many legs at most?", "SELECT legs FROM animal ORDER BY legs DESC LIMIT 1", None),
    ("Two with most legs?", "SELECT name FROM animal ORDER BY legs DESC LIMIT 2", None),
    ("Least legs?", "SELECT name FROM animal ORDER BY legs LIMIT 1", None),
    ("Second least?", "SELECT name FROM animal ORDER BY legs LIMIT 1 OFFSET 3", "limit_tie"),
    ("Third least?", "SELECT name FROM animal ORDER BY legs LIMIT 1 OFFSET 2", None),
    (
        "Fullest cage?",
        "SELECT cage FROM animal GROUP BY cage ORDER BY count(*) DESC LIMIT 1",
        "limit_tie",
    ),
    (
        "Those of the fullest cage?",
        "SELECT name FROM animal WHERE cage = (SELECT cage AS c FROM animal GROUP BY c"
        " ORDER BY count(*) DESC LIMIT 1)",
        "limit_tie",
    ),
    ("All?", "SELECT name FROM animal ORDER BY legs DESC LIMIT 9", None),
    ("Everything?", "SELECT * FROM animal ORDER BY 2 DESC LIMIT 1", "limit_tie"),
    ("Number of animals?", "SELECT count(*) FROM animal", None),
    ("What is the number of the animals?", "SELECT count(*) - 1 FROM animal", "differs"),
    ("Give me the number of animals", "SELECT sum(1) FROM animal", None),
    ("Sum of legs?", "SELECT sum(legs) FROM animal", None),
    ("What is the sum of legs?", "SELECT 18 FROM animal LIMIT 1", "differs_on_suites"),
]


def make(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


@pytest.fixture
def config(tmp_path: Path) -> DataConfig:
    make(tmp_path / "database" / "zoo" / "zoo.sqlite", SCRIPT)
    more = f"{SCRIPT} INSERT INTO animal VALUES ('ape', 2, 3);"
    make(tmp_path / "suites" / "zoo" / "zoo.sqlite", SCRIPT)
    make(tmp_path / "suites" / "zoo" / "zoo_1.sqlite", more)
    rows = [{"db_id": "zoo", "question": asked, "query": sql} for asked, sql, _ in CASES]
    write_json(tmp_path / "dev.json", rows)
    write_json(tmp_path / "train.json", rows[:3])
    files = {"train": [str(tmp_path / "train.json")], "evaluation": str(tmp_path / "dev.json")}
    return DataConfig.model_validate(files | {"database": str(tmp_path / "database")})


def test_each_wrong_gold_is_named_and_no_right_one(config: DataConfig, tmp_path: Path) -> None:
    checks = check_golds(config, tmp_path / "suites")
    found = {finding.number: finding.kind for finding in checks.findings}
    assert found == {n: kind for n, (_, _, kind) in enumerate(CASES) if kind}
    assert (checks.questions, checks.variants, checks.unchecked_limits) == (len(CASES), 2, 0)
    assert sum(checks.counts().values()) == len(found)
    page = findings_page("zoo", checks)
    assert "- 1 (zoo): What is gone? `SELECT nome FROM animal`\n  - no such column: nome" in page
    assert "question 13: SELECT count(*) FROM animal" in page
    assert all(f"## {kind}: " in page for kind in KINDS)


def test_without_suites_and_of_training_questions(config: DataConfig) -> None:
    checks = check_golds(config)
    assert checks.counts()["differs_on_suites"] == checks.variants == 0
    assert [finding.kind for finding in check_golds(config, training=True).findings] == [
        "fails",
        "empty",
    ]


def test_limits_that_cannot_be_looked_into_are_counted() -> None:
    union = "SELECT a FROM t UNION SELECT b FROM u ORDER BY 1 LIMIT 1"
    distinct = "SELECT DISTINCT a FROM t ORDER BY b LIMIT 1"
    computed = "SELECT a FROM t ORDER BY b LIMIT (SELECT 1)"
    assert [limit_cuts(sql) for sql in (union, distinct, computed)] == [([], 1)] * 3
    assert limit_cuts("not SQL (") == limit_cuts("SELECT a FROM t LIMIT 1") == ([], 0)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("How many singers are there?", "Show me how many singers", True),
        ("Name of the singer's songs", "Names of songs of the singers", False),
        ("Songs not by Ana", "Songs by Ana", False),
        ("What is it?", "Which is that?", False),
        ("有多少歌手?", "有多少歌手", True),
    ],
)
def test_equal_questions(one: str, other: str, same: bool) -> None:
    assert (plain(one) == plain(other)) is same


def test_the_command_writes_a_page_and_lines(
    config: DataConfig, tmp_path: Path, build_folder: Path
) -> None:
    write_text(tmp_path / "zoo.yaml", config.model_dump_json(exclude_none=True))
    result = CliRunner().invoke(cli, ["dataset", "check-golds", str(tmp_path / "zoo.yaml")])
    assert result.exit_code == 0, result.output
    assert "     1 does not run" in result.output
    folder = build_folder / "data" / "golds" / "zoo"
    assert len(list(read_jsonl(folder / "golds.jsonl"))) == sum(bool(k) for *_, k in CASES) - 1
    assert "# Gold queries of zoo" in (folder / "golds.md").read_text()
    arguments = ["dataset", "check-golds", str(tmp_path / "zoo.yaml"), "--suites", "nowhere"]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 2 and "make test-suite" in result.output
