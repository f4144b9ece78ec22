"""Judge the prediction files of others with our evaluator, beside their published scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from test_suite_sql_eval.api import Report, Settings, evaluate
from test_suite_sql_eval.errors import InputError

from text2sql.errors import UserError
from text2sql.files import read_json
from text2sql.report.formats import Table, markdown_text
from text2sql.report.record import LEVEL_TITLES, LEVELS

MODES: dict[str, Callable[[float], Settings]] = {
    "EX": lambda timeout: Settings(timeout=timeout, extra=True),
    "EX + keep_distinct": lambda timeout: Settings(timeout=timeout, keep_distinct=True),
    "EX + plug_value": lambda timeout: Settings(timeout=timeout, plug_value=True),
}


def rescore(
    predictions: Path,
    gold: Path,
    databases: Path,
    tables: Path,
    published: Path,
    timeout: float,
    suites: Path | None = None,
) -> str:
    """Return a Markdown table of every prediction file in every metric, each named in its row.

    Args:
        predictions: folder with one prediction file a row, ``<row>.txt``, one SQL a line.
        gold: gold queries, ``SQL<tab>db_id`` a line.
        databases: folder with ``<db_id>/<db_id>.sqlite``.
        tables: tables.json, for exact match.
        published: JSON file with the published scores: source, metric, settings, rows.
        timeout: seconds one question may take.
        suites: folder of test suites of the same databases, for test-suite accuracy.

    Raises:
        UserError: no prediction file there, or the evaluator refuses the files.
    """
    reference = read_json(published)
    files = sorted(path for path in predictions.glob("*.txt") if path.name != gold.name)
    if not files:
        raise UserError(f"{predictions}: no prediction files (*.txt) here")
    rows = [
        row
        for file in files
        for row in _rows(file, gold, databases, tables, reference, timeout, suites)
    ]
    on_suites = f" (TS: on {suites.name}/)" if suites else ""
    return "\n\n".join(
        [
            markdown_text(Table(["Predictions", "Metric", *LEVEL_TITLES], rows)),
            f"Published: {reference['metric']}, {reference['settings']}; source:"
            f" {reference['source']}. All others: test-suite-sql-eval on {databases.name}/"
            f"{on_suites}.",
        ]
    )


def _rows(
    file: Path,
    gold: Path,
    databases: Path,
    tables: Path,
    reference: dict[str, Any],
    timeout: float,
    suites: Path | None,
) -> Iterator[list[str]]:
    for name, settings in MODES.items():
        report = _evaluate(file, gold, databases, tables, settings(timeout))
        yield [file.stem, name, *(_percent(report, level, "exec") for level in LEVELS)]
        if name == "EX":
            yield [file.stem, "strict EX", *_strict(report)]
    if suites:
        for name, plug_value in (("TS", False), ("TS + plug_value", True)):
            on_suites = Settings(timeout=timeout, plug_value=plug_value)
            report = _evaluate(file, gold, suites, tables, on_suites)
            yield [file.stem, name, *(_percent(report, level, "exec") for level in LEVELS)]
    report = _evaluate(file, gold, databases, tables, Settings(etype="match", timeout=timeout))
    yield [file.stem, "EM", *(_percent(report, level, "exact") for level in LEVELS)]
    known = reference["rows"].get(file.stem)
    if known:
        yield [file.stem, "published", *(f"{known['scores'][level]:.1f}" for level in LEVELS)]


def _evaluate(file: Path, gold: Path, databases: Path, tables: Path, settings: Settings) -> Report:
    try:
        return evaluate(str(gold), str(file), str(databases), str(tables), settings)
    except InputError as error:
        raise UserError(str(error).splitlines()[0]) from None


def _percent(report: Report, level: str, metric: str) -> str:
    return f"{100 * report.scores[level][metric]:.1f}"


def _strict(report: Report) -> list[str]:
    cells = []
    for level in LEVELS:
        of = [v["strict"] for v in report.verdicts if level in ("all", v["hardness"])]
        cells.append(f"{100 * sum(of) / len(of):.1f}" if of else "")
    return cells
