"""The configured database: its schema as it is now, and queries that can only read it."""

from __future__ import annotations

import asyncio
import logging
import math
import queue
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError
from test_suite_sql_eval.errors import DATABASE
from test_suite_sql_eval.executor import Result, SqlExecutor

from text2sql.errors import UserError
from text2sql.schema import Schema, read_schema
from text2sql.serve.config import ServeConfig
from text2sql.serve.refusal import Refusal

log = logging.getLogger("text2sql.serve")

DIALECTS = {"postgresql": "postgres", "mssql": "tsql", "mariadb": "mysql"}  # sqlglot's names
Stamp = tuple[int, ...]
LARGEST_EXACT = 2**53  # above it, numbers in JSON are not exact in a browser
MAX_CELL_CHARACTERS = 2000
MAX_ANSWER_CHARACTERS = 4_000_000
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


class LiveDatabase:
    """A database that is asked while others may change it; safe to share between threads.

    Only SQLite files are queried, since the project's one SQL executor runs SQLite; of other
    databases the schema is read and the SQL is checked against it.

    Args:
        config: the service's settings, with `db_url`.

    Raises:
        UserError: there is no such database, or its schema cannot be read.
    """

    def __init__(self, config: ServeConfig) -> None:
        assert config.db_url is not None
        self._config, self._url = config, config.db_url.get_secret_value()
        self.path = sqlite_path(self._url)
        self.dialect = "sqlite" if self.path else _dialect(self._url)
        self._slots: queue.LifoQueue[_Slot] = queue.LifoQueue()
        for _ in range(config.query_workers + 2):  # one for checks, one for the model's thread
            self._slots.put(_Slot())
        # Checks have a thread of their own, so that slow queries do not hold up other answers.
        self._queries = ThreadPoolExecutor(config.query_workers, "query")
        self._checks = ThreadPoolExecutor(1, "check")
        self._lock = threading.Lock()
        self._schema: Schema | None = None
        self._seen: Any = None
        self._read(self._state())

    @property
    def executes(self) -> bool:
        """Whether queries can be run on it."""
        return self.path is not None

    def close(self) -> None:
        """Stop the threads and processes that run queries."""
        self._queries.shutdown(cancel_futures=True)
        self._checks.shutdown(cancel_futures=True)
        while not self._slots.empty():
            self._slots.get_nowait().executor.close()

    def schema(self) -> Schema:
        """Return the schema as it is now; raise Refusal when the database is not there."""
        with self._lock:
            state = self._state()
            if self._schema is None or state != self._seen:
                try:
                    self._read(state)
                except UserError as error:
                    self._schema = None
                    log.error("schema not read", extra={"fields": {"reason": str(error)}})
                    raise _gone() from None
            assert self._schema is not None
            return self._schema

    def _read(self, state: Any) -> None:
        source = self.path or self._url
        config = self._config
        self._schema = read_schema(source, config.samples, personal_data=config.personal_data)
        self._seen = state

    def _state(self) -> Any:
        """What tells whether the schema has to be read anew."""
        if self.path:
            return self._stamp() if self.path.is_file() else None
        seconds = self._config.schema_seconds
        return int(time.monotonic() / seconds) if seconds else time.monotonic()

    def _stamp(self) -> Stamp:
        """Identity, size and time of the file and of its write-ahead log."""
        assert self.path is not None
        try:
            found = self.path.stat()
        except OSError:
            raise _gone() from None
        return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, self._log_bytes())

    def _log_bytes(self) -> int:
        assert self.path is not None
        try:
            return self.path.with_name(self.path.name + "-wal").stat().st_size
        except OSError:
            return 0

    async def fault(self, sql: str) -> str | None:
        """Return why SQLite would not run a query, None when it would; nothing is run."""
        result, _ = await self._within_limit(self._checks, f"EXPLAIN {sql}", 1)
        return result.error

    async def rows(self, sql: str, max_rows: int) -> tuple[Result, list[str]]:
        """Run a query as `query` does, when its turn comes; raise Refusal if that is too late."""
        return await self._within_limit(self._queries, sql, max_rows)

    async def _within_limit(
        self, pool: ThreadPoolExecutor, sql: str, max_rows: int
    ) -> tuple[Result, list[str]]:
        waiting = asyncio.get_running_loop().run_in_executor(pool, self.query, sql, max_rows)
        limit = self._config.request_seconds
        try:
            result, warnings = await asyncio.wait_for(waiting, limit)
        except TimeoutError:
            message = f"no query worker was free within {limit:g} seconds"
            raise Refusal(504, "timeout", message, 5) from None
        if result.error_kind == DATABASE:
            raise _gone()
        return result, warnings

    def query(self, sql: str, max_rows: int) -> tuple[Result, list[str]]:
        """Run one query that reads.

        Args:
            sql: one statement.
            max_rows: rows to return at most.

        Returns:
            The result, failed or not, and warnings about what it was read from.

        Raises:
            Refusal: the database is gone.
        """
        assert self.path is not None
        limit = self._config.query_seconds
        slot = self._slots.get()
        try:
            before = self._stamp()
            if slot.stamp != before:  # the open file would show its old state for ever
                slot.executor.close()
                slot.stamp = before
            result = slot.executor.run(self.path, sql, limit, max_rows)
            warnings = [CHANGED] if self._stamp() != before else []
        finally:
            self._slots.put(slot)
        return result, warnings + ([UNREAD_LOG] if self._log_bytes() else [])

    def run(self, _db_id: str, queries: Sequence[str]) -> list[Result]:
        """Return the result of each query, for voting and repair; an empty query is an error."""
        return [self.query(sql or "NO_SQL", self._config.max_rows)[0] for sql in queries]


