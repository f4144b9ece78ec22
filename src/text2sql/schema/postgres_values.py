"""PostgreSQL's dates and times that Python has no value for: they come as texts.

``infinity``, years beyond 9999 or before Christ, ``24:00:00``, intervals of more days than Python
counts: without this one of them makes psycopg refuse all rows of a result.
"""

from __future__ import annotations

from typing import Any

NAMES = ("date", "time", "timetz", "timestamp", "timestamptz", "interval")


def load_all_times(raw: Any) -> None:
    """Have a psycopg connection give every date and time, as text where Python has no such."""
    for name in NAMES:
        raw.adapters.register_loader(name, _lenient(raw.adapters, name))


def _lenient(adapters: Any, name: str) -> Any:
    from psycopg import DataError
    from psycopg.adapt import Loader
    from psycopg.pq import Format

    usual = adapters.get_loader(adapters.types[name].oid, Format.TEXT)
    assert usual is not None

    class Lenient(Loader):
        def __init__(self, oid: int, context: Any = None) -> None:
            super().__init__(oid, context)
            self._usual = usual(oid, context)

        def load(self, data: Any) -> Any:
            try:
                return self._usual.load(data)
            except (DataError, ValueError, OverflowError):
                return bytes(data).decode()

    return Lenient
