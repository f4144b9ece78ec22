"""Execution accuracy and test-suite accuracy side by side: eval stage, table, error report."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from test_suite_sql_eval.distill.suite import make_suites

from text2sql.errors import UserError
from text2sql.evaluate import SCORES, VERDICTS, run
from text2sql.files import read_json, read_jsonl, write_jsonl
from text2sql.pipeline.registry import build_graph
from text2sql.profile import load_profile
from text2sql.progress import Progress
from text2sql.question import Question, write_questions
from text2sql.report.error_analysis import error_report
from text2sql.report.record import LEVELS
from text2sql.report.table import accuracy_table, render_table
from text2sql.run import Run
from text2sql.stage import Job, Stage

GOLD = "SELECT name FROM singer WHERE age > 45"
FORGIVEN = "SELECT name FROM singer WHERE age > 46"
WRONG = "SELECT age FROM singer WHERE age > 45"


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """An eval stage with three answers to one question: right, forgiven, wrong."""
    database = tmp_path / "database" / "music" / "music.sqlite"
    database.parent.mkdir(parents=True)
    connection = sqlite3.connect(database)
    connection.executescript(
        "CREATE TABLE singer (id INTEGER PRIMARY KEY, name TEXT, age INTEGER);"
        "INSERT INTO singer VALUES (1, 'Ana', 31), (2, 'Bo', 24), (3, 'Cy', 52);"
    )
    connection.close()
    for name in ("data", "predictions", "output"):
        (tmp_path / name).mkdir()
    gold = tmp_path / "data" / "gold.sql"
    gold.write_text(f"{GOLD}\tmusic\n" * 3, encoding="utf-8")
    questions = [Question(number, "music", "?", GOLD, []) for number in range(3)]
    write_questions(tmp_path / "data" / "questions.jsonl", questions)
    write_jsonl(tmp_path / "data" / "gold.jsonl", [{"query": GOLD, "db_id": "music"}] * 3)
    predictions = tmp_path / "predictions" / "predictions.jsonl"
    write_jsonl(predictions, [{"sql": sql} for sql in (GOLD, FORGIVEN, WRONG)])
    make_suites(tmp_path / "database", gold, tmp_path / "suites")
    settings = {
        "jobs": 1,
        "databases": str(tmp_path / "database"),
        "test_suite": str(tmp_path / "suites"),
    }
    stage = Stage("eval:x", "eval", {}, tmp_path / "output", settings=settings)
    inputs = {"data": gold.parent, "predictions": predictions.parent}
    return Job(stage, inputs, stage.output, Progress(stage.output))


def test_the_eval_stage_judges_on_both_sets_and_keeps_the_witness(job: Job) -> None:
    assert run(job) == {
        "questions": 3,
        "execution_accuracy": 66.67,
        "test_suite_accuracy": 33.33,
    }
    scores = read_json(job.output / SCORES)
    for judged in (scores, scores["test_suite"]):  # each question is an interaction of its own
        assert judged["scores"]["joint_all"]["exec"] == judged["scores"]["all"]["exec"]
        assert judged["scores"]["joint_all"]["count"] == 3
    prints = [scores["database_set"]["sha256"], scores["test_suite"]["database_set"]["sha256"]]
    assert prints[0] != prints[1]
    right, forgiven, wrong = read_jsonl(job.output / VERDICTS)
    assert right["test_suite"]["exec"] == 1
    assert (forgiven["exec"], forgiven["witness"]) == (1, None)
    witness = forgiven["test_suite"]["witness"]
    assert witness["database"].startswith("music_")
    assert witness["gold_only"] and not witness["pred_only"]
    assert wrong["witness"]["database"] == "music.sqlite"
    text = error_report(
        "A row", [right, forgiven, wrong], ["a?", "b?", "c?"], lambda _: frozenset()
    )
    assert "1 of 3 answers are wrong." in text
    assert "## Right on the plain database, wrong on the test suite\n\n1 answers, 33.3 %" in text
    assert f"-- on {witness['database']}\n-- only the gold gives (" in text
    assert "-- only the prediction gives (52,)" in text


def test_a_missing_suite_is_one_line(job: Job, tmp_path: Path) -> None:
    job.stage.settings["test_suite"] = str(tmp_path / "none")
    with pytest.raises(
        UserError, match=r"none: no test suite here; make it with 'make test-suite'"
    ):
        run(job)


def test_a_profile_names_its_suite() -> None:
    loaded = load_profile("smollm2-135m")
    evaluation = loaded.evaluation.model_copy(update={"test_suite": "build/test-suites/sample"})
    profile = loaded.model_copy(update={"evaluation": evaluation})
    graph = build_graph(Run(profile, "sample"))
    stages = [stage for stage in graph.values() if stage.kind == "eval"]
    assert stages
    for stage in stages:
        assert stage.settings["test_suite"].endswith("build/test-suites/sample")
        assert len(stage.databases) == 2


def record() -> dict[str, Any]:
    row = {
        "name": "a",
        "label": "A",
        "questions": dict.fromkeys(LEVELS, 2),
        "accuracy": dict.fromkeys(LEVELS, 50.0),
        "test_suite_accuracy": dict.fromkeys(LEVELS, 25.0),
        "outcomes": "10",
        "further_metrics": {"execution_success": 1.0},
        "cost": {
            "seconds_per_1000_questions": 1.0,
            "tokens_per_second": None,
            "inference_peak_memory_mb": 1,
        },
    }
    manifest = {
        "git": {"sha": "0123456789", "dirty": False},
        "hardware": {"cores": 2, "cpu": "a CPU", "gpus": []},
        "seconds": 60.0,
    }
    return {
        "title": "T",
        "dataset": "d",
        "metric": {
            "name": "execution accuracy",
            "version": "1.0",
            "plug_value": True,
            "keep_distinct": False,
        },
        "database_set": {"sha256": "a" * 64, "databases": {"x": {"variants": 1}}},
        "test_suite_set": {"sha256": "b" * 64, "databases": {"x": {"variants": 9}}},
        "levels": ["easy", "easy"],
        "rows": [row],
        "stages": {"eval": manifest},
    }


def test_the_table_shows_both_accuracies_and_both_fingerprints() -> None:
    table = accuracy_table(record())
    assert table.header[-5:] == ["TS Easy", "TS Medium", "TS Hard", "TS Extra", "TS All"]
    assert table.rows[1] == ["A", *["50.0"] * 5, *["25.0"] * 5]
    text = render_table(record())
    assert "execution accuracy, and test-suite accuracy (TS) in per cent" in text
    assert f"1 SQLite files, SHA-256 {'a' * 12}; TS: 1 databases, 9 SQLite files" in text
    assert f"SHA-256 {'b' * 12}" in text


def test_a_record_without_a_suite_has_one_accuracy() -> None:
    plain = record() | {"test_suite_set": None}
    assert accuracy_table(plain).header == ["Model", "Easy", "Medium", "Hard", "Extra", "All"]
    assert "TS" not in render_table(plain)
