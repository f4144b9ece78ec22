"""BIRD's metrics: their definitions, files in BIRD's shape, and BIRD's own programs beside them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from math import sqrt
from pathlib import Path
from typing import Any

import pytest
from test_suite_sql_eval.bird import BirdSettings, judge
from test_suite_sql_eval.bird.cli import main, read_levels
from test_suite_sql_eval.bird.metrics import r_ves, reward, soft_f1, time_ratio
from test_suite_sql_eval.errors import InputError

COMPARE = Path(__file__).resolve().parents[1] / "benchmarks" / "bird_official.py"
NAMES = "SELECT name FROM singer"
# Gold, prediction, EX and Soft-F1 by hand.
CASES: list[tuple[str, str, int, float]] = [
    (NAMES, NAMES, 1, 1.0),
    (NAMES, f"{NAMES} UNION ALL {NAMES}", 1, 1.0),  # the same set of rows
    ("SELECT name, country FROM singer", "SELECT country, name FROM singer", 0, 1.0),
    ("SELECT name FROM singer WHERE id < 3", "SELECT name, age FROM singer WHERE id < 3", 0, 2 / 3),
    ("SELECT name FROM singer WHERE id = 1", "SELECT name FROM singer WHERE id < 3", 0, 2 / 3),
    ("SELECT name FROM singer WHERE id < 3", "SELECT name FROM singer WHERE id = 9", 0, 0.0),
    ("SELECT name FROM singer WHERE id = 9", "SELECT age FROM singer WHERE id = 9", 1, 1.0),
    (NAMES, "SELECT nome FROM singer", 0, 0.0),
    (NAMES, "DROP TABLE singer", 0, 0.0),
]


@pytest.fixture
def files(tmp_path: Path, db_dir: Path) -> dict[str, str]:
    """The cases as files of BIRD's shape: dev.json, its .sql and .jsonl, predictions, databases."""
    levels = ("simple", "moderate", "challenging")
    records = [
        {"question_id": n, "db_id": "music", "question": "?", "evidence": "", "SQL": gold}
        | {"difficulty": levels[n % 3]}
        for n, (gold, *_) in enumerate(CASES)
    ]
    answers = {str(n): f"{case[1]}\t----- bird -----\tmusic" for n, case in enumerate(CASES)}
    written = {
        "dev.json": json.dumps(records),
        "dev.jsonl": "".join(json.dumps(record) + "\n" for record in records),
        "dev.sql": "".join(f"{record['SQL']}\tmusic\n" for record in records),
        "pred.json": json.dumps(answers),
    }
    for name, text in written.items():
        (tmp_path / name).write_text(text)
    return {name: str(tmp_path / name) for name in written} | {"db": str(db_dir)}


@pytest.mark.parametrize(
    ("gold", "pred", "f1"),
    [
        ([], [], 1.0),
        ([(1,)], [], 0.0),
        ([], [(1,)], 0.0),
        ([(1, "a")], [("a", 1)], 1.0),
        ([(1,), (2,)], [(2,), (1,)], 0.0),  # rows are paired by their place
        ([(1,), (1,), (2,)], [(1,), (2,)], 1.0),  # repeated rows do not count
        ([("a", 325), ("b", None)], [(325, "a"), (191, "b")], 3 / 4),
        ([(1, 2)], [(1, 1)], 4 / 5),  # a value twice in a row counts twice: 2/2 and 0 against 1/2
    ],
)
def test_soft_f1(gold: Any, pred: Any, f1: float) -> None:
    assert soft_f1(gold, pred) == pytest.approx(f1)


def test_rewards_and_their_mean() -> None:
    assert [reward(x) for x in (3, 2, 1.99, 1, 0.99, 0.5, 0.49, 0.25, 0.1)] == [
        1.25, 1.25, 1, 1, 0.75, 0.75, 0.5, 0.5, 0.25,
    ]  # fmt: skip
    assert r_ves([1.25, 0.25, 0.0]) == pytest.approx((sqrt(1.25) + 0.5) / 3)
    assert r_ves([]) == 0.0


def test_a_run_that_something_held_up_does_not_count() -> None:
    usual = [1.0 + 0.01 * (n % 3) for n in range(99)]
    assert time_ratio([*usual, 90.0], [1.0] * 100) == pytest.approx(1.01)
    assert time_ratio([2.0, 2.0], [1.0, 1.0]) == 2.0


