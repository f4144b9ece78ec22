"""The table stage: the record of the run, and the results table made from it in several formats."""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path
from typing import Any

from text2sql.artifacts import QUESTIONS, RECORD, TABLE, VERDICTS
from text2sql.files import read_json, read_jsonl, write_json, write_text
from text2sql.paths import build_root
from text2sql.question import read_questions
from text2sql.report.error_analysis import error_report
from text2sql.report.formats import Table, csv_text, latex_text, markdown_text
from text2sql.report.record import (
    JOINT,
    append_to_ledger,
    build_record,
    commits,
    levels_of,
    titles,
    total_seconds,
)
from text2sql.report.uncertainty import SIGNIFICANCE, evidence_table, marks
from text2sql.run import Run
from text2sql.schema import read_schema
from text2sql.stage import Graph, Job, Stage, StageKind

SUITE = "test_suite_set"  # not in records without a test suite, nor in those of earlier versions


def run(job: Job) -> dict[str, Any]:
    """Write record.json; table.md, table.csv and table.tex from it; error reports by row."""
    record = build_record(job.stage)
    write_json(job.output / RECORD, record)
    write_text(job.output / TABLE, render_table(record))
    accuracy = accuracy_table(record)
    write_text(job.output / "table.csv", csv_text(accuracy))
    write_text(job.output / "table.tex", latex_text(accuracy, caption(record)))
    for row in record["rows"]:
        write_text(job.output / f"errors_{row['name']}.md", _errors(job.stage, row))
    return {"rows": len(record["rows"])}


def _errors(table: Stage, row: dict[str, Any]) -> str:
    evaluation = table.inputs[row["name"]]
    asked = read_questions(evaluation.inputs["data"].output / QUESTIONS)
    verdicts = list(read_jsonl(evaluation.output / VERDICTS))
    databases = Path(evaluation.settings["databases"])
    words = [question.question for question in asked]
    return error_report(row["label"], verdicts, words, cache(partial(_columns, databases)))


def _columns(databases: Path, db_id: str) -> frozenset[str]:
    """Return the names of a database's columns, in lower case; none where it is not there."""
    file = databases / db_id / f"{db_id}.sqlite"
    names = read_schema(file).names() if file.is_file() else ()
    return frozenset(column for _, column in names)


def render_table(record: dict[str, Any]) -> str:
    """Return a record as Markdown: what it is, accuracy by level, evidence, where it was run."""
    parts = [
        f"**{record['title']}, dataset {record['dataset']}**: {caption(record)}",
        markdown_text(accuracy_table(record)),
        "**bold**: significantly better than every other row; ≈: not significantly worse than the"
        f" best (exact McNemar test, Holm, {100 * SIGNIFICANCE:.0f} %)."
        if len(record["rows"]) > 1
        else "",
        markdown_text(evidence_table(record)),
        _footer(record),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def accuracy_table(record: dict[str, Any]) -> Table:
    """Return accuracy in per cent by difficulty, a row a model, with the number of questions."""
    levels = list(record["rows"][0]["accuracy"])
    marked = {level: marks(record, level) for level in levels_of(record)}
    marked[JOINT] = {}  # of whole interactions, while the tests compare questions
    counts = [str(record["rows"][0]["questions"][level]) for level in levels]
    header, rows = ["Model", *titles(levels)], [["*questions*", *counts]]
    if record.get(SUITE):
        header += [f"TS {title}" for title in titles(levels)]
        rows[0] += counts
    for row in record["rows"]:
        cells = [
            marked[level].get(row["name"], "{}").format(f"{row['accuracy'][level]:.1f}")
            for level in levels
        ]
        if record.get(SUITE):
            cells += [f"{row['test_suite_accuracy'][level]:.1f}" for level in levels]
        rows.append([row["label"], *cells])
    return Table(header, rows)


def caption(record: dict[str, Any]) -> str:
    """Return the metric with its version and settings as a sentence."""
    metric = record["metric"]
    modes = [name for name in ("plug_value", "keep_distinct") if metric[name]]
    suite = ", and test-suite accuracy (TS)" if record.get(SUITE) else ""
    return (
        f"{metric['name']}{suite} in per cent (test-suite-sql-eval {metric['version']},"
        f" {', '.join(modes) or 'no flags'})."
    )


def _footer(record: dict[str, Any]) -> str:
    sets = _database_set(record["database_set"])
    suite = record.get(SUITE)
    if suite:
        sets += f"; TS: {_database_set(suite)}"
    machine = next(iter(record["stages"].values()))["hardware"]
    gpus = f", {len(machine['gpus'])} x {machine['gpus'][0]}" if machine["gpus"] else ""
    return (
        f"{sets}; {machine['cores']} cores of {machine['cpu']}{gpus};"
        f" {total_seconds(record) / 60:.0f} minutes over all stages;"
        f" commit {', '.join(commits(record))}."
    )


def _database_set(databases: dict[str, Any]) -> str:
    variants = [entry["variants"] for entry in databases["databases"].values()]
    return (
        f"{len(variants)} databases, {sum(variants)} SQLite files, SHA-256"
        f" {databases['sha256'][:12]}"
    )


def show(run: Run) -> str:
    """Enter a run's table in the ledger and return it as text."""
    append_to_ledger(build_root(), read_json(run.folder / "table" / RECORD))
    return (run.folder / "table" / TABLE).read_text(encoding="utf-8")


def _stage(graph: Graph, key: str) -> Stage:
    run, data = graph.run, graph.stage("data").config
    return Stage(
        "table",
        "table",
        {
            "title": run.profile.title,
            "profile": run.profile.name,
            "dataset": run.dataset_label,
            "rows": [
                row.model_dump(include={"name", "label"})
                | {"without_examples": run.without_examples(row)}
                for row in run.rows
            ],
            "joint_all": run.profile.joint_all,
            "levels": data["levels"],
            "metric": data["metric"],
        },
        run.folder / "table",
        inputs={row.name: graph.stage("eval", row.name) for row in run.rows},
    )


KINDS = (StageKind("table", "build and print the results table", run, _stage, show=show),)
