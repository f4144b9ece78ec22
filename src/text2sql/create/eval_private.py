"""Judge predictions on a live private database: the project's own table where Spider has none."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from test_suite_sql_eval.bird.metrics import soft_f1
from test_suite_sql_eval.compare import bird_set_equal, equivalent
from test_suite_sql_eval.errors import InputError
from test_suite_sql_eval.executor import Result
from test_suite_sql_eval.json_inputs import read_golds, read_predictions
from test_suite_sql_eval.text_metrics import normalize, token_f1
from tqdm import tqdm

from text2sql.errors import UserError
from text2sql.files import read_json, read_jsonl, write_json, write_jsonl
from text2sql.report.formats import Table, markdown_text
from text2sql.schema import read_schema
from text2sql.sql.database import Database
from text2sql.sql.hardness import LEVELS, eval_schema, hardness_of
from text2sql.sql.validate import Rejected, Validator, limited_sql

TITLES = {
    "execution_success": "Execution success",
    "result_match": "Result match",
    "bird_set_ex": "BIRD EX",
    "soft_f1": "Soft-F1",
    "normalized_exact_match": "Normalised exact match",
    "token_f1": "Token F1",
}
METRICS = tuple(TITLES)


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
        gold: lines of ``SQL<tab>database``, JSON Lines with a ``query``, or a JSON list such as
            BIRD's, whose ``difficulty`` then takes the place of hardness; the database's name is
            not used.
        predictions: one SQL a line, JSON Lines with a ``sql``, or BIRD's JSON of numbered answers,
            in the same order.
        output: folder for ``scores.json`` and ``verdicts.jsonl``, if wanted.
        timeout: seconds a query may take.
        max_rows: a larger result counts as no match.

    Returns:
        The scores: per hardness level and for all, each metric between 0 and 1. ``bird_set_ex``
        and ``soft_f1`` are those of BIRD.

    Raises:
        UserError: files missing or of different length, or the database cannot be reached.
    """
    golds, levels = _golds(gold)
    answers = _answers(predictions, len(golds))
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
            {
                "index": number,
                "hardness": levels[number] if levels else hardness_of(one, database.dialect, names),
            }
            | judge_pair(runner.run(one), runner.run(other), one, other)
            | {"gold": one, "prediction": other}
            for number, (one, other) in enumerate(pairs)
        ]
        seconds = time.monotonic() - started
        shown, dialect = database.shown, database.dialect
    scores = {
        "database": shown,
        "dialect": dialect,
        "scores": summarize(verdicts, dict.fromkeys(levels) if levels else LEVELS),
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
    match = same_set = share = 0.0
    if gold.ok and pred.ok and not gold.truncated and not pred.truncated:
        ordered = "order by" in gold_sql.lower()
        rows, other = _plain(gold.rows), _plain(pred.rows)
        match = float(equivalent(rows, other, ordered))
        same_set, share = float(bird_set_equal(rows, other)), soft_f1(rows, other)
    return {
        "execution_success": float(pred.ok),
        "result_match": match,
        "bird_set_ex": same_set,
        "soft_f1": round(share, 6),
        "normalized_exact_match": float(normalize(gold_sql) == normalize(pred_sql)),
        "token_f1": round(token_f1(gold_sql, pred_sql), 4),
        "error": pred.error or ("result too large" if pred.truncated else None),
        "gold_error": gold.error or ("result too large" if gold.truncated else None),
    }


def summarize(
    verdicts: Sequence[dict[str, Any]], levels: Iterable[str] = LEVELS
) -> dict[str, dict[str, Any]]:
    """Return count and mean of every metric, for each hardness level and for all."""
    groups: dict[str, list[dict[str, Any]]] = {
        level: [v for v in verdicts if v["hardness"] == level] for level in levels
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
    text = markdown_text(Table(["Hardness", "Count", *TITLES.values()], rows))
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


def _golds(path: Path) -> tuple[list[str], list[str] | None]:
    """The gold queries of a file, and the difficulty of each where it is BIRD's JSON."""
    if path.suffix != ".json":
        return _queries(path), None
    try:
        golds = [entry.sql for entry in read_golds(str(path))]
    except InputError as error:
        raise UserError(str(error).splitlines()[0]) from None
    levels = [str(row.get("difficulty", "")) for row in read_json(path)]
    return golds, levels if all(levels) else None


def _answers(path: Path, count: int) -> list[str]:
    if path.suffix != ".json":
        return _queries(path)
    try:
        return [entry.sql for entry in read_predictions(str(path), count)]
    except InputError as error:
        raise UserError(str(error).splitlines()[0]) from None


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
