"""Spider 2.0-lite's SQLite part: its files, its rule, and what cannot be scored."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from test_suite_sql_eval.spider2 import judge, read_instances
from test_suite_sql_eval.spider2.cli import main

# Id, condition columns, ignore_order, gold results by file, and a right query on `music`.
CASES: list[tuple[str, Any, bool, dict[str, str], str]] = [
    ("local001", [], True, {"local001": "n\n5\n"}, "SELECT count(*) AS singers FROM singer"),
    (
        "local002",
        [1],
        True,
        {"local002": "i,name\n9,Bo\n9,Ana\n"},
        "SELECT age, name FROM singer WHERE id < 3",
    ),
    (
        "local003",
        [[0], [1]],
        False,
        {"local003_a": "x\n7\n", "local003_b": "x,mean\n7,35.2\n"},
        "SELECT avg(age) AS mean FROM singer",
    ),
    ("local004", [], False, {"local004": "c\nFrance\n\n"}, "SELECT country FROM singer"),
]


@pytest.fixture
def folder(tmp_path: Path, music: Path) -> Path:
    """A checkout's spider2-lite/ with the cases, and questions that cannot be scored."""
    root = tmp_path / "spider2-lite"
    gold = root / "evaluation_suite" / "gold"
    databases = root / "resource" / "databases" / "spider2-localdb"
    for place in (gold / "exec_result", databases):
        place.mkdir(parents=True)
    shutil.copy(music, databases / "music.sqlite")
    questions = [{"instance_id": case[0], "db": "music", "question": "?"} for case in CASES]
    questions += [
        {"instance_id": "bq001", "db": "ga4", "question": "?", "external_knowledge": "a.md"},
        {"instance_id": "local009", "db": "gone", "question": "?", "external_knowledge": None},
        {"instance_id": "local010", "db": "music", "question": "?"},
        {"instance_id": "local011", "db": "music", "question": "?"},
    ]
    standards = [
        {"instance_id": name, "condition_cols": columns, "ignore_order": order}
        for name, columns, order, *_ in CASES
    ]
    standards += [{"instance_id": f"local0{n}", "condition_cols": []} for n in ("09", "10")]
    lines = "".join(json.dumps(question) + "\n" for question in questions)
    (root / "spider2-lite.jsonl").write_text(lines)
    lines = "".join(json.dumps(standard) + "\n" for standard in standards)
    (gold / "spider2lite_eval.jsonl").write_text(lines)
    for *_, results, _query in CASES:
        for name, text in results.items():
            (gold / "exec_result" / f"{name}.csv").write_text(text)
    (gold / "exec_result" / "local009.csv").write_text("n\n1\n")
    return root


def scores(folder: Path, predictions: dict[str, str]) -> dict[str, int]:
    verdicts = judge(read_instances(folder), predictions)
    return {verdict["instance_id"]: verdict["score"] for verdict in verdicts}


def test_right_queries(folder: Path) -> None:
    right = {case[0]: case[-1] for case in CASES}
    right["local004"] = "SELECT country FROM singer WHERE id = 1 UNION ALL SELECT ''"
    # An empty line of a CSV file is no row there, so the empty text is missing in both.
    assert scores(folder, right) == {
        "local001": 1, "local002": 1, "local003": 1, "local004": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "query", "right"),
    [
        ("local001", "SELECT 1, 5.009", 1),  # a further column, and within a hundredth
        ("local001", "SELECT 5.02", 0),
        ("local001", "SELECT 5 UNION ALL SELECT 5", 0),
        ("local002", "SELECT name FROM singer WHERE id < 3 ORDER BY id DESC", 1),
        ("local002", "SELECT 9, 9", 0),  # columns without a condition do not count
        ("local003", "SELECT 7", 1),  # one of two gold results
        ("local004", "SELECT 'France'", 1),
        ("local004", "SELECT 'Norway'", 0),
        ("local001", "SELECT nothing", 0),
        ("local001", "DELETE FROM singer", 0),
    ],
)
def test_the_rule(folder: Path, name: str, query: str, right: int) -> None:
    assert scores(folder, {name: query})[name] == right


def test_order_counts_unless_it_is_to_be_ignored(folder: Path) -> None:
    standards = folder / "evaluation_suite" / "gold" / "spider2lite_eval.jsonl"
    query = "SELECT name FROM singer WHERE id < 3 ORDER BY id"  # the gold result has Bo first
    assert scores(folder, {"local002": query})["local002"] == 1
    standards.write_text(standards.read_text().replace("true", "false"))
    assert scores(folder, {"local002": query})["local002"] == 0


def test_what_cannot_be_scored_is_counted_and_named(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pred").mkdir()
    (tmp_path / "pred" / "local001.sql").write_text("SELECT 5")
    (tmp_path / "pred" / "local003.csv").write_text("x\n7\n")
    out = tmp_path / "scores.json"
    arguments = ["--folder", str(folder), "--pred", str(tmp_path / "pred"), "--output", str(out)]
    assert main([*arguments, "--verdicts", str(tmp_path / "verdicts.jsonl")]) == 0
    shown = capsys.readouterr().out
    assert "8 questions, 7 of them on SQLite, 4 scored\nright: 2 (50.00 %)" in shown
    assert "without a prediction, counted as wrong: 2" in shown
    assert json.loads(out.read_text())["unscored"] == {
        "not on SQLite": ["bq001"],
        "no database file gone.sqlite": ["local009"],
        "no gold result": ["local010"],
        "no standard in the evaluation suite": ["local011"],
    }
    assert len((tmp_path / "verdicts.jsonl").read_text().splitlines()) == 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--folder", "nowhere", "--pred", "."], "give the folder spider2-lite"),
        (["--folder", "FOLDER", "--pred", "nowhere"], "not JSON Lines of instance_id and sql"),
        (["--folder", "FOLDER", "--pred", "FOLDER"], "holds no <instance id>.sql"),
    ],
)
def test_a_mistake_is_one_line(
    folder: Path, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [str(folder) if each == "FOLDER" else each for each in arguments]
    assert main(given) == 2
    assert words in capsys.readouterr().err