def test_files_in_birds_shape(files: dict[str, str]) -> None:
    levels = read_levels(files["dev.jsonl"])
    for gold in ("dev.json", "dev.sql"):
        report = judge(files[gold], files["pred.json"], files["db"], levels=levels)
        for verdict, (_, pred, ex, f1) in zip(report.verdicts, CASES, strict=True):
            assert (verdict["ex"], verdict["soft_f1"]) == (ex, pytest.approx(f1)), pred
    assert [v["error"] for v in report.verdicts[-2:]] == ["no_such_column", "forbidden"]
    assert list(report.scores) == ["simple", "moderate", "challenging", "all"]
    assert report.scores["all"]["ex"] == sum(ex for _, _, ex, _ in CASES) / len(CASES)
    assert "r_ves" not in report.scores["all"]


def test_r_ves_times_right_questions_alone(files: dict[str, str]) -> None:
    report = judge(files["dev.sql"], files["pred.json"], files["db"], BirdSettings(iterations=3))
    for verdict in report.verdicts:
        assert (verdict["reward"] > 0) == (verdict["time_ratio"] is not None) == bool(verdict["ex"])
    assert report.scores["all"]["r_ves"] == r_ves([v["reward"] for v in report.verdicts]) > 0
    assert "R-VES" in report.text()


def test_a_gold_query_that_fails_counts_as_wrong_and_is_named(
    files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    text = Path(files["dev.sql"]).read_text()
    Path(files["dev.sql"]).write_text(text.replace(NAMES, "SELECT x FROM singer", 1))
    arguments = ["--gold", files["dev.sql"], "--levels", files["dev.json"]]
    arguments += ["--pred", files["pred.json"], "--db", files["db"]]
    out = Path(files["dev.sql"]).with_name("scores.json")
    assert main([*arguments, "--output", str(out), "--verdicts", str(out) + "l"]) == 0
    shown = capsys.readouterr()
    assert "question 0: the gold query fails: no such column: x" in shown.err
    assert "Soft-F1" in shown.out
    assert json.loads(out.read_text())["scores"]["all"]["count"] == len(CASES)
    assert len(Path(str(out) + "l").read_text().splitlines()) == len(CASES)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"--iterations": "1"}, "iterations must be 0 or at least 2"),
        ({"--levels": "no.json"}, "cannot read the file"),
        ({"--levels": "pred.json"}, "not records with a difficulty"),
        ({"--db": "."}, "no database file"),
    ],
)
def test_a_mistake_is_one_line(
    files: dict[str, str],
    change: dict[str, str],
    words: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(Path(files["dev.sql"]).parent)
    given = {"--gold": "dev.sql", "--pred": "pred.json", "--db": files["db"]} | change
    assert main([word for pair in given.items() for word in pair]) == 2
    assert words in capsys.readouterr().err


def test_as_many_levels_as_questions(files: dict[str, str]) -> None:
    with pytest.raises(InputError, match="1 levels for 9 questions"):
        judge(files["dev.sql"], files["pred.json"], files["db"], levels=["simple"])


def test_the_same_figures_as_birds_own_programs(files: dict[str, str]) -> None:
    """EX and Soft-F1 to BIRD's two digits, by level; the program exits with 1 where they differ."""
    checkout = os.environ.get("OFFICIAL_BIRD_DIR")
    if not checkout or not (Path(checkout) / "evaluation" / "evaluation_f1.py").is_file():
        pytest.skip("BIRD's programs are not here: set OFFICIAL_BIRD_DIR to bird-bench/mini_dev")
    python = os.environ.get("OFFICIAL_BIRD_PYTHON", sys.executable)
    answers = Path(files["pred.json"]).read_text()  # BIRD's programs would really drop the table
    Path(files["pred.json"]).write_text(answers.replace("DROP TABLE", "SELECT"))
    arguments = ["--official", checkout, "--python", python, "--gold", files["dev.sql"]]
    arguments += ["--pred", files["pred.json"], "--levels", files["dev.jsonl"], "--db", files["db"]]
    done = subprocess.run(
        [sys.executable, str(COMPARE), *arguments, "--rounds", "1"], text=True, capture_output=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("R-VES") == 2
