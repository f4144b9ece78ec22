"""The process that runs queries on a SQLite file of which some tables or columns are hidden.

SQLite asks an authorizer about every column that a query reads, but not about those by which USING
and NATURAL join. So the file is attached under a name that nobody knows, and temporary views, whose
names come before the file's, stand in place of its tables that have something to hide: what they do
not have cannot be named. The authorizer stays as a second line.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable
from typing import Any

from test_suite_sql_eval.errors import DATABASE, FORBIDDEN, QueryError
from test_suite_sql_eval.executor import handler_of
from test_suite_sql_eval.sandbox import Session, open_readonly

from text2sql.errors import UserError
from text2sql.schema.deny import WHOLE, DenyList, Hidden, hidden_in_sqlite
from text2sql.schema.quoting import quote_name

CONSTRUCTING = "ROWID"  # what SQLite reads of its own tables for a table-valued function
FTS_PRAGMA = "data_version"


class RestrictedSession(Session):
    """A session in which what a list denies is not there.

    Args:
        deny: the list.
    """

    def __init__(self, deny: DenyList) -> None:
        super().__init__()
        self._deny = deny
        self._hidden: Hidden = {}
        self._database = ""
        self._reads_only, self._authorize = self._authorize, self._judge

    def _connect(self, path: str) -> sqlite3.Connection:
        self._database = f"d{secrets.token_hex(16)}"
        return open_readonly(path, self._authorize, self._database, self._shadow)

    def _shadow(self, connection: sqlite3.Connection) -> None:
        """Put views in the place of tables that have something to hide."""
        try:
            self._hidden = hidden_in_sqlite(connection, self._deny, self._database)
        except UserError as error:  # the file has changed
            raise QueryError(DATABASE, str(error)) from None
        for table, hidden in self._hidden.items():
            listed = connection.execute(
                f"PRAGMA {self._database}.table_info({quote_name(table)})"
            ).fetchall()
            names = [
                row[1] for row in listed if hidden != WHOLE and row[1].casefold() not in hidden
            ]
            shown = ", ".join(map(quote_name, names)) or "NULL"
            connection.execute(
                f"CREATE TEMP VIEW {quote_name(table)} AS"
                f" SELECT {shown} FROM {self._database}.{quote_name(table)}"
            )

    def _judge(self, action: int, first: str | None, second: str | None, *where: str | None) -> int:
        if action == sqlite3.SQLITE_READ and self._is_hidden(first or "", second or ""):
            return sqlite3.SQLITE_DENY
        if action == sqlite3.SQLITE_PRAGMA and first != FTS_PRAGMA:
            return sqlite3.SQLITE_DENY
        return self._reads_only(action, first, second, *where)

    def _is_hidden(self, table: str, column: str) -> bool:
        if table.casefold().startswith("sqlite_"):  # holds the names of all, and samples of values
            return column != CONSTRUCTING
        hidden = self._hidden.get(table.casefold(), frozenset())
        return hidden == WHOLE or column.casefold() in hidden

    def _refine(self, error: BaseException) -> QueryError:
        refined = super()._refine(error)
        message = refined.message.replace(f"{self._database}.", "").replace(self._database, "main")
        if refined.kind == FORBIDDEN and "is prohibited" in message:
            message = message.partition("only reading is allowed: ")[2] or message
        return QueryError(refined.kind, message)


def make_handler(config: dict[str, Any]) -> Callable[[Any], Any]:
    """Return the function a worker process calls for each query; `config` has the list."""
    return handler_of(RestrictedSession(DenyList.parse(config["denied"])))
