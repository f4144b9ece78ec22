"""The project's one way to execute SQL that a model wrote.

>>> with SqlExecutor() as executor:                                       # doctest: +SKIP
...     executor.run("concert_singer.sqlite", "SELECT count(*) FROM singer").rows
[(6,)]

What is covered and what is not is said in ``sandbox.py`` (inside the process) and ``worker.py``
(around it): reading only, a wall-clock limit that holds for every query, caps on rows, memory and
temporary files; a killed worker costs only its own query.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from os import PathLike
from typing import Any

from . import worker
from .errors import QueryError
from .pool import Failure, Pool
from .sandbox import Session

DEFAULT_TIMEOUT = 30.0
DEFAULT_MAX_ROWS = 100_000
DEFAULT_MAX_MEMORY = 1 << 30


@dataclass(frozen=True)
class Result:
    """What came of one query.

    Attributes:
        rows: the rows, at most ``max_rows`` of them; empty if the query failed.
        columns: the column names.
        error: None, or the reason in plain words.
        error_kind: None, or an error class of ``errors``.
        truncated: whether there were more than ``max_rows`` rows.
        seconds: wall time inside the worker (the limit for a killed one).
    """

    rows: list[tuple[Any, ...]]
    columns: list[str]
    error: str | None
    error_kind: str | None
    truncated: bool
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether the query ran without an error."""
        return self.error is None


def make_handler(_config: dict[str, Any]) -> Callable[[Any], Any]:
    """Return the function a worker process calls for each query."""
    return handler_of(Session())


def handler_of(session: Session) -> Callable[[tuple[str, str, float, int]], tuple[Any, ...]]:
    """Return what runs (path, SQL, seconds, most rows) in a session and gives a result's values."""

    def handle(task: tuple[str, str, float, int]) -> tuple[Any, ...]:
        path, sql, timeout, max_rows = task
        start = time.monotonic()
        worker.set_alarm(timeout + worker.GRACE)
        session.set_limits(timeout)
        try:
            rows, names, complete = session.run(path, sql, max_rows)
        except QueryError as error:
            return [], [], error.message, error.kind, False, time.monotonic() - start
        return rows, names, None, None, not complete, time.monotonic() - start

    return handle


class SqlExecutor:
    """Executes SQL in worker processes; safe to share between threads.

    Args:
        jobs: worker processes for ``run_many``.
        max_memory: bytes a worker may use beyond what Python itself needs.
    """

    def __init__(self, jobs: int = 1, max_memory: int = DEFAULT_MAX_MEMORY) -> None:
        self._pool = Pool("test_suite_sql_eval.executor", {"max_memory": max_memory}, jobs)
        self._lock = threading.Lock()

    def __enter__(self) -> SqlExecutor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the worker processes."""
        with self._lock:
            self._pool.close()

    def run(
        self,
        db_path: str | PathLike[str],
        sql: str,
        timeout: float = DEFAULT_TIMEOUT,
        max_rows: int = DEFAULT_MAX_ROWS,
    ) -> Result:
        """Execute one query.

        Args:
            db_path: the SQLite file; it is never written to and never created.
            sql: one statement; it may only read.
            timeout: wall-clock seconds.
            max_rows: rows to return at most.

        Returns:
            A ``Result``; a failed query is a result with an error, never an exception.
        """
        return next(iter(self.run_many([(db_path, sql)], timeout, max_rows)))

    def run_many(
        self,
        queries: Iterable[tuple[str | PathLike[str], str]],
        timeout: float = DEFAULT_TIMEOUT,
        max_rows: int = DEFAULT_MAX_ROWS,
    ) -> list[Result]:
        """Execute many (database, query) pairs over all workers; results keep the order."""
        tasks = [(str(path), sql, timeout, max_rows) for path, sql in queries]
        results: list[Result | None] = [None] * len(tasks)
        batches = [[(index, task)] for index, task in enumerate(tasks)]
        with self._lock:
            for index, answer in self._pool.map(batches):
                results[index] = _to_result(answer, timeout)
        return [result for result in results if result is not None]


def _to_result(answer: Any, timeout: float) -> Result:
    if isinstance(answer, Failure):
        return Result([], [], answer.message, answer.kind, False, timeout)
    return Result(*answer)
