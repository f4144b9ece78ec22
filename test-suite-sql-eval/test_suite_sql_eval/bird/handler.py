"""What a worker process does with a question of BIRD: run both queries, compare, and time them."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable

from .. import worker
from ..compare import bird_set_equal
from ..errors import QueryError
from ..sandbox import Session
from .metrics import soft_f1

TYPE_CHECKING = False  # importing typing takes milliseconds
if TYPE_CHECKING:
    from typing import Any


class _Handler:
    """Judges the questions a worker process gets; see `make_handler`."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._timeout, self._max_steps = config["timeout"], config["max_steps"]
        self._iterations = config["iterations"]
        self._session = Session(time.process_time)

    def __call__(self, task: tuple[str, str, str]) -> dict[str, Any]:
        path, gold_sql, pred_sql = task
        try:
            gold = self._rows(path, gold_sql)
        except QueryError as error:
            return {"ex": 0, "soft_f1": 0.0, "kind": "gold_error", "message": error.message}
        try:
            pred = self._rows(path, pred_sql)
        except QueryError as error:
            return {"ex": 0, "soft_f1": 0.0, "kind": error.kind, "message": error.message}
        out: dict[str, Any] = {
            "ex": int(bird_set_equal(gold, pred)),
            "soft_f1": soft_f1(gold, pred),
        }
        if out["ex"] and self._iterations:
            worker.set_alarm(self._timeout * self._iterations, processor=True)
            pairs = [
                (seconds_of(path, pred_sql), seconds_of(path, gold_sql))
                for _ in range(self._iterations)
            ]
            out["pred_seconds"] = [pred for pred, _ in pairs]
            out["gold_seconds"] = [gold for _, gold in pairs]
        return out

    def _rows(self, path: str, sql: str) -> list[tuple[Any, ...]]:
        worker.set_alarm(self._timeout + worker.GRACE, processor=True)
        self._session.set_limits(self._timeout, self._max_steps)
        return self._session.run(path, sql)[0]


def seconds_of(path: str, sql: str) -> float:
    """Return the seconds (wall time) of a query on a connection of its own, as BIRD takes them.

    Reading the schema and closing count, opening does not. The query must have run in a sandbox
    before: here nothing but the read-only file holds it back.
    """
    try:
        return _timed(path, sql, str)
    except sqlite3.OperationalError:  # text that is not UTF-8
        return _timed(path, sql, bytes)


def _timed(path: str, sql: str, text_factory: type[str] | type[bytes]) -> float:
    connection = sqlite3.connect(f"file:{_quoted(path)}?mode=ro", uri=True)
    connection.text_factory = text_factory
    try:
        started = time.perf_counter()
        connection.cursor().execute(sql).fetchall()
    finally:
        connection.close()
    return time.perf_counter() - started


def _quoted(path: str) -> str:
    return path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def make_handler(config: dict[str, Any]) -> Callable[[Any], Any]:
    """Return what a worker process calls for each (database file, gold query, prediction)."""
    return _Handler(config)
