"""Database sessions that can read and nothing else, wherever the database knows such a thing."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from text2sql.errors import UserError
from text2sql.schema.postgres_values import load_all_times

# The driver taken where a URL names none, and sqlglot's name for the dialect.
DRIVERS = {
    "postgresql": ("postgresql+psycopg", "postgres"),
    "mysql": ("mysql+pymysql", "mysql"),
    "mariadb": ("mariadb+pymysql", "mysql"),
    "mssql": ("mssql+pyodbc", "tsql"),
    "sqlite": ("sqlite", "sqlite"),
    "duckdb": ("duckdb", "duckdb"),
}
# The names by which people know the dialects.
DIALECT_NAMES = {
    "sqlite": "SQLite",
    "duckdb": "DuckDB",
    "postgres": "PostgreSQL",
    "mysql": "MySQL",
    "tsql": "SQL Server",
}
CONNECT_SECONDS = 10


def parse_url(text: str) -> sa.URL:
    """Return a database URL, or the URL of a SQLite file given by its path.

    Raises:
        UserError: not a URL, or of a database we have no dialect for.
    """
    if "://" not in text:
        return sa.URL.create("sqlite", database=text)
    try:
        url = sa.make_url(text)
    except ArgumentError:
        raise UserError("database URL: cannot read it; it looks like postgresql://...") from None
    if url.get_backend_name() not in DRIVERS:
        raise UserError(
            f"{shown_url(url)}: cannot open this database; known: {', '.join(sorted(DRIVERS))}"
        )
    return url


def shown_url(url: sa.URL) -> str:
    """The URL for messages: a file as its path, a password left out."""
    if url.get_backend_name() in ("sqlite", "duckdb") and url.database:
        return url.database
    return url.render_as_string(hide_password=True)


def sql_dialect(url: sa.URL) -> str:
    """Return sqlglot's name of the SQL that the database speaks."""
    return DRIVERS[url.get_backend_name()][1]


def database_file(url: sa.URL) -> Path:
    """Return the file of an embedded database; raise UserError when there is none."""
    path = Path(url.database or "")
    if not path.is_file():
        raise UserError(
            f"{url.database}: no such database file (a URL looks like postgresql://...)"
        )
    return path


def open_engine(url: sa.URL, timeout: float | None = None) -> sa.Engine:
    """Return an engine whose every session is read-only. DuckDB is not among its databases.

    SQLite opens the file in mode ``ro``; PostgreSQL and MySQL/MariaDB set their sessions read-only
    and stop statements that take longer than `timeout`. SQL Server has neither: give it a user who
    may only read.

    Args:
        url: from `parse_url`.
        timeout: seconds a statement may take, on servers.

    Raises:
        UserError: no such file, or the driver is not installed.
    """
    backend = url.get_backend_name()
    if backend == "sqlite":
        file = "file:" + quote(str(database_file(url).resolve()))
        read_only = {"mode": "ro", "uri": "true"}
        return sa.create_engine(sa.URL.create("sqlite", database=file, query=read_only))
    if "+" not in url.drivername:
        url = url.set(drivername=DRIVERS[backend][0])
    arguments: dict[str, Any] = {}
    if backend in ("postgresql", "mysql", "mariadb"):
        arguments["connect_timeout"] = CONNECT_SECONDS
    try:
        engine = sa.create_engine(url, connect_args=arguments, pool_pre_ping=False)
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{shown_url(url)}: cannot open this database: {reason}; install its driver into .venv"
        ) from None
    if backend == "postgresql":
        engine = engine.execution_options(postgresql_readonly=True)
        sa.event.listen(engine, "connect", lambda raw, _: _prepare_postgresql(raw, timeout))
    elif backend in ("mysql", "mariadb"):
        sa.event.listen(engine, "connect", lambda raw, _: _prepare_mysql(raw, timeout))
    return engine


def _prepare_postgresql(raw: Any, timeout: float | None) -> None:
    load_all_times(raw)
    with raw.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
        # Texts must end for the server where they end for whoever checked the statement.
        cursor.execute("SET standard_conforming_strings = on")
        if timeout:
            cursor.execute(f"SET statement_timeout = {int(timeout * 1000)}")
            cursor.execute(f"SET lock_timeout = {int(timeout * 1000)}")
    raw.commit()


def _prepare_mysql(raw: Any, timeout: float | None) -> None:
    with raw.cursor() as cursor:
        cursor.execute("SET SESSION TRANSACTION READ ONLY")
        # As in _prepare_postgresql.
        cursor.execute("SET sql_mode = REPLACE(@@sql_mode, 'NO_BACKSLASH_ESCAPES', '')")
        if timeout:
            cursor.execute("SELECT VERSION()")
            is_mariadb = "mariadb" in str(cursor.fetchone()[0]).lower()
            limit = (
                f"max_statement_time = {timeout}"
                if is_mariadb
                else f"max_execution_time = {int(timeout * 1000)}"
            )
            cursor.execute(f"SET SESSION {limit}")


def open_duckdb(url: sa.URL) -> Any:
    """Open a DuckDB file for reading, without access to other files or to the network.

    SQLAlchemy's dialect for DuckDB does not work with the versions locked here, so this is DuckDB's
    own client.

    Raises:
        UserError: no such file, not a DuckDB file, or the driver is not installed.
    """
    try:
        import duckdb
    except ModuleNotFoundError:
        raise UserError(f"{shown_url(url)}: duckdb is not installed; run 'make setup'") from None
    path = database_file(url)
    try:
        closed: dict[str, Any] = {"enable_external_access": False, "lock_configuration": True}
        return duckdb.connect(str(path), read_only=True, config=closed)
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path}: cannot read this database: {reason}") from None
