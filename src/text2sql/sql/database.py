"""Run queries on a private database: read-only, over one connection, with limits."""

from __future__ import annotations

import threading
import time
from typing import Any, Protocol, Self

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from test_suite_sql_eval.errors import DATABASE
from test_suite_sql_eval.executor import Result, SqlExecutor

from text2sql.errors import UserError
from text2sql.schema.connect import (
    database_file,
    open_duckdb,
    open_engine,
    parse_url,
    shown_url,
    sql_dialect,
)

DEFAULT_TIMEOUT = 10.0
DEFAULT_MAX_ROWS = 10_000


class _Runner(Protocol):
    def run(self, sql: str, max_rows: int) -> Result: ...

    def close(self) -> None: ...


class Database:
    """A live database that is only read.

    SQLite queries run in the evaluator's sandbox. The others share one connection, opened again
    when it was lost. Statements reach the database as given: have `sql.validate` check what a
    model wrote first.

    Args:
        url: SQLAlchemy URL, or a SQLite file.
        timeout: seconds a statement may take.
        max_rows: most rows a result holds; more are cut off and the result says so.

    Raises:
        UserError: no such file, driver not installed, or the server cannot be reached.
    """

    def __init__(
        self, url: str, timeout: float = DEFAULT_TIMEOUT, max_rows: int = DEFAULT_MAX_ROWS
    ) -> None:
        parsed = parse_url(url)
        self.dialect = sql_dialect(parsed)
        self.shown = shown_url(parsed)
        self.timeout, self.max_rows = timeout, max_rows
        self._runner = _open(parsed, timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, sql: str) -> Result:
        """Execute one statement; a failed one is a result with an error, never an exception."""
        return self._runner.run(sql, self.max_rows)

    def close(self) -> None:
        """Close the connection."""
        self._runner.close()


def _open(url: sa.URL, timeout: float) -> _Runner:
    backend = url.get_backend_name()
    if backend == "sqlite":
        return _Sqlite(str(database_file(url)), timeout)
    if backend == "duckdb":
        return _DuckDB(url, timeout)
    return _Server(url, timeout)


class _Sqlite:
    def __init__(self, path: str, timeout: float) -> None:
        self._path, self._timeout = path, timeout
        self._executor = SqlExecutor()

    def run(self, sql: str, max_rows: int) -> Result:
        return self._executor.run(self._path, sql, self._timeout, max_rows)

    def close(self) -> None:
        self._executor.close()


class _DuckDB:
    def __init__(self, url: sa.URL, timeout: float) -> None:
        self._connection = open_duckdb(url)
        self._timeout = timeout

    def run(self, sql: str, max_rows: int) -> Result:
        import duckdb

        start = time.monotonic()
        timer = threading.Timer(self._timeout, self._connection.interrupt)
        timer.start()
        try:
            cursor = self._connection.execute(sql)
            names = [column[0] for column in cursor.description or ()]
            rows = cursor.fetchmany(max_rows + 1)
            return _result(rows, names, max_rows, start)
        except duckdb.InterruptException:
            return _failure("time limit reached", "timeout", start)
        except (duckdb.Error, RuntimeError) as error:
            return _failure(str(error), _kind(error), start)
        finally:
            timer.cancel()

    def close(self) -> None:
        self._connection.close()


class _Server:
    """PostgreSQL, MySQL, MariaDB, SQL Server: one connection, every statement rolled back."""

    def __init__(self, url: sa.URL, timeout: float) -> None:
        self._engine = open_engine(url, timeout)
        self._connection: sa.Connection | None = None
        try:
            self._connect()
        except SQLAlchemyError as error:
            self._engine.dispose()
            reason = str(error.__cause__ or error).splitlines()[0]
            raise UserError(f"{shown_url(url)}: cannot connect: {reason}") from None

    def _connect(self) -> sa.Connection:
        if self._connection is None:
            self._connection = self._engine.connect()
        return self._connection

    def run(self, sql: str, max_rows: int) -> Result:
        start = time.monotonic()
        try:
            connection = self._connect()
        except SQLAlchemyError as error:
            return _failure(str(error.__cause__ or error), DATABASE, start)
        try:
            cursor = connection.execution_options(no_parameters=True).exec_driver_sql(sql)
            if not cursor.returns_rows:
                return _failure("the statement gives no rows", "forbidden", start)
            names = list(cursor.keys())
            rows = [tuple(row) for row in cursor.fetchmany(max_rows + 1)]
            return _result(rows, names, max_rows, start)
        except SQLAlchemyError as error:
            cause = error.__cause__ or getattr(error, "orig", None) or error
            lost = isinstance(error, DBAPIError) and error.connection_invalidated
            return _failure(str(cause), DATABASE if lost else _kind(cause), start)
        finally:
            self._reset()

    def _reset(self) -> None:
        """End the transaction; a connection that cannot is dropped and opened anew when needed."""
        if self._connection is None:
            return
        try:
            self._connection.rollback()
            if not self._connection.invalidated:
                return
        except SQLAlchemyError:
            pass
        self._connection.close()
        self._connection = None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._engine.dispose()


def _result(rows: list[tuple[Any, ...]], names: list[str], max_rows: int, start: float) -> Result:
    truncated = len(rows) > max_rows
    return Result(rows[:max_rows], names, None, None, truncated, time.monotonic() - start)


def _failure(message: str, kind: str, start: float) -> Result:
    lines = message.strip().splitlines() or ["no reason given"]
    return Result([], [], lines[0], kind, False, time.monotonic() - start)


def _kind(error: BaseException) -> str:
    """Class of a failure, in the evaluator's words as far as a message tells."""
    text = f"{type(error).__name__} {error}".lower()
    for words, kind in (
        (("timeout", "querycanceled", "max_statement_time", "execution time exceeded"), "timeout"),
        (("read-only", "read only", "permission", "denied"), "forbidden"),
        (("undefinedtable", "doesn't exist", "table with name"), "no_such_table"),
        (("undefinedcolumn", "unknown column", "referenced column"), "no_such_column"),
        (("ambiguous",), "ambiguous_column"),
        (("undefinedfunction", "function with name", "function"), "no_such_function"),
        (("syntax",), "syntax"),
    ):
        if any(word in text for word in words):
            return kind
    return "other"
