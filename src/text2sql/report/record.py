"""The record of a whole run: scores of every row and the manifests of all stages behind them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from text2sql.evaluate import SCORES
from text2sql.files import read_json
from text2sql.records import read_manifest

if TYPE_CHECKING:
    from text2sql.graph import Stage

LEVELS = ("easy", "medium", "hard", "extra", "all")
LEVEL_TITLES = ("Easy", "Medium", "Hard", "Extra", "All")


def build_record(table: Stage) -> dict[str, Any]:
    """Collect what the results table says and what it rests on.

    Args:
        table: the table stage; its inputs are the evaluations, by row name.

    Returns:
        Title, metric, database set, rows with counts and execution accuracy (per cent) by level,
        and the manifests of the stages by name.
    """
    evaluations = {name: read_json(stage.output / SCORES) for name, stage in table.inputs.items()}
    first = next(iter(evaluations.values()))
    return {
        "title": table.config["title"],
        "profile": table.config["profile"],
        "dataset": table.config["dataset"],
        "metric": {
            "name": "execution accuracy",
            "version": first["metrics_version"],
            "plug_value": first["settings"]["plug_value"],
            "keep_distinct": first["settings"]["keep_distinct"],
            "sqlite": first["sqlite_version"],
        },
        "database_set": first["database_set"],
        "rows": [_row(row, evaluations[row["name"]]) for row in table.config["rows"]],
        "stages": _manifests(table),
    }


def _row(row: dict[str, str], evaluation: dict[str, Any]) -> dict[str, Any]:
    scores = evaluation["scores"]
    return {
        "name": row["name"],
        "label": row["label"],
        "questions": {level: scores[level]["count"] for level in LEVELS},
        "execution_accuracy": {level: round(100 * scores[level]["exec"], 2) for level in LEVELS},
        "further_metrics": evaluation["metrics"],
    }


def _manifests(table: Stage) -> dict[str, Any]:
    """Manifests of all stages the table rests on, without what would only bloat the record."""
    found: dict[str, Any] = {}

    def visit(stage: Stage) -> None:
        for needed in stage.inputs.values():
            visit(needed)
        manifest = read_manifest(stage.output)
        if manifest is not None and stage.name not in found:
            found[stage.name] = {k: v for k, v in manifest.items() if k != "stage"}

    for stage in table.inputs.values():
        visit(stage)
    return found


def commits(record: dict[str, Any]) -> list[str]:
    """Return the commits the stages ran at, short, with ``+`` where the checkout was changed."""
    states = [manifest["git"] for manifest in record["stages"].values()]
    return sorted({f"{(s['sha'] or 'none')[:10]}{'+' if s['dirty'] else ''}" for s in states})


def total_seconds(record: dict[str, Any]) -> float:
    """Return the time all stages took together; side by side they take less on the clock."""
    return float(sum(manifest["seconds"] for manifest in record["stages"].values()))


def load_record(path: Path) -> dict[str, Any]:
    """Read a record file."""
    record: dict[str, Any] = read_json(path)
    return record
