"""The table stage: the record of the run, and the paper-style table in Markdown made from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from text2sql.files import write_json, write_text
from text2sql.report.record import LEVEL_TITLES, LEVELS, build_record, commits, total_seconds

if TYPE_CHECKING:
    from text2sql.worker import Job

RECORD = "record.json"
TABLE = "table.md"


def run(job: Job) -> dict[str, Any]:
    """Write record.json and table.md."""
    record = build_record(job.stage)
    write_json(job.output / RECORD, record)
    write_text(job.output / TABLE, render_table(record))
    return {"rows": len(record["rows"])}


def render_table(record: dict[str, Any]) -> str:
    """Return a record as a Markdown table with a line above and one below that say what it is."""
    counts = record["rows"][0]["questions"]
    header = ["Model", *LEVEL_TITLES]
    body = [
        [row["label"], *(f"{row['execution_accuracy'][level]:.1f}" for level in LEVELS)]
        for row in record["rows"]
    ]
    body.insert(0, ["*questions*", *(str(counts[level]) for level in LEVELS)])
    widths = [max(len(line[i]) for line in [header, *body]) for i in range(len(header))]
    lines = [_line(header, widths), _line(_rule(widths), widths)]
    lines += [_line(row, widths) for row in body]
    return "\n".join([_caption(record), "", *lines, "", _footer(record)]) + "\n"


def _caption(record: dict[str, Any]) -> str:
    metric = record["metric"]
    modes = [name for name in ("plug_value", "keep_distinct") if metric[name]]
    return (
        f"**{record['title']}, dataset {record['dataset']}**: {metric['name']} in per cent"
        f" (test-suite-sql-eval {metric['version']}, {', '.join(modes) or 'no flags'})."
    )


def _footer(record: dict[str, Any]) -> str:
    databases = record["database_set"]
    variants = [entry["variants"] for entry in databases["databases"].values()]
    machine = next(iter(record["stages"].values()))["hardware"]
    gpus = f", {len(machine['gpus'])} x {machine['gpus'][0]}" if machine["gpus"] else ""
    return (
        f"{len(variants)} databases, {sum(variants)} SQLite files, SHA-256"
        f" {databases['sha256'][:12]}; {machine['cores']} cores of {machine['cpu']}{gpus};"
        f" {total_seconds(record) / 60:.0f} minutes over all stages;"
        f" commit {', '.join(commits(record))}."
    )


def _rule(widths: list[int]) -> list[str]:
    return ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]


def _line(cells: list[str], widths: list[int]) -> str:
    first = cells[0].ljust(widths[0])
    rest = [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
    return f"| {' | '.join([first, *rest])} |"
