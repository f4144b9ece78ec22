"""Queries on a SQLite file, by the project's SQL executor."""

from __future__ import annotations

import queue
from dataclasses import dataclass, field
from pathlib import Path

from test_suite_sql_eval.executor import Result, SqlExecutor

from text2sql.serve.config import ServeConfig
from text2sql.serve.refusal import database_gone

Stamp = tuple[int, ...]
CHANGED = "the database changed while the query ran; its rows may mix two states"
UNREAD_LOG = (
    "the database has changes in its write-ahead log that are not read;"
    " run PRAGMA wal_checkpoint to see them"
)


@dataclass
class _Slot:
    """An executor and the state of the file that it has open."""

    executor: SqlExecutor = field(default_factory=SqlExecutor)
    stamp: Stamp = ()


class SqliteFile:
    """A file that is asked while others may change it; safe to share between threads.

    Args:
        path: the file.
        config: limits.
        workers: how many queries may run at a time.
    """

    def __init__(self, path: Path, config: ServeConfig, workers: int) -> None:
        self._path, self._config = path, config
        self._slots: queue.LifoQueue[_Slot] = queue.LifoQueue()
        for _ in range(workers):
            self._slots.put(_Slot())

    def close(self) -> None:
        """End the processes that run queries."""
        while not self._slots.empty():
            self._slots.get_nowait().executor.close()

    def fault(self, sql: str) -> Result:
        """Return a failure that says why SQLite would not run a query, if so; nothing is run."""
        return self.query(f"EXPLAIN {sql}", 1)[0]

    def query(self, sql: str, max_rows: int) -> tuple[Result, list[str]]:
        """Run one query that reads; for the rest see `LiveDatabase.query`."""
        slot = self._slots.get()
        try:
            before = file_stamp(self._path)
            if slot.stamp != before:  # the open file would show its old state for ever
                slot.executor.close()
                slot.stamp = before
            result = slot.executor.run(self._path, sql, self._config.query_seconds, max_rows)
            warnings = [CHANGED] if file_stamp(self._path) != before else []
        finally:
            self._slots.put(slot)
        return result, warnings + ([UNREAD_LOG] if _log_bytes(self._path, "-wal") else [])


def file_stamp(path: Path) -> Stamp:
    """Identity, size and time of a database file and the sizes of its write-ahead log.

    Raises:
        Refusal: there is no such file any more.
    """
    try:
        found = path.stat()
    except OSError:
        raise database_gone() from None
    logs = (_log_bytes(path, "-wal"), _log_bytes(path, ".wal"))  # SQLite's, DuckDB's
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, *logs)


def _log_bytes(path: Path, ending: str) -> int:
    try:
        return path.with_name(path.name + ending).stat().st_size
    except OSError:
        return 0
