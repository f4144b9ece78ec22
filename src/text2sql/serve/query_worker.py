"""The process that runs queries on a server or a DuckDB file, in the evaluator's worker pool.

A process, so that a driver that hangs, crashes or takes too much memory costs only its own query.
"""

from __future__ import annotations

import time
from typing import Any

from test_suite_sql_eval import worker
from test_suite_sql_eval.errors import DATABASE, MEMORY
from test_suite_sql_eval.executor import Result

from text2sql.errors import UserError
from text2sql.serve.json_rows import json_rows
from text2sql.sql.database import Database

MAX_MEMORY = 2 << 30  # DuckDB reserves more address space than it uses


class Reader:
    """Runs (SQL, most rows) on the database at ``url``, ``seconds`` at most.

    What it returns are the values of a `Result`, its rows as JSON takes them.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        self._url, self._seconds = config["url"], config["seconds"]
        self._held: Database | None = None

    def __call__(self, task: tuple[str, int]) -> tuple[Any, ...]:
        sql, max_rows = task
        started = time.monotonic()
        worker.set_alarm(self._seconds + worker.GRACE)
        try:
            result = self._run(sql, max_rows)
            if result.error_kind == DATABASE:  # a connection that was lost is opened once more
                result = self._run(sql, max_rows)
            rows, whole = json_rows(result)
            return rows, result.columns, result.error, result.error_kind, not whole, result.seconds
        except UserError as error:
            reason, kind = str(error), DATABASE
        except MemoryError:
            reason, kind = "the result takes too much memory", MEMORY
        return [], [], reason, kind, False, time.monotonic() - started

    def _run(self, sql: str, max_rows: int) -> Result:
        database = self._held or Database(self._url, self._seconds)
        database.max_rows = max_rows
        # A DuckDB file that is open cannot be written by its owner, so it is closed again.
        self._held = None if database.dialect == "duckdb" else database
        try:
            return database.run(sql)
        finally:
            if self._held is None:
                database.close()

    def close(self) -> None:
        """Close the connection."""
        if self._held:
            self._held.close()


make_handler = Reader  # the name by which worker processes find it
