"""Gold results and hardness levels kept between runs.

One file per database content: its name is a digest of the database's bytes, of the SQLite version
and of this format, so a changed database never meets an old result.  Only what depends on the gold
query and the database alone is kept: no result of a query that asks the clock or chance.
"""

from __future__ import annotations

import marshal
import os
import sqlite3

from .databases import write_bytes

TYPE_CHECKING = False  # importing typing takes milliseconds
if TYPE_CHECKING:
    from typing import Any

_FORMAT = 3
#: Larger results are executed again: loading them would not be quicker.
_MAX_CELLS = 20_000


def default_folder() -> str:
    """Return the user's cache folder for gold results."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(base, "test-suite-sql-eval")


class GoldCache:
    """Results by database content and query text.

    Args:
        folder: where the files are; it is made at the first save.
        keys: digest of each database file.
    """

    def __init__(self, folder: str, keys: dict[str, bytes]) -> None:
        self._folder = folder
        self._keys = keys
        self._files: dict[str, str] = {}
        self._entries: dict[str, dict[tuple[str, str], Any]] = {}
        self._changed: set[str] = set()

    def _load(self, path: str) -> dict[tuple[str, str], Any]:
        found = self._entries.get(path)
        if found is None:
            name = f"{self._keys[path].hex()}-{sqlite3.sqlite_version}-{_FORMAT}.gold"
            self._files[path] = os.path.join(self._folder, name)
            found = self._entries[path] = _read(self._files[path])
        return found

    def get(self, path: str, kind: str, sql: str) -> Any:
        """Return what is kept for a query on a database, or None.

        Args:
            path: the database file.
            kind: ``rows`` or ``hardness``.
            sql: the gold query, as executed (``rows``) or as written (``hardness``).
        """
        return self._load(path).get((kind, sql))

    def put(self, path: str, kind: str, sql: str, value: Any, cells: int = 1) -> None:
        """Keep something for the next run, unless it is large."""
        if cells <= _MAX_CELLS:
            self._load(path)[kind, sql] = value
            self._changed.add(path)

    def save(self) -> None:
        """Write what is new; a cache that cannot be written is no error."""
        try:
            for path in self._changed:
                self._save(path)
        except OSError:
            pass  # a full disk or a read-only home
        self._changed.clear()

    def _save(self, path: str) -> None:
        target = self._files[path]
        write_bytes(target, marshal.dumps({**_read(target), **self._entries[path]}))


def _read(path: str) -> dict[tuple[str, str], Any]:
    try:
        with open(path, "rb") as file:
            return dict(marshal.loads(file.read()))
    except (OSError, ValueError, EOFError, TypeError):
        return {}
