"""Run untrusted SQL on a SQLite file, inside one process.

Covered here:

* the file is opened read-only and immutable, so nothing can be written to it, no journal is made
  and a missing file is an error, never a new empty file;
* an authorizer lets a statement read and nothing else: no ATTACH, no writes (temporary tables
  included), no transactions, no extension loading, and only PRAGMAs that describe the schema;
* virtual tables (FTS3/4/5, R-tree, json_each, pragma_table_info and the like) are read under the
  same authorizer.  Only what SQLite itself runs to construct one, which looks like a write, runs
  before it is set; no part of a query does;
* one statement a call; SQLite's own limits on string length and attached databases;
* a progress handler stops a statement at its deadline, after its share of SQLite's steps, and where
  its temporary files grow large.

Not covered here, but by the worker process around it (``worker.py``): a single SQLite instruction
that never ends (LIKE or printf blow-ups), memory, crashes.

Not covered at all: faults in the SQLite library itself, hostile *database files*, databases in WAL
mode with changes that are not checkpointed (an immutable connection does not see them).
"""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from collections import OrderedDict

from .errors import DATABASE, FORBIDDEN, TIMEOUT, TOO_BIG, QueryError, classify

TYPE_CHECKING = False  # importing typing takes milliseconds
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

#: Longest string or blob a query may build, in bytes (SQLite's default is 1,000,000,000).
MAX_VALUE_BYTES = 64_000_000
#: SQLite's steps (bytecode instructions) between two looks at the limits: well under a millisecond.
_CLOCK_STEPS = 20_000
#: Steps that a statement costs at least, for being prepared.
_STATEMENT_STEPS = 1000
#: Bytes of all temporary files of a query, and seconds between two looks at them.
_MAX_TEMPORARY = 2 << 30
_LOOK_EVERY = 0.25
#: Open connections kept for re-use.
_MAX_OPEN = 200

_TABLE_PRAGMAS = ("table_info", "table_xinfo", "table_list", "foreign_key_list")
_INDEX_PRAGMAS = ("index_list", "index_info", "index_xinfo", "collation_list")
_SCHEMA_PRAGMAS = (*_TABLE_PRAGMAS, *_INDEX_PRAGMAS, "function_list", "module_list")
#: FTS5 asks for data_version before it reads.
_READING_PRAGMAS = frozenset((*_SCHEMA_PRAGMAS, "data_version"))
#: Table-valued functions that only read; the others (dbstat, sqlite_stmt) stay closed.
_TABLE_FUNCTIONS = ("json_each", "json_tree", *(f"pragma_{name}" for name in _SCHEMA_PRAGMAS))
#: What a query on one that is not constructed fails with; pragma_* says no more than the second.
_NOT_CONSTRUCTED = ("vtable constructor failed", "not authorized")
_FORBIDDEN_FUNCTIONS = frozenset(
    ("load_extension", "fts3_tokenizer", "optimize", "readfile", "writefile", "edit")
)


_CLOCK = ("date", "time", "datetime", "julianday", "strftime", "unixepoch", "timediff")
_NOW = ("current_date", "current_time", "current_timestamp")
_CHANCE = ("random", "randomblob", "changes", "total_changes", "last_insert_rowid")
#: Functions whose results depend on more than the database.
_VARYING_FUNCTIONS = frozenset((*_CLOCK, *_NOW, *_CHANCE))


def _authorizer(functions: set[str], tables: set[str], used_tables: set[str]) -> Callable[..., int]:
    """Return an authorizer that lets a statement read, and notes what it calls and reads.

    SQLite asks it for every column that a statement reads, so it looks nothing up.
    """
    read = sqlite3.SQLITE_READ
    reading = frozenset((sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE))
    allowed = sqlite3.SQLITE_OK

    def authorize(
        action: int, first: str | None, second: str | None, _db: str | None, _trigger: str | None
    ) -> int:
        if action in reading:
            if action == read and first:
                tables.add(first)
                if second:  # none where rows are only counted
                    used_tables.add(first)
            return allowed
        if action == sqlite3.SQLITE_FUNCTION:
            name = (second or "").lower()
            functions.add(name)
            return sqlite3.SQLITE_DENY if name in _FORBIDDEN_FUNCTIONS else sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_PRAGMA and (first or "").lower() in _READING_PRAGMAS:
            return sqlite3.SQLITE_OK
        return sqlite3.SQLITE_DENY

    return authorize


def _decode_leniently(data: bytes) -> str:
    return data.decode(errors="ignore")


