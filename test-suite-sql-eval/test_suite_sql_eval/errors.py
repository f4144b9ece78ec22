"""Error classes: why a query failed or a prediction is wrong, in one word."""

from __future__ import annotations

import re
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
OTHER = "other_error"
WRONG_COLUMNS = "wrong_columns"
WRONG_ROWS = "wrong_rows"
WRONG_ORDER = "wrong_order"

_MESSAGES: tuple[tuple[str, str], ...] = (
    (r"syntax error|unrecognized token|incomplete input|parser stack overflow", SYNTAX),
    (r"no such table|no such view", NO_SUCH_TABLE),
    (r"no such column|has no column named|no such index", NO_SUCH_COLUMN),
    (r"ambiguous column", AMBIGUOUS_COLUMN),
    (r"no such function|wrong number of arguments to function", NO_SUCH_FUNCTION),
    (r"misuse of (aggregate|window)", MISUSE),
    (r"one statement at a time", MULTIPLE_STATEMENTS),
    (r"number of bindings|did not supply a value", PARAMETERS),
    (r"not authorized|prohibited|readonly|read-only|access to .* is prohibited", FORBIDDEN),
    (r"interrupted", TIMEOUT),
    (r"out of memory", MEMORY),
    (r"too big|disk is full|too many|at most|too large|disk I/O error", TOO_BIG),
    (r"unable to open|not a database|malformed|locked", DATABASE),
    (r"embedded null|surrogates not allowed|can't encode", SYNTAX),
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
    for pattern, kind in _MESSAGES:
        if re.search(pattern, message, re.IGNORECASE):
            return QueryError(kind, message)
    return QueryError(SYNTAX if isinstance(error, sqlite3.Warning) else OTHER, message)
