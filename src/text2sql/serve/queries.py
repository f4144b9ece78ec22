"""How queries are run: on a SQLite file in the sandbox, elsewhere checked first; in processes."""

from __future__ import annotations

import queue
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from test_suite_sql_eval.errors import FORBIDDEN, SYNTAX
from test_suite_sql_eval.executor import DEFAULT_MAX_MEMORY, Result

from text2sql.schema import Schema
from text2sql.schema.deny import Hidden
from text2sql.serve.config import ServeConfig
from text2sql.serve.messages import database_gone
from text2sql.serve.query_process import QueryProcess, Stop
from text2sql.serve.query_worker import MAX_MEMORY
from text2sql.sql.restrict import restricted
from text2sql.sql.validate import Checked, Rejected, Validator, limited_sql

Stamp = tuple[int, ...]
# Modules whose handlers run in the processes.
EXECUTOR = "test_suite_sql_eval.executor"
RESTRICTED = "text2sql.serve.restricted_sqlite"
READER = "text2sql.serve.query_worker"
CHANGED = "the database changed while the query ran; its rows may mix two states"
UNREAD_LOG = (
    "the database has changes in its write-ahead log that are not read;"
    " run PRAGMA wal_checkpoint to see them"
)


class SqliteFile:
    """A file that is asked while others may change it; safe to share between threads.

    Args:
        path: the file.
        config: limits.
        workers: how many queries may run at a time.
    """

    def __init__(self, path: Path, config: ServeConfig, workers: int) -> None:
        self._path, self._config = path, config
        seconds, handler = config.query_seconds, RESTRICTED if config.denied else EXECUTOR
        settings = {"max_memory": DEFAULT_MAX_MEMORY, "denied": config.denied}
        # Each with the state of the file that it has open.
        self._processes: queue.LifoQueue[tuple[QueryProcess, Stamp]] = queue.LifoQueue()
        for _ in range(workers):
            self._processes.put((QueryProcess(handler, settings, seconds), ()))

    def close(self) -> None:
        """End the processes that run queries."""
        while not self._processes.empty():
            self._processes.get_nowait()[0].close()

    def fault(self, sql: str, stop: Stop) -> Result:
        """Return a failure that says why SQLite would not run a query, if so; nothing is run."""
        return self.query(f"EXPLAIN {sql}", 1, stop)[0]

    def query(self, sql: str, max_rows: int, stop: Stop) -> tuple[Result, list[str]]:
        """Run one query that reads; for the rest see `LiveDatabase.query`."""
        process, stamp = self._processes.get()
        try:
            before = file_stamp(self._path)
            if stamp != before:  # the open file would show its old state for ever
                process.close()
                stamp = before
            task = (str(self._path), sql, self._config.query_seconds, max_rows)
            result = process.run(task, stop)
            warnings = [CHANGED] if file_stamp(self._path) != before else []
        finally:
            self._processes.put((process, stamp))
        return result, warnings + ([UNREAD_LOG] if _log_bytes(self._path, "-wal") else [])


def file_stamp(path: Path) -> Stamp:
    """Identity, size and time of a database file and the sizes of its write-ahead log.

    Raises:
        Refusal: there is no such file any more.
    """
    try:
        facts = path.stat()
    except OSError:
        raise database_gone() from None
    logs = (_log_bytes(path, "-wal"), _log_bytes(path, ".wal"))  # SQLite's, DuckDB's
    return (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, *logs)


def _log_bytes(path: Path, ending: str) -> int:
    try:
        return path.with_name(path.name + ending).stat().st_size
    except OSError:
        return 0


class CheckedDatabase:
    """A database that is not SQLite's; safe to share between threads.

    There, other than with SQLite, a session that may only read can still call functions that
    sleep, read files or write. So nothing is run but what `sql.allowlist` knows to only read,
    over tables and columns of the schema, and a LIMIT is put on it.

    Args:
        url: SQLAlchemy URL.
        config: limits.
        dialect: sqlglot's name of its SQL.
        schema: gives the schema as it is now, and what of it is hidden.
        workers: how many queries may run at a time.
    """

    def __init__(
        self,
        url: str,
        config: ServeConfig,
        dialect: str,
        schema: Callable[[], tuple[Schema, Hidden]],
        workers: int,
    ) -> None:
        self._dialect, self._schema = dialect, schema
        settings = {"url": url, "seconds": config.query_seconds, "max_memory": MAX_MEMORY}
        self._processes: queue.LifoQueue[QueryProcess] = queue.LifoQueue()
        for _ in range(workers):
            self._processes.put(QueryProcess(READER, settings, config.query_seconds))
        trusted = config.trusted_functions
        self._validator = lru_cache(maxsize=1)(
            lambda schema: Validator(schema, dialect, functions=trusted)
        )

    def close(self) -> None:
        """End the processes that run queries."""
        while not self._processes.empty():
            self._processes.get_nowait().close()

    def fault(self, sql: str, _: Stop) -> Result:
        """Return a failure that says why a query would not be run, if so; nothing is run."""
        checked = self._check(sql, self._schema()[0])
        return checked if isinstance(checked, Result) else Result([], [], None, None, False, 0.0)

    def query(self, sql: str, max_rows: int, stop: Stop) -> tuple[Result, list[str]]:
        """Run one query that reads; for the rest see `LiveDatabase.query`."""
        schema, hidden = self._schema()
        checked = self._check(sql, schema)
        if isinstance(checked, Result):
            return checked, []
        text, tree = checked.sql, restricted(checked.tree, schema, hidden)
        if tree is not checked.tree:
            text = tree.sql(dialect=self._dialect)
        # One more, by which it is seen that there are more.
        bound = limited_sql(text, tree, self._dialect, max_rows + 1)
        process = self._processes.get()
        try:
            return process.run((bound, max_rows), stop), []
        finally:
            self._processes.put(process)

    def _check(self, sql: str, schema: Schema) -> Checked | Result:
        """Return the checked query, or a failure that says why it must not be run."""
        validator = self._validator(schema)
        try:
            return validator.check(sql)
        except Rejected as error:
            kind = SYNTAX if error.layer == "schema" else FORBIDDEN
            return Result([], [], error.reason, kind, False, 0.0)
