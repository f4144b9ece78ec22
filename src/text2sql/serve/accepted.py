"""Questions whose SQL people found right, or put right: kept for training."""

from __future__ import annotations

from datetime import UTC, datetime

from text2sql.serve.access import Asker
from text2sql.serve.line_file import LineFile
from text2sql.serve.messages import Accepted, Refusal


class AcceptedPairs:
    """Adds a line of JSON for each pair to a file; `create-data --accepted` reads it.

    Args:
        path: the file; None: nothing may be accepted.

    Raises:
        UserError: it cannot be written.
    """

    def __init__(self, path: str | None) -> None:
        self._file = LineFile("accepted", path) if path else None

    def allows(self, asker: Asker) -> bool:
        """Whether someone may add pairs."""
        return self._file is not None and asker.rights.accept

    def require(self, asker: Asker) -> None:
        """Raise Refusal unless someone may add pairs."""
        if self._file is None:
            message = "no file of accepted pairs is configured (key accepted)"
            raise Refusal(404, "not_found", message)
        if not asker.rights.accept:
            raise Refusal(403, "not_allowed", "this token may not accept answers")

    def add(self, given: Accepted, asker: Asker, db_id: str) -> None:
        """Keep a pair that was checked.

        Raises:
            Refusal: it cannot be written.
        """
        assert self._file is not None
        when = datetime.now(UTC).isoformat(timespec="seconds")
        origin = {"time": when, "caller": asker.name, "db_id": db_id}
        self._file.add(origin | given.model_dump())
