"""Error classes: why a query failed or a prediction is wrong, in one word."""

from __future__ import annotations

import sqlite3

SYNTAX = "syntax"
NO_SUCH_TABLE = "no_such_table"
NO_SUCH_COLUMN = "no_such_column"
AMBIGUOUS_COLUMN = "ambiguous_column"
NO_SUCH_FUNCTION = "no_such_function"
MISUSE = "misuse_of_aggregate"
MULTIPLE_STATEMENTS = "multiple_statements"
PARAMETERS = "unbound_parameters"
FORBIDDEN = "forbidden"
TIMEOUT = "timeout"
MEMORY = "memory"
TOO_BIG = "too_big"
CRASH = "worker_crash"
DATABASE = "database"
UNREADABLE = "unreadable"
OTHER = "other_error"
WRONG_COLUMNS = "wrong_columns"
WRONG_ROWS = "wrong_rows"
WRONG_ORDER = "wrong_order"

# Parts of SQLite's messages, in lower case; the first class with a part that occurs wins.
_MESSAGES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        SYNTAX,
        ("syntax error", "unrecognized token", "incomplete input", "parser stack overflow"),
    ),
    (NO_SUCH_TABLE, ("no such table", "no such view")),
    (NO_SUCH_COLUMN, ("no such column", "has no column named", "no such index")),
    (AMBIGUOUS_COLUMN, ("ambiguous column",)),
    (NO_SUCH_FUNCTION, ("no such function", "wrong number of arguments to function")),
    (MISUSE, ("misuse of aggregate", "misuse of window")),
    (MULTIPLE_STATEMENTS, ("one statement at a time",)),
    (PARAMETERS, ("number of bindings", "did not supply a value")),
    (FORBIDDEN, ("not authorized", "authorization denied", "prohibited", "readonly", "read-only")),
    (TIMEOUT, ("interrupted",)),
    (MEMORY, ("out of memory",)),
    (
        TOO_BIG,
        ("too big", "disk is full", "too many", "at most", "too large", "disk i/o error"),
    ),
    (DATABASE, ("unable to open", "not a database", "malformed", "locked")),
    (SYNTAX, ("embedded null", "surrogates not allowed", "can't encode")),
)


class QueryError(Exception):
    """A query failed.

    Attributes:
        kind: one of the error classes of this module.
        message: the reason in plain words.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


class InputError(Exception):
    """The user's files or settings are wrong; the text says where and what to do."""


def classify(error: BaseException) -> QueryError:
    """Turn an exception of the sqlite3 module into a ``QueryError``."""
    if isinstance(error, QueryError):
        return error
    if isinstance(error, MemoryError):
        return QueryError(MEMORY, "the query needs more memory than the limit allows")
    message = str(error)
    lower = message.lower()
    for kind, parts in _MESSAGES:
        if any(part in lower for part in parts):
            return QueryError(kind, message)
    return QueryError(SYNTAX if isinstance(error, sqlite3.Warning) else OTHER, message)
