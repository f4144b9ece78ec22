"""Judge the prediction files of others with our evaluator, beside their published scores."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from test_suite_sql_eval.api import Report, Settings, evaluate
from test_suite_sql_eval.errors import InputError
from test_suite_sql_eval.settings import DEFAULT_MAX_STEPS
from tqdm import tqdm

from text2sql.errors import UserError
from text2sql.files import read_json
from text2sql.report.formats import Table, markdown_text
from text2sql.report.joins_and_names import (
    JoinsAndNames,
    count_joins_and_names,
    joins_and_names_table,
)
from text2sql.report.record import LEVELS, titles
from text2sql.schema import read_tables_json

MODES: dict[str, dict[str, Any]] = {
    "EX": {"extra": True},
    "EX + keep_distinct": {"keep_distinct": True},
    "EX + plug_value": {"plug_value": True},
}


def rescore(
    predictions: Path,
    gold: Path,
    databases: Path,
    tables: Path,
    published: Path,
    timeout: float,
    suites: Path | None = None,
    jobs: int | None = None,
) -> str:
    """Return Markdown tables of every prediction file in every metric, each named in its row.

    A second table counts joins without need, names out of place and answers that were stopped by
    the limit of steps. What is judged is told on stderr as it goes.

    Args:
        predictions: folder with one prediction file a row, ``<row>.txt``, one SQL a line.
        gold: gold queries, ``SQL<tab>db_id`` a line.
        databases: folder with ``<db_id>/<db_id>.sqlite``.
        tables: tables.json, for exact match.
        published: JSON file with the published scores: source, metric, settings, rows.
        timeout: seconds of processor time one question may take beside the limit of SQLite's
            steps, which alone decides but for what they do not count.
        suites: folder of test suites of the same databases, for test-suite accuracy.
        jobs: processes that judge; by default as many as there are cores.

    Raises:
        UserError: no prediction file there, or the evaluator refuses the files.
    """
    reference = read_json(published)
    files = sorted(path for path in predictions.glob("*.txt") if path.name != gold.name)
    if not files:
        raise UserError(f"{predictions}: no prediction files (*.txt) here")

    def judged(name: str, file: Path, folder: Path, **mode: Any) -> Report:
        settings = Settings(timeout=timeout, jobs=jobs, **mode)
        with progress_bar(f"{file.stem}, {name}", "question") as tell:
            return judge(gold, file, folder, tables, settings, tell)

    rows = []
    counts: dict[str, JoinsAndNames] = {}
    schemas = read_tables_json(tables)

    def columns_of(db_id: str) -> frozenset[str]:
        return frozenset(column for _, column in schemas[db_id].names())

    for file in files:
        lines: dict[str, list[str]] = {}
        for name, mode in MODES.items():
            report = judged(name, file, databases, **mode)
            lines[name] = _per_cent(report, "exec")
            if name == "EX":
                lines["strict EX"] = _per_cent(report, "strict")
                counts[file.stem] = count_joins_and_names(report.verdicts, columns_of)
        if suites:
            lines["TS"] = _per_cent(judged("TS", file, suites), "exec")
            plugged = judged("TS + plug_value", file, suites, plug_value=True)
            lines["TS + plug_value"] = _per_cent(plugged, "exec")
        lines["EM"] = _per_cent(judged("EM", file, databases, etype="match"), "exact")
        if file.stem in reference["rows"]:
            scores = reference["rows"][file.stem]["scores"]
            lines["published"] = [f"{scores[level]:.1f}" for level in LEVELS]
        rows += [[file.stem, name, *cells] for name, cells in lines.items()]
    on_suites = f" (TS: on {suites.name}/)" if suites else ""
    return "\n\n".join(
        [
            markdown_text(Table(["Predictions", "Metric", *titles(LEVELS)], rows)),
            f"Published: {reference['metric']}, {reference['settings']}; source:"
            f" {reference['source']}. All others: test-suite-sql-eval on {databases.name}/"
            f"{on_suites}.",
            markdown_text(joins_and_names_table(counts)),
            f"Counted on {databases.name}/ without flags; the limit is"
            f" {DEFAULT_MAX_STEPS:,} steps of SQLite for each question, the same everywhere.",
        ]
    )


@contextmanager
def progress_bar(what: str, unit: str) -> Iterator[Callable[..., None]]:
    """Give a function of (done, total, ...) that moves a bar on stderr."""
    with tqdm(desc=what, unit=unit, file=sys.stderr, mininterval=1.0) as bar:

        def tell(done: int, total: int, *_: Any) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield tell


def judge(
    gold: Path,
    predictions: Path,
    databases: Path,
    tables: Path | None = None,
    settings: Settings | None = None,
    progress: Callable[[int, int, dict[str, Any]], None] | None = None,
    journal: Path | None = None,
) -> Report:
    """Judge one prediction file; see `test_suite_sql_eval.api.evaluate`.

    Raises:
        UserError: the evaluator refuses the files.
    """
    try:
        return evaluate(
            str(gold),
            str(predictions),
            str(databases),
            None if tables is None else str(tables),
            settings,
            progress,
            journal=None if journal is None else str(journal),
        )
    except InputError as error:
        raise UserError(str(error).splitlines()[0]) from None


def _per_cent(report: Report, metric: str) -> list[str]:
    return [f"{100 * report.scores[level][metric]:.1f}" for level in LEVELS]
