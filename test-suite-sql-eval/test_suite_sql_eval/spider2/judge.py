"""Judge predictions for Spider 2.0-lite's questions on SQLite."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..executor import Result, SqlExecutor
from .files import Instance

TIMEOUT = 60.0
MAX_ROWS = 1_000_000
NO_PREDICTION = "no_prediction"


def judge(
    instances: Sequence[Instance],
    predictions: Mapping[str, str | Path],
    timeout: float = TIMEOUT,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> list[dict[str, Any]]:
    """Return a verdict for each instance that can be scored.

    Args:
        instances: as read; those that cannot be scored are left out.
        predictions: SQL by instance id, or the CSV file of a result.
        timeout: seconds a query may take.
        progress: called with instances done and in all.

    Returns:
        For each: instance_id, db, score (1 or 0), error, error_message, pred. An instance
        without a prediction is wrong, error ``no_prediction``.

    Raises:
        InputError: pandas is missing.
    """
    try:
        from . import rule  # here: without pandas the rest of the package works
    except ImportError as error:
        raise InputError("Spider 2.0's rule needs pandas: pip install pandas") from error
    scored = [instance for instance in instances if not instance.unscorable]
    verdicts = []
    with SqlExecutor() as executor:
        for done, instance in enumerate(scored, 1):
            pred = predictions.get(instance.id)
            verdict = {"instance_id": instance.id, "db": instance.db, "score": 0, "pred": str(pred)}
            verdicts.append(verdict | _judge_one(rule, executor, instance, pred, timeout))
            progress(done, len(scored))
    return verdicts


def _judge_one(
    rule: Any, executor: SqlExecutor, instance: Instance, pred: str | Path | None, timeout: float
) -> dict[str, Any]:
    if pred is None:
        return {"error": NO_PREDICTION, "error_message": None, "pred": None}
    try:
        if isinstance(pred, Path):
            table = rule.pd.read_csv(pred)
        else:
            result = executor.run(str(instance.database), pred, timeout, MAX_ROWS)
            if not result.ok or result.truncated:
                return _failed(result)
            table = rule.as_read_from_csv(result.rows, result.columns)
        golds = [rule.pd.read_csv(path) for path in instance.golds]
        columns, order = instance.columns, instance.ignore_order
        right = rule.matches(table, golds, columns, order, instance.single)
    except (IndexError, ValueError, TypeError) as error:  # as there: what cannot be compared
        return {"error": "not_comparable", "error_message": f"{type(error).__name__}: {error}"}
    return {"score": int(right), "error": None if right else "wrong_result", "error_message": None}


def _failed(result: Result) -> dict[str, Any]:
    if result.truncated:
        return {"error": "too_big", "error_message": f"more than {MAX_ROWS:,} rows"}
    return {"error": result.error_kind, "error_message": result.error}
