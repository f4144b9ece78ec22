"""The configured database: its schema as it is now, and queries that can only read it."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError
from test_suite_sql_eval.errors import DATABASE
from test_suite_sql_eval.executor import Result
from test_suite_sql_eval.sandbox import readonly_uri

from text2sql.errors import UserError
from text2sql.schema import Schema, read_schema
from text2sql.schema.connect import DIALECT_NAMES, database_file, parse_url, sql_dialect
from text2sql.schema.deny import (
    DenyList,
    Hidden,
    hidden_in_schema,
    hidden_in_sqlite,
    without_hidden,
)
from text2sql.serve.config import ServeConfig
from text2sql.serve.messages import Refusal, database_gone
from text2sql.serve.queries import CheckedDatabase, SqliteFile, file_stamp
from text2sql.serve.query_process import Stop

log = logging.getLogger("text2sql.serve")

FILES = frozenset({"sqlite", "duckdb"})
NOT_RUN = frozenset({"tsql"})  # it has neither sessions that only read nor a limit of time
NOTHING: Hidden = {}
Given = TypeVar("Given")


class LiveDatabase:
    """A database that is asked while others may change it; safe to share between threads.

    `kind` is the name by which people know such databases; `executes` says whether queries can be
    run on it.

    Args:
        config: the service's settings, with `db_url`.

    Raises:
        UserError: there is no such database, or its schema cannot be read.
    """

    def __init__(self, config: ServeConfig) -> None:
        assert config.db_url is not None
        self._config, self._url = config, config.db_url.get_secret_value()
        url = parse_url(self._url)
        self.dialect = sql_dialect(url)
        self.kind = DIALECT_NAMES[self.dialect]
        self.executes = self.dialect not in NOT_RUN
        self._path = database_file(url) if self.dialect in FILES else None
        self._lock = threading.Lock()
        self._schema: Schema | None = None
        self._deny, self._hidden = DenyList.parse(config.denied), NOTHING
        self._seen: Any = None
        self._read(self._state())
        workers = config.query_workers + 2  # one for checks, one for the model's thread
        self._asked: SqliteFile | CheckedDatabase = (
            SqliteFile(self._path, config, workers)
            if self.dialect == "sqlite" and self._path
            else CheckedDatabase(self._url, config, self.dialect, self._visible, workers)
        )
        # Checks have a thread of their own, so that slow queries do not hold up other answers.
        self._queries = ThreadPoolExecutor(config.query_workers, "query")
        self._checks = ThreadPoolExecutor(1, "check")
        self._changing = threading.Lock()
        self._running: set[Stop] = set()
        self._closed = False

    def close(self) -> None:
        """Stop the queries that run, and the threads and processes that run them.

        What is asked from now on fails: nobody is there any more to read it.
        """
        with self._changing:
            self._closed = True
            running = list(self._running)
        for stop in running:
            stop.set()
        self._queries.shutdown(cancel_futures=True)
        self._checks.shutdown(cancel_futures=True)
        self._asked.close()

    def schema(self) -> Schema:
        """Return the schema as it is now, without what is denied.

        Raises:
            Refusal: the database is not there.
        """
        return self._visible()[0]

    def _visible(self) -> tuple[Schema, Hidden]:
        with self._lock:
            state = self._state()
            if self._schema is None or state != self._seen:
                try:
                    self._read(state)
                except UserError as error:
                    self._schema = None
                    log.error("schema not read", extra={"fields": {"reason": str(error)}})
                    raise database_gone() from None
            assert self._schema is not None
            return self._schema, self._hidden

    def _read(self, state: Any) -> None:
        config = self._config
        schema = read_schema(
            self._url,
            config.samples,
            personal_data=config.personal_data,
            timeout=config.query_seconds,
        )
        if config.denied:
            self._hidden = self._what_is_hidden(schema)
            schema = without_hidden(schema, self._hidden)
        self._schema, self._seen = schema, state

    def _what_is_hidden(self, schema: Schema) -> Hidden:
        if self.dialect != "sqlite" or self._path is None:
            return hidden_in_schema(schema, self._deny)
        with closing(sqlite3.connect(readonly_uri(str(self._path)), uri=True)) as connection:
            return hidden_in_sqlite(connection, self._deny)

    def _state(self) -> Any:
        """What tells whether the schema has to be read anew."""
        if self._path:
            return file_stamp(self._path) if self._path.is_file() else None
        seconds = self._config.schema_seconds
        return int(time.monotonic() / seconds) if seconds else time.monotonic()

    async def fault(self, sql: str) -> str | None:
        """Return why the database would not run a query, None when it would; nothing is run."""
        result = await self._within_limit(self._checks, lambda stop: self._asked.fault(sql, stop))
        return _there(result).error

    async def rows(self, sql: str, max_rows: int) -> tuple[Result, list[str]]:
        """Run a query as `query` does, when its turn comes; raise Refusal if that is too late.

        Where the caller is cancelled, the query is stopped.
        """
        result, warnings = await self._within_limit(
            self._queries, lambda stop: self._asked.query(sql, max_rows, stop)
        )
        return _there(result), warnings

    async def _within_limit(self, pool: ThreadPoolExecutor, run: Callable[[Stop], Given]) -> Given:
        stop = Stop()
        limit = self._config.request_seconds
        waiting = asyncio.get_running_loop().run_in_executor(pool, self._stoppable, run, stop)
        try:
            return await asyncio.wait_for(waiting, limit)
        except TimeoutError:
            message = f"no query worker was free within {limit:g} seconds"
            raise Refusal(504, "timeout", message, 5) from None
        finally:
            stop.set()  # it is done, or nobody waits for it any more

    def _stoppable(self, run: Callable[[Stop], Given], stop: Stop) -> Given:
        """Run something that is also stopped when the database is closed."""
        with self._changing:
            self._running.add(stop)
            closed = self._closed
        if closed:
            stop.set()
        try:
            return run(stop)
        finally:
            with self._changing:
                self._running.discard(stop)

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
        result, warnings = self._stoppable(
            lambda stop: self._asked.query(sql, max_rows, stop), Stop()
        )
        return _there(result), warnings

    def run(self, _db_id: str, queries: Sequence[str]) -> list[Result]:
        """Return the result of each query, for voting and repair; an empty query is an error."""
        return [self.query(sql or "NO_SQL", self._config.max_rows)[0] for sql in queries]


def _there(result: Result) -> Result:
    """Return a result; raise Refusal where it says that the database is gone."""
    if result.error_kind == DATABASE:
        log.error("database not reached", extra={"fields": {"reason": result.error}})
        raise database_gone()
    return result


def url_secrets(url: str) -> list[str]:
    """Return the parts of a database URL, if there is one, that must not be shown."""
    try:
        password = sa.make_url(url).password
    except ArgumentError:
        return [url]
    if not password:
        return []
    typed = url.split("://", 1)[-1].rsplit("@", 1)[0].partition(":")[2]  # as written, with escapes
    return [url, str(password), typed]
