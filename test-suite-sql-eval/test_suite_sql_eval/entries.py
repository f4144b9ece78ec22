"""What the readers of all file forms make: one entry for each gold query or prediction."""

from __future__ import annotations

from .errors import InputError


class Entry:
    """One gold query or prediction: where it stands and what it says.

    Attributes:
        place: ``file:line`` or the like, for messages.
        sql: the query.
        db_id: the database id of a gold query.
        fault: why a prediction cannot be read, or None.
    """

    __slots__ = ("place", "sql", "db_id", "fault")

    def __init__(self, place: str, sql: str, db_id: str = "", fault: str | None = None) -> None:
        self.place = place
        self.sql = sql
        self.db_id = db_id
        self.fault = fault


def read_bytes(path: str) -> bytes:
    """Return what a file holds.

    Raises:
        InputError: it cannot be read.
    """
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        reason = f"{path}: cannot read the file ({error.strerror}); check the path"
        raise InputError(reason) from error
