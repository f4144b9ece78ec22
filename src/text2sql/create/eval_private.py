"""Judge predictions on a live private database: the project's own table where Spider has none."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from test_suite_sql_eval.compare import equivalent
from test_suite_sql_eval.executor import Result
from test_suite_sql_eval.text_metrics import normalize, token_f1
from tqdm import tqdm

from text2sql.errors import UserError
from text2sql.files import read_jsonl, write_json, write_jsonl
from text2sql.report.formats import Table, markdown_text
from text2sql.schema import read_schema
from text2sql.sql.database import Database
from text2sql.sql.hardness import LEVELS, eval_schema, hardness_of
from text2sql.sql.validate import Rejected, Validator, limited_sql

METRICS = ("execution_success", "result_match", "normalized_exact_match", "token_f1")
TITLES = ("Execution success", "Result match", "Normalised exact match", "Token F1")


def judge_files(
    url: str,
    gold: Path,
    predictions: Path,
    output: Path | None = None,
    timeout: float = 10.0,
    max_rows: int = 10_000,
) -> dict[str, Any]:
    """Run gold queries and predictions on a database and compare.

    Both run read-only over one connection, with a LIMIT and a time limit. Only single statements
    that read are sent at all (`sql.validate`, first layer).

    Args:
        url: the live database.
        gold: lines of ``SQL<tab>database``, or JSON Lines with a ``query``; the database's name is
            not used.
        predictions: one SQL a line, or JSON Lines with a ``sql``, in the same order.
        output: folder for ``scores.json`` and ``verdicts.jsonl``, if wanted.
        timeout: seconds a query may take.
        max_rows: a larger result counts as no match.

    Returns:
        The scores: per hardness level and for all, each metric between 0 and 1.

    Raises:
        UserError: files missing or of different length, or the database cannot be reached.
    """
    golds = _queries(gold)
    answers = _queries(predictions)
    if len(golds) != len(answers):
        raise UserError(
            f"{predictions}: {len(answers)} predictions for the {len(golds)} queries of {gold}"
        )
    if not golds:
        raise UserError(f"{gold}: no queries in it")
    schema = read_schema(url, timeout=timeout)
    names = eval_schema(schema.names())
    with Database(url, timeout, max_rows) as database:
        runner = _Runner(database, Validator(schema, database.dialect), max_rows)
        started = time.monotonic()
        pairs = tqdm(list(zip(golds, answers, strict=True)), unit="question")
        verdicts = [
            {"index": number, "hardness": hardness_of(one, database.dialect, names)}
            | judge_pair(runner.run(one), runner.run(other), one, other)
            | {"gold": one, "prediction": other}
            for number, (one, other) in enumerate(pairs)
        ]
        seconds = time.monotonic() - started
        shown, dialect = database.shown, database.dialect
    scores = {
        "database": shown,
        "dialect": dialect,
        "scores": summarize(verdicts),
        "gold_errors": sum(v["gold_error"] is not None for v in verdicts),
        "queries": runner.sent,
        "seconds": round(seconds, 2),
        "queries_per_second": round(runner.sent / seconds, 1) if seconds else None,
        "settings": {"timeout": timeout, "max_rows": max_rows},
    }
    if output:
        write_jsonl(output / "verdicts.jsonl", verdicts)
        write_json(output / "scores.json", scores)
    return scores


class _Runner:
    """Runs checked SQL; the result of a query seen before is remembered."""

    def __init__(self, database: Database, validator: Validator, max_rows: int) -> None:
        self._database, self._validator, self._max_rows = database, validator, max_rows
        self._known: dict[str, Result] = {}
        self.sent = 0

    def run(self, sql: str) -> Result:
        if sql not in self._known:
            self._known[sql] = self._run(sql)
        return self._known[sql]

    def _run(self, sql: str) -> Result:
        try:
            tree = self._validator.check_syntax(sql)
        except Rejected as reject:
            return Result([], [], reject.reason, "syntax", False, 0.0)
        self.sent += 1
        # One row more than allowed tells a result that is cut off from one that just fits.
        text = sql.strip().rstrip("; \t")
        return self._database.run(
            limited_sql(text, tree, self._database.dialect, self._max_rows + 1)
        )


def judge_pair(gold: Result, pred: Result, gold_sql: str, pred_sql: str) -> dict[str, Any]:
    """Return the metrics of one prediction, given both results."""
    match = False
    if gold.ok and pred.ok and not gold.truncated and not pred.truncated:
        ordered = "order by" in gold_sql.lower()
        match = equivalent(_plain(gold.rows), _plain(pred.rows), ordered)
    return {
        "execution_success": float(pred.ok),
        "result_match": float(match),
        "normalized_exact_match": float(normalize(gold_sql) == normalize(pred_sql)),
        "token_f1": round(token_f1(gold_sql, pred_sql), 4),
        "error": pred.error or ("result too large" if pred.truncated else None),
        "gold_error": gold.error or ("result too large" if gold.truncated else None),
    }


def summarize(verdicts: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return count and mean of every metric, for each hardness level and for all."""
    groups: dict[str, list[dict[str, Any]]] = {
        level: [v for v in verdicts if v["hardness"] == level] for level in LEVELS
    }
    groups["ungraded"] = [v for v in verdicts if v["hardness"] is None]
    scores = {}
    for name, group in [*groups.items(), ("all", list(verdicts))]:
        if group:
            means = {m: round(sum(v[m] for v in group) / len(group), 4) for m in METRICS}
            scores[name] = {"count": len(group), **means}
    return scores


def score_table(scores: dict[str, Any]) -> str:
    """Return the scores as a Markdown table, in per cent."""
    rows = [
        [name, str(score["count"]), *(f"{100 * score[m]:.1f}" for m in METRICS)]
        for name, score in scores["scores"].items()
    ]
    text = markdown_text(Table(["Hardness", "Count", *TITLES], rows))
    notes = f"{scores['queries']} queries in {scores['seconds']} s on {scores['database']}"
    if scores["gold_errors"]:
        notes += f"; {scores['gold_errors']} gold queries failed and count as not matched"
    return f"{text}\n{notes}"


def _plain(rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [tuple(map(_cell, row)) for row in rows]


def _cell(value: Any) -> Any:
    """A value that can be compared and counted, whichever driver it came from."""
    if isinstance(value, Decimal):
        exact = value.is_finite() and value == value.to_integral_value()
        value = int(value) if exact else float(value)
    if isinstance(value, float) and math.isnan(value):
        return "NaN"  # equal to itself in a database
    if isinstance(value, memoryview | bytearray):
        return bytes(value)
    if isinstance(value, list | dict | set):
        return repr(value)
    return value


def _queries(path: Path) -> list[str]:
    """The queries of a file, in JSON Lines or in the official form."""
    if path.suffix == ".jsonl":
        queries = []
        for number, row in enumerate(read_jsonl(path), start=1):
            sql = row.get("query", row.get("sql"))
            if not isinstance(sql, str):
                raise UserError(f"{path}: row {number} has no query or sql that is a text")
            queries.append(sql)
        return queries
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (FileNotFoundError, IsADirectoryError):
        raise UserError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 at byte {error.start}") from None
    lines = text.removesuffix("\n").split("\n") if text.strip() else []
    return [line.split("\t")[0] for line in lines]