def sqlite_path(url: str) -> Path | None:
    """Return the file that a path or a sqlite URL names, None for other databases."""
    if "://" not in url:
        return Path(url)
    try:
        parsed = sa.make_url(url)
    except ArgumentError:
        return None
    if parsed.get_backend_name() != "sqlite":
        return None
    if not parsed.database or parsed.database == ":memory:":
        raise UserError("db_url: a SQLite URL needs a file, as in sqlite:///folder/shop.sqlite")
    return Path(parsed.database)


def _dialect(url: str) -> str:
    try:
        name = sa.make_url(url).get_backend_name()
    except ArgumentError:
        raise UserError(
            "db_url: neither a SQLite file nor a URL such as postgresql://user@host/database"
        ) from None
    return DIALECTS.get(name, name)


def url_secrets(url: str) -> list[str]:
    """Return the parts of a database URL that must not be shown."""
    try:
        password = sa.make_url(url).password
    except ArgumentError:
        return [url]
    if not password:
        return []
    typed = url.split("://", 1)[-1].rsplit("@", 1)[0].partition(":")[2]  # as written, with escapes
    return [url, str(password), typed]


def _gone() -> Refusal:
    return Refusal(503, "database", "the database cannot be reached; the server's log says more", 5)


def json_rows(result: Result) -> tuple[list[list[Any]], bool]:
    """Return rows as JSON takes them, and whether all are there in full.

    Long texts are cut and rows end where the answer would get too large. Blobs become SQL literals
    in hexadecimal; numbers that JSON or a browser cannot hold exactly become texts.
    """
    rows: list[list[Any]] = []
    size, whole = 0, not result.truncated
    for row in result.rows:
        cells = [_cell(value) for value in row]
        size += sum(len(str(cell)) for cell in cells)
        if size > MAX_ANSWER_CHARACTERS:
            return rows, False
        rows.append(cells)
    return rows, whole


def _cell(value: Any) -> Any:
    if isinstance(value, bytes):
        value = f"x'{value[:MAX_CELL_CHARACTERS].hex()}'"
    elif (isinstance(value, int) and abs(value) > LARGEST_EXACT) or (
        isinstance(value, float) and not math.isfinite(value)
    ):
        value = str(value)
    if isinstance(value, str) and len(value) > MAX_CELL_CHARACTERS:
        return value[:MAX_CELL_CHARACTERS] + "..."
    return value


def _exact(value: int | float) -> bool:
    return abs(value) <= LARGEST_EXACT if isinstance(value, int) else math.isfinite(value)
