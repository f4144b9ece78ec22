"""Published results: records kept in results/, charts in figs/, and the README's tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from text2sql.artifacts import RECORD
from text2sql.errors import UserError
from text2sql.files import read_json, write_json, write_text
from text2sql.paths import repository_root
from text2sql.report import quantization
from text2sql.report.doc_blocks import inference_block, retrieval_block, training_block
from text2sql.report.figure import CHART, chart_name, copy_chart, draw_sizes
from text2sql.report.formats import Table, markdown_text
from text2sql.report.record import LEVELS, append_to_ledger, commits, titles
from text2sql.report.table import render_table
from text2sql.report.text import published_metrics, text_table

RESULTS, QUANTIZED = "results", "results/quantization"
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"


def record_name(record: dict[str, Any]) -> str:
    """File name of a run's record in results/."""
    return f"{record['profile']}_{record['dataset']}.json"


def publish_run(run_folder: Path) -> list[Path]:
    """Copy a run's records into results/ and bring the pages' tables up to date.

    Returns:
        The files there: of the results table, of the quantization table, or of both.

    Raises:
        UserError: the run is not finished, or a stage ran from a checkout with changes that are not
            committed, so that nobody could repeat it.
    """
    results = run_folder / "table" / RECORD
    tables = [results, *run_folder.glob(f"gguf/*/table/{quantization.RECORD}")]
    records = {path: read_json(path) for path in tables if path.is_file()}
    if not records:
        raise UserError(f"{results}: no such record; run 'make reproduce' first")
    for path, record in records.items():
        if any(commit.endswith("+") for commit in commits(record)):
            raise UserError(
                f"{path}: made with changes that are not committed; commit, then run again"
            )
    published = []
    for path, record in records.items():
        folder = repository_root() / (RESULTS if path == results else QUANTIZED)
        if path == results:
            _publish_results(record, run_folder)
        published.append(folder / record_name(record))
        write_json(published[-1], record)
    _draw_sizes()
    update_readmes()
    return published


def _publish_results(record: dict[str, Any], run_folder: Path) -> None:
    """Add a run's text metrics to its record, a line to the ledger and its chart to figs/."""
    text_metrics = published_metrics(run_folder)
    if text_metrics is not None:
        record["text_metrics"] = text_metrics
    append_to_ledger(repository_root() / RESULTS, record)
    if (run_folder / "figures" / CHART).is_file():
        copy_chart(run_folder, record["profile"], record["dataset"])


def _draw_sizes() -> None:
    """Draw accuracy against model size, where models of several sizes are published."""
    records = _published()
    if len({record["parameters"] for record in records} - {None}) > 1:
        (repository_root() / "figs").mkdir(exist_ok=True)
        draw_sizes(records, repository_root() / "figs" / "accuracy_by_size.png")


def _published() -> list[dict[str, Any]]:
    return [read_json(path) for path in sorted((repository_root() / "results").glob("*.json"))]


def results_block() -> str:
    """Return the tables and charts of all published records as Markdown."""
    parts = []
    for record in _published():
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
    """Return the scores others published, with how to run each row here and whether we have."""
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
    return "\n\n".join(parts) + "\n"


# Pages with a block of results between the markers, and what writes it.
PAGES = {
    "README.md": results_block,
    "README.zh.md": results_block,
    "docs/REPRODUCING.md": published_block,
    "docs/inference.md": inference_block,
    "docs/retrieval.md": retrieval_block,
    "docs/training.md": training_block,
}


def update_readmes() -> None:
    """Write the results between the markers of each page."""
    for name in PAGES:
        path = repository_root() / name
        write_text(path, _with_block(path, PAGES[name]()))


def check_readmes() -> None:
    """Raise UserError when a page's tables are not those of the records in results/."""
    for name in PAGES:
        path = repository_root() / name
        if _with_block(path, PAGES[name]()) != path.read_text(encoding="utf-8"):
            raise UserError(f"{name}: results are not those in results/; run: make results")


def _with_block(path: Path, block: str) -> str:
    text = path.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise UserError(f"{path}: the markers '{BEGIN}' and '{END}' are missing")
    return f"{before}{BEGIN}\n\n{block}\n{END}{after}"
