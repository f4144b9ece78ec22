"""The text-table stage: BLEU-4 and ROUGE of the rows, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from text2sql.files import read_json, write_json, write_text
from text2sql.infer.text_metrics import METRICS
from text2sql.records import read_manifest
from text2sql.report.formats import Table, markdown_text
from text2sql.run import Run
from text2sql.stage import Graph, Job, Stage, StageKind

FILE, RECORD = "text_metrics.md", "text_metrics.json"


def run(job: Job) -> dict[str, Any]:
    """Write text_metrics.json and text_metrics.md from the records of the rows' text metrics."""
    rows = [
        row | (read_manifest(job.inputs[row["name"]]) or {})["details"]
        for row in job.config["rows"]
    ]
    write_json(job.output / RECORD, rows)
    write_text(job.output / FILE, text_table(rows))
    return {"rows": len(rows)}


def text_table(rows: list[dict[str, Any]]) -> str:
    """Return text metrics (per cent) as Markdown, a line a row of the results table."""
    cells = [[row["label"], *(f"{row[name]:.1f}" for name in METRICS)] for row in rows]
    return markdown_text(Table(["Model", *METRICS], cells)) + "\n"


def published_metrics(run_folder: Path) -> list[dict[str, Any]] | None:
    """Return the text metrics of a run's rows, where they were measured."""
    path = run_folder / "text-table" / RECORD
    return read_json(path) if path.is_file() else None


def _stage(graph: Graph, key: str) -> Stage:
    rows = [row for row in graph.run.rows if row.retrieval is None]
    labels = [row.model_dump(include={"name", "label"}) for row in rows]
    inputs = {row.name: graph.stage("text-metrics", row.name) for row in rows}
    output = graph.run.folder / "text-table"
    return Stage("text-table", "text-table", {"rows": labels}, output, inputs=inputs)


def _show(run: Run) -> str:
    return (run.folder / "text-table" / FILE).read_text(encoding="utf-8")


KINDS = (
    StageKind(
        "text-table",
        "the table of text metrics",
        run,
        _stage,
        command="text-metrics",
        show=_show,
    ),
)
