"""Results from run records: tables, and the questions behind a row."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.serve.conftest import Server
from text2sql.files import write_jsonl
from text2sql.question import Question, write_questions
from text2sql.report.record import LEVELS

QUESTIONS = [
    ("How many bikes are there?", "SELECT count(*) FROM bike", 1, None),
    ("Which colours?", "SELECT colour FROM bike", 0, "no_such_column"),
    ("Names of shops?", "SELECT city FROM shop", 0, "wrong_rows"),
]


def write_run(build: Path) -> None:
    """Write what a small run leaves, in the layout that the stages write."""
    folder = build / "runs" / "tiny" / "own"
    for name in ("data", "eval/lora", "table"):
        (folder / name).mkdir(parents=True)
    asked = [Question(n, "shops", q[0], "SELECT 1", []) for n, q in enumerate(QUESTIONS)]
    verdicts = [
        {
            "index": number,
            "db_id": "shops",
            "hardness": "easy",
            "exec": right,
            "gold": "SELECT 1",
            "pred": sql,
            "error": error,
            "error_message": error and "no such column: colour",
        }
        for number, (_, sql, right, error) in enumerate(QUESTIONS)
    ]
    write_questions(folder / "data" / "questions.jsonl", asked)
    write_jsonl(folder / "eval" / "lora" / "verdicts.jsonl", verdicts)
    row = {
        "name": "lora",
        "label": "Tiny LoRA",
        "questions": dict.fromkeys(LEVELS, 3),
        "accuracy": dict.fromkeys(LEVELS, 33.3),
        "outcomes": "100",
    }
    metric = {"name": "execution accuracy", "version": "1", "plug_value": 0, "keep_distinct": 0}
    record = {"title": "Tiny", "profile": "tiny", "dataset": "own", "metric": metric, "rows": [row]}
    record["levels"] = ["easy"] * 3
    (folder / "table" / "record.json").write_text(json.dumps(record))


def test_runs_and_questions(start: Callable[..., Server], build_folder: Path) -> None:
    write_run(build_folder)
    server = start()
    run = next(one for one in server.get("/api/results").json() if one["run"] == "tiny_own")
    assert run["rows"][1][0] == "Tiny LoRA"
    assert run["levels"] == ["easy", "medium", "hard", "extra", "all"]
    found = server.get("/api/results/tiny_own/lora").json()
    assert found["same_as_record"] is True
    assert [one["right"] for one in found["questions"]] == [True, False, False]
    assert found["questions"][1]["error"] == "no_such_column"
    for path in ("tiny_own/other", "nothing/lora", "..%2f..%2fetc/passwd"):
        assert server.get(f"/api/results/{path}").status_code == 404


def test_a_record_without_its_run_says_so(start: Callable[..., Server], build_folder: Path) -> None:
    write_run(build_folder)
    (build_folder / "runs" / "tiny" / "own" / "eval" / "lora" / "verdicts.jsonl").unlink()
    refused = start().get("/api/results/tiny_own/lora")
    assert (refused.status_code, refused.json()["error"]["kind"]) == (404, "no_answers")


def test_a_broken_record_does_not_hide_the_others(
    start: Callable[..., Server], build_folder: Path
) -> None:
    write_run(build_folder)
    other = build_folder / "runs" / "tiny" / "broken" / "table"
    other.mkdir(parents=True)
    (other / "record.json").write_text('{"title": 1')
    runs = {one["run"]: one for one in start().get("/api/results").json()}
    assert "error" in runs["tiny_broken"]
    assert "rows" in runs["tiny_own"]