def _construct(connection: sqlite3.Connection, names: Iterable[str]) -> list[str]:
    """Let SQLite construct virtual tables, which it does once a connection, at their first use.

    Returns:
        Name and reason of those it cannot construct, such as one whose module it lacks.
    """
    failed = []
    for name in names:
        quoted = name.replace('"', '""')
        try:
            connection.execute(f'SELECT 1 FROM "{quoted}" LIMIT 0').close()
        except sqlite3.Error as error:
            failed.append(f"{name}: {error}")
    return failed


def unreadable_tables(path: str) -> list[str]:
    """Open a SQLite file and return name and reason of each virtual table that cannot be read.

    Raises:
        QueryError: the file does not exist, cannot be opened or is not a database.
    """
    connection, unreadable = _open(path, "main", lambda _: None)
    connection.close()
    return unreadable


def _virtual_tables(connection: sqlite3.Connection, database: str) -> list[str]:
    connection.text_factory = _decode_leniently
    listed = connection.execute(
        f"SELECT name FROM {database}.sqlite_master WHERE type = 'table' AND rootpage = 0"
    ).fetchall()
    connection.text_factory = str
    return [name for (name,) in listed]


def readonly_uri(path: str) -> str:
    """Return the SQLite URI that opens a file read-only and immutable."""
    quoted = os.path.abspath(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return f"file:{quoted}?mode=ro&immutable=1"


def open_readonly(
    path: str,
    authorize: Callable[..., int],
    database: str = "main",
    prepare: Callable[[sqlite3.Connection], object] = lambda _: None,
) -> sqlite3.Connection:
    """Open a SQLite file read-only and immutable, with the authorizer and the limits set.

    Args:
        path: the file.
        authorize: the authorizer.
        database: what the file is called in the connection; where that is not ``main``, ``main`` is
            an empty database.
        prepare: what to do with the connection before it is restricted; temporary views made there
            come before what the file has of their names.

    Raises:
        QueryError: the file does not exist, cannot be opened or is not a database.
    """
    connection, _ = _open(path, database, prepare)
    connection.set_authorizer(authorize)
    return connection


def _open(
    path: str, database: str, prepare: Callable[[sqlite3.Connection], object]
) -> tuple[sqlite3.Connection, list[str]]:
    """Open a file for reading, construct its virtual tables and return those that cannot be."""
    if not os.path.isfile(path):
        raise QueryError(DATABASE, f"no database file {path}")
    try:
        connection = sqlite3.connect(
            readonly_uri(path) if database == "main" else ":memory:",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=0,
        )
        if database != "main":
            connection.execute(f"ATTACH ? AS {database}", (readonly_uri(path),))
        prepare(connection)
        if hasattr(connection, "setlimit"):
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
            connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
            connection.setlimit(sqlite3.SQLITE_LIMIT_WORKER_THREADS, 0)
        connection.execute("PRAGMA query_only=ON")
        return connection, _construct(connection, _virtual_tables(connection, database))
    except sqlite3.Error as error:
        raise QueryError(DATABASE, f"cannot open {path}: {error}") from error


def _temporary_bytes() -> int:
    """Return the size of this process's open files without a name; SQLite's temporary ones are."""
    total = 0
    for descriptor in os.listdir("/dev/fd"):
        try:
            facts = os.fstat(int(descriptor))
        except OSError:
            continue  # the one that listed the folder
        if stat.S_ISREG(facts.st_mode) and facts.st_nlink == 0:
            total += facts.st_size
    return total


class Session:
    """Open connections, and the limits that all queries of the session obey together.

    Args:
        clock: gives the seconds that count: ``time.monotonic``, or ``time.process_time`` for
            limits that do not depend on what else the machine does.

    Attributes:
        tables: the tables that statements read, until the caller empties it.
        used_tables: those of them of which they read a column.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._open: OrderedDict[str, sqlite3.Connection] = OrderedDict()
        self._with_table_functions: set[sqlite3.Connection] = set()
        self._functions: set[str] = set()
        self.tables: set[str] = set()
        self.used_tables: set[str] = set()
        self._authorize = _authorizer(self._functions, self.tables, self.used_tables)
        self._clock = clock
        self._deadline = self._steps = float("inf")
        self._next_look = 0.0
        self._too_big = False

    def set_limits(self, seconds: float, steps: float = float("inf")) -> None:
        """Stop every statement ``seconds`` from now, or after ``steps`` steps of SQLite."""
        self._deadline = self._clock() + seconds
        self._steps = steps

    def left(self) -> tuple[float, float]:
        """Return the seconds and steps that are left."""
        return self._deadline - self._clock(), self._steps

    def check_limits(self) -> None:
        """Raise ``QueryError`` (timeout) if nothing is left of a limit."""
        if self._steps <= 0:
            raise QueryError(TIMEOUT, "step limit reached")
        if self._clock() > self._deadline:
            raise QueryError(TIMEOUT, "time limit reached")

    def _must_stop(self) -> bool:
        self._steps -= _CLOCK_STEPS
        now = self._clock()
        if now > self._next_look:
            self._next_look = now + _LOOK_EVERY
            self._too_big = _temporary_bytes() > _MAX_TEMPORARY
        return now > self._deadline or self._steps <= 0 or self._too_big

    @property
    def varies(self) -> bool:
        """Whether the last query called a function whose result may be another tomorrow."""
        return not self._functions.isdisjoint(_VARYING_FUNCTIONS)

    def connection(self, path: str) -> sqlite3.Connection:
        """Return the open connection to ``path``, opening it at the first call."""
        found = self._open.get(path)
        if found is not None:
            self._open.move_to_end(path)
            return found
        connection = self._connect(path)
        connection.set_progress_handler(self._must_stop, _CLOCK_STEPS)
        self._open[path] = connection
        if len(self._open) > _MAX_OPEN:
            _, oldest = self._open.popitem(last=False)
            self._with_table_functions.discard(oldest)
            oldest.close()
        return connection

    def _connect(self, path: str) -> sqlite3.Connection:
        return open_readonly(path, self._authorize)

    def run(
        self,
        path: str,
        sql: str,
        max_rows: int | None = None,
        width: int | None = None,
    ) -> tuple[list[tuple[Any, ...]], list[str], bool]:
        """Execute one statement.

        Args:
            path: the SQLite file.
            sql: the statement.
            max_rows: fetch no more than this many rows.
            width: fetch rows only if they have this many columns.

        Returns:
            The rows, the column names, and whether the rows are complete.

        Raises:
            QueryError: the statement failed, is forbidden, or ran out of time or memory.
        """
        self.check_limits()
        self._steps -= _STATEMENT_STEPS
        connection = self.connection(path)
        self._functions.clear()
        self._too_big = False
        try:
            while True:
                try:
                    return self._fetch(connection, sql, max_rows, width)
                except sqlite3.OperationalError as error:
                    if not self._remedy(connection, str(error)):
                        raise
        except (sqlite3.Error, sqlite3.Warning, ValueError, MemoryError, OverflowError) as error:
            raise self._refine(error) from error
        finally:
            connection.text_factory = str

    def _remedy(self, connection: sqlite3.Connection, message: str) -> bool:
        """Serve a rare need that a failure shows; return whether to run the query again."""
        if "decode to UTF-8" in message and connection.text_factory is str:
            connection.text_factory = _decode_leniently  # drops the bytes that do not decode
            return True
        untried = connection not in self._with_table_functions
        if untried and message.startswith(_NOT_CONSTRUCTED):
            self._with_table_functions.add(connection)
            connection.set_authorizer(None)
            _construct(connection, _TABLE_FUNCTIONS)
            connection.set_authorizer(self._authorize)
            return True
        return False

    def _refine(self, error: BaseException) -> QueryError:
        found = classify(error)
        if found.kind == TIMEOUT and self._too_big:
            return QueryError(TOO_BIG, f"its temporary files exceed {_MAX_TEMPORARY >> 20} MB")
        if found.kind == TIMEOUT:
            limit = "step" if self._steps <= 0 else "time"
            return QueryError(TIMEOUT, f"{limit} limit reached")
        if found.kind == FORBIDDEN:
            return QueryError(FORBIDDEN, f"only reading is allowed: {found.message}")
        return found

    @staticmethod
    def _fetch(
        connection: sqlite3.Connection,
        sql: str,
        max_rows: int | None,
        width: int | None,
    ) -> tuple[list[tuple[Any, ...]], list[str], bool]:
        cursor = connection.execute(sql)
        try:
            names = [column[0] for column in cursor.description or ()]
            if width is not None and names and len(names) != width:
                return [], names, False
            if max_rows is None:
                return cursor.fetchall(), names, True
            rows = cursor.fetchmany(max_rows + 1)
            if len(rows) > max_rows:
                del rows[max_rows:]
                return rows, names, False
            return rows, names, True
        finally:
            cursor.close()

    def close(self) -> None:
        """Close all connections."""
        for connection in self._open.values():
            connection.close()
        self._open.clear()
        self._with_table_functions.clear()
