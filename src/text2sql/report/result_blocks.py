"""The tables and charts of published records, as pages show them."""

from __future__ import annotations

from typing import Any

from text2sql.files import read_json
from text2sql.paths import repository_root
from text2sql.profile import DEFAULT_PROFILE
from text2sql.report.figure import chart_name
from text2sql.report.formats import Table, markdown_text
from text2sql.report.published_text import (
    chart_path,
    long_block,
    published_records,
    short_block,
)
from text2sql.report.record import LEVELS, titles, total_seconds
from text2sql.report.table import accuracy_table, caption, render_table
from text2sql.report.text import text_table
from text2sql.report.uncertainty import SIGNIFICANCE, evidence_table

DEFAULT_RECORD = f"{DEFAULT_PROFILE}_sample.json"
FAMILY = "qwen2.5-coder"


def run_records() -> list[dict[str, Any]]:
    """Return the records of our own runs, in results/."""
    return [read_json(path) for path in sorted((repository_root() / "results").glob("*.json"))]


def record_name(record: dict[str, Any]) -> str:
    """File name of a run's record in results/."""
    return f"{record['profile']}_{record['dataset']}.json"


def all_results_block() -> str:
    """Return the tables and charts of all published runs, every row, for a page in docs/."""
    parts = []
    for record in run_records():
        parts.append(render_table(record))
        if "text_metrics" in record:
            parts.append(
                f"Likeness of the text to the gold query:\n\n{text_table(record['text_metrics'])}"
            )
        parts.append(f"{_chart(record, '../')}\n")
        parts.append(f"Record: {_link(record, '../')}\n")
    return "\n".join(parts)


def default_block() -> str:
    """Return what `make reproduce` without an option gives: its table, its chart, what it took."""
    return "\n\n".join(
        _short(record) for record in run_records() if record_name(record) == DEFAULT_RECORD
    )


def learning_block() -> str:
    """Return the tables of models that learnt from their own judged answers."""
    parts = [
        _short(record, with_chart=False, up="../")
        for record in run_records()
        if record["profile"].endswith("_learning")
    ]
    return "\n\n".join(parts) or "No such table is published."


def spider_block() -> str:
    """Return the best table on Spider, and what models came to that nobody tuned.

    It is that of the largest tuned model of the default family, else of any.
    """
    on_spider = [record for record in run_records() if record["dataset"] == "spider"]
    family = [record for record in on_spider if record["profile"].startswith(FAMILY)]
    if not on_spider:
        return ""
    best = max(
        family or on_spider,
        key=lambda record: (
            bool(record["losses"]),
            record["parameters"] or 0,
            max(row["accuracy"]["all"] for row in _trained(record)["rows"]),
        ),
    )
    untuned = [
        f"{record['title']}, {_all_of(record)} ({_link(record, '')})"
        for record in family
        if record is not best and not record["losses"]
    ]
    without = f". Without any tuning: {'; '.join(untuned)}." if untuned else ""
    return _short(best, with_chart=False) + without


def _all_of(record: dict[str, Any]) -> str:
    """Return the rows of a record, each with its accuracy over all questions."""
    return "; ".join(
        f"{row['label'].lower()} {row['accuracy']['all']:.1f}" for row in record["rows"]
    )


def _trained(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record without its rows with retrieved examples."""
    rows = [row for row in record["rows"] if not row.get("without_examples")]
    return record | {"rows": rows}


def _short(record: dict[str, Any], with_chart: bool = True, up: str = "") -> str:
    """Return a record's rows without retrieval, its chart, and what the run took."""
    shown = _trained(record)
    accuracy, evidence = accuracy_table(shown), evidence_table(shown)
    # Label and levels (the first row counts questions), then standard error, change and p.
    rows = [
        [*scores, measured[1].rpartition(" ")[2], *measured[2:4]]
        for scores, measured in zip(accuracy.rows[1:], evidence.rows, strict=True)
    ]
    stages = record["stages"].values()
    machine = next(iter(stages))["hardware"]
    memory = max(stage["peak_memory_mb"] for stage in stages) / 1024
    return "\n\n".join(
        [
            f"**{record['title']}, dataset {record['dataset']}**, {len(record['levels']):,}"
            f" questions: {caption(record)}",
            markdown_text(Table([*accuracy.header, "SE", "vs first", "p"], rows)),
            *([_chart(record, up)] if with_chart else []),
            "**Bold**: best beyond chance; ≈: not worse beyond chance (exact McNemar test, Holm,"
            f" {100 * SIGNIFICANCE:.0f} %); SE: standard error."
            f" {total_seconds(record) / 60:.0f} minutes over all stages"
            f" on {machine['cores']} cores, {memory:.1f} GB of memory at most in one process."
            f" Record: {_link(record, up)}",
        ]
    )


def _chart(record: dict[str, Any], up: str) -> str:
    name = chart_name(record["profile"], record["dataset"])
    return f"![Execution accuracy by difficulty]({up}figs/{name})"


def _link(record: dict[str, Any], up: str) -> str:
    path = f"results/{record_name(record)}"
    return f"[{path}]({up}{path})"


def published_block() -> str:
    """Return the published tables as we reproduce them, with the chart of each."""
    return "\n\n".join(
        f"{short_block(record)}\n\n![Test-suite accuracy by difficulty]({chart_path(record)})"
        for record in published_records(seed=0)
    )


def reference_block() -> str:
    """Return the scores others published: how to run each row here, and what its answers get."""
    parts = []
    for path in sorted((repository_root() / "results" / "reference").glob("*.json")):
        known = read_json(path)
        rows = [
            [f"{name}: {row['state']}", *(f"{row['scores'][k]:.1f}" for k in LEVELS)]
            for name, row in known["rows"].items()
        ]
        parts += [
            f"{known['source']}: {known['metric']} ({known['settings']}), {known['hardware']}.",
            markdown_text(Table(["Row: state here", *titles(LEVELS)], rows)),
            "\n".join(
                f"- {name}: `{row['command']}`; published time: {row['training_time']}"
                for name, row in known["rows"].items()
            ),
        ]
    parts += [
        f"{long_block(record)}\n\n![Test-suite accuracy by difficulty](../{chart_path(record)})"
        for record in published_records(seed=0)
    ]
    return "\n\n".join(parts) + "\n"
