"""Queries on PostgreSQL, MySQL, MariaDB and DuckDB, checked first and run in other processes."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from test_suite_sql_eval.errors import FORBIDDEN, SYNTAX
from test_suite_sql_eval.executor import Result
from test_suite_sql_eval.pool import Failure, Pool

from text2sql.schema import Schema
from text2sql.serve.config import ServeConfig
from text2sql.serve.query_worker import MAX_MEMORY
from text2sql.sql.validate import Rejected, Validator, limited_sql


class RemoteDatabase:
    """A database that is not SQLite's; safe to share between threads.

    There, other than with SQLite, a session that may only read can still call functions that
    sleep, read files or write. So nothing is run but what `sql.allowlist` knows to only read,
    over tables and columns of the schema, and a LIMIT is put on it.

    Args:
        config: limits, and the URL.
        dialect: sqlglot's name of its SQL.
        schema: gives the schema as it is now.
        workers: how many queries may run at a time.
    """

    def __init__(
        self, config: ServeConfig, dialect: str, schema: Callable[[], Schema], workers: int
    ) -> None:
        assert config.db_url is not None
        self._config, self._dialect, self._schema = config, dialect, schema
        settings = {
            "url": config.db_url.get_secret_value(),
            "seconds": config.query_seconds,
            "max_memory": MAX_MEMORY,
        }
        self._pools: queue.LifoQueue[Pool] = queue.LifoQueue()
        for _ in range(workers):
            self._pools.put(Pool("text2sql.serve.query_worker", settings, 1))
        self._lock = threading.Lock()
        self._known: tuple[Schema, Validator] | None = None

    def close(self) -> None:
        """End the processes that run queries."""
        while not self._pools.empty():
            self._pools.get_nowait().close()

    def fault(self, sql: str) -> Result:
        """Return a failure that says why a query would not be run, if so; nothing is run."""
        try:
            self._validator().check(sql)
        except Rejected as error:
            return _rejected(error)
        return Result([], [], None, None, False, 0.0)

    def query(self, sql: str, max_rows: int) -> tuple[Result, list[str]]:
        """Run one query that reads; for the rest see `LiveDatabase.query`."""
        try:
            checked = self._validator().check(sql)
        except Rejected as error:
            return _rejected(error), []
        # One more, by which it is seen that there are more.
        bound = limited_sql(checked.sql, checked.tree, self._dialect, max_rows + 1)
        pool = self._pools.get()
        try:
            ((_, answer),) = pool.map([[(0, (bound, max_rows))]])
        finally:
            self._pools.put(pool)
        if isinstance(answer, Failure):
            limit = self._config.query_seconds
            return Result([], [], answer.message, answer.kind, False, limit), []
        return Result(*answer), []

    def _validator(self) -> Validator:
        schema = self._schema()
        with self._lock:
            if self._known is None or self._known[0] is not schema:
                trusted = self._config.trusted_functions
                self._known = schema, Validator(schema, self._dialect, functions=trusted)
            return self._known[1]


def _rejected(error: Rejected) -> Result:
    kind = SYNTAX if error.layer == "schema" else FORBIDDEN
    return Result([], [], error.reason, kind, False, 0.0)
