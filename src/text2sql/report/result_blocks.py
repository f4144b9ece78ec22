"""The tables and charts of published records, as pages show them."""

from __future__ import annotations

from typing import Any

from text2sql.files import read_json
from text2sql.paths import repository_root
from text2sql.report.figure import chart_name
from text2sql.report.formats import Table, markdown_text
from text2sql.report.published_text import (
    chart_path,
    long_block,
    published_records,
    short_block,
)
from text2sql.report.record import LEVELS, titles
from text2sql.report.table import render_table
from text2sql.report.text import text_table


def run_records() -> list[dict[str, Any]]:
    """Return the records of our own runs, in results/."""
    return [read_json(path) for path in sorted((repository_root() / "results").glob("*.json"))]


def record_name(record: dict[str, Any]) -> str:
    """File name of a run's record in results/."""
    return f"{record['profile']}_{record['dataset']}.json"


def results_block() -> str:
    """Return the tables and charts of all published records as Markdown."""
    parts = []
    for record in run_records():
        chart = f"figs/{chart_name(record['profile'], record['dataset'])}"
        parts.append(render_table(record))
        if "text_metrics" in record:
            parts.append(
                f"Likeness of the text to the gold query:\n\n{text_table(record['text_metrics'])}"
            )
        if (repository_root() / chart).is_file():
            parts.append(f"![Execution accuracy by difficulty]({chart})\n")
        path = f"results/{record_name(record)}"
        parts.append(f"Record: [{path}]({path})\n")
    return "\n".join(parts)


def published_block() -> str:
    """Return the published tables as we reproduce them, with the chart of each."""
    return "\n".join(
        f"{short_block(record)}\n\n![Test-suite accuracy by difficulty]({chart_path(record)})\n"
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
