"""Publishing: records go into results/, their charts into figs/, and the pages follow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from text2sql.artifacts import RECORD
from text2sql.errors import UserError
from text2sql.files import read_json, write_json
from text2sql.paths import build_root, repository_root
from text2sql.report import quantization, reward_blocks, rewards
from text2sql.report.figure import chart_name, draw_accuracy
from text2sql.report.pages import update_pages
from text2sql.report.published_text import (
    chart_path,
    published_records,
    table_rows,
)
from text2sql.report.record import append_to_ledger, commits
from text2sql.report.result_blocks import record_name, run_records
from text2sql.report.text import published_metrics

RESULTS, QUANTIZED = "results", "results/quantization"


def publish_run(run_folder: Path) -> list[Path]:
    """Copy a run's records into results/ and bring charts and pages up to date.

    Returns:
        The files there: of the results table, of the quantization table, of the rewards of a
        training by reinforcement, as far as there are any.

    Raises:
        UserError: the run is not finished, or a stage ran from a checkout with changes that are not
            committed, so that nobody could repeat it.
    """
    results = run_folder / "table" / RECORD
    rewarded = run_folder / rewards.FOLDER / RECORD
    tables = [results, rewarded, *run_folder.glob(f"gguf/*/table/{quantization.RECORD}")]
    folders = {results: RESULTS, rewarded: reward_blocks.RESULTS}
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
        folder = repository_root() / folders.get(path, QUANTIZED)
        if path == results:
            _complete(record, run_folder)
        published.append(folder / record_name(record))
        write_json(published[-1], record)
    update()
    return published


def _complete(record: dict[str, Any], run_folder: Path) -> None:
    """Add a run's text metrics to its record, and a line to the ledger."""
    text_metrics = published_metrics(run_folder)
    if text_metrics is not None:
        record["text_metrics"] = text_metrics
    append_to_ledger(repository_root() / RESULTS, record)


def publish_measured(record: dict[str, Any], name: str) -> Path:
    """Keep the record of what was measured of others' answers; bring charts and pages up to date.

    Args:
        record: the record.
        name: its path from the checkout's top.

    Returns:
        Its file: below results/, or below build/ when it was made with changes that are not
        committed, so that nobody could repeat it.
    """
    if record["git"]["dirty"]:
        path = build_root() / name
        write_json(path, record)
        return path
    path = repository_root() / name
    write_json(path, record)
    update()
    return path


def update() -> None:
    """Draw the charts of all records in results/ and write the blocks of the pages."""
    figures = repository_root() / "figs"
    figures.mkdir(exist_ok=True)
    for record in run_records():
        draw_accuracy(record, figures / chart_name(record["profile"], record["dataset"]))
    for record in published_records(seed=0):
        chart = repository_root() / chart_path(record)
        draw_accuracy(record | {"rows": table_rows(record)}, chart)
    for record in reward_blocks.published_rewards():
        rewards.draw(record, figures / reward_blocks.chart_of(record))
    update_pages()
