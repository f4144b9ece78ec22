"""The results page's data: tables from run records, questions from the runs themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from text2sql.artifacts import QUESTIONS, VERDICTS
from text2sql.errors import UserError
from text2sql.files import read_json, read_jsonl
from text2sql.paths import build_root, repository_root
from text2sql.question import read_questions
from text2sql.report.record import levels_of
from text2sql.report.table import RECORD, accuracy_table, caption
from text2sql.serve.messages import Refusal


def _records() -> dict[str, Path]:
    """Return record files by the name of their run: published ones, else those of this machine."""
    files = sorted((repository_root() / "results").glob("*.json"))
    published = {path.stem: path for path in files}
    files = sorted((build_root() / "runs").glob(f"*/*/table/{RECORD}"))
    own = {f"{path.parents[2].name}_{path.parents[1].name}": path for path in files}
    return published | own | published


def list_runs() -> list[dict[str, Any]]:
    """Return every run that has a record, with its table and, for charts, its accuracies."""
    return [_run(name, path) for name, path in _records().items()]


def _run(name: str, path: Path) -> dict[str, Any]:
    try:
        record = read_json(path)
        table = accuracy_table(record)
        return {
            "run": name,
            "title": record["title"],
            "dataset": record["dataset"],
            "caption": caption(record),
            "header": table.header,
            "rows": table.rows,
            "levels": levels_of(record),
            "metric": record["metric"]["name"],
            "accuracy": [
                {"name": row["name"], "label": row["label"], "accuracy": row["accuracy"]}
                for row in record["rows"]
            ],
        }
    except (UserError, KeyError, IndexError, TypeError):
        return {"run": name, "error": f"{path.name} is not a record that this version can show"}


def questions(run: str, row: str) -> dict[str, Any]:
    """Return every question of a row, with what was answered and how it was judged.

    Args:
        run: name of a run, as `list_runs` gives it.
        row: name of a row of its table.

    Raises:
        Refusal: there is no such row, or the run's files are not on this machine.
    """
    path = _records().get(run)
    if path is None:
        raise Refusal(404, "not_found", "there is no record of such a run")
    record = read_json(path)
    outcomes = next((entry["outcomes"] for entry in record["rows"] if entry["name"] == row), None)
    if outcomes is None:
        raise Refusal(404, "not_found", "the run's table has no such row")
    folder = build_root() / "runs" / record["profile"] / record["dataset"]
    verdicts = folder / "eval" / row / VERDICTS
    asked = folder / "data" / QUESTIONS
    if not (verdicts.is_file() and asked.is_file()):
        message = "the answers of this run are not on this machine; make reproduce writes them"
        raise Refusal(404, "no_answers", message)
    judged = list(read_jsonl(verdicts))
    right = [int(verdict[record["metric"].get("verdict", "exec")]) for verdict in judged]
    return {
        "run": run,
        "row": row,
        "same_as_record": outcomes == "".join(map(str, right)),
        "questions": [
            {
                "id": verdict["index"],
                "db_id": verdict["db_id"],
                "hardness": verdict["hardness"],
                "question": question.question,
                "gold": verdict["gold"],
                "prediction": verdict["pred"],
                "right": bool(outcome),
                "error": verdict["error"],
                "error_message": verdict["error_message"],
            }
            for question, verdict, outcome in zip(read_questions(asked), judged, right, strict=True)
        ],
    }
