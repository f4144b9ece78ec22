"""Questions whose SQL people found right, or put right: kept for training."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from text2sql.errors import UserError
from text2sql.files import append_text, json_line
from text2sql.serve.access import Asker
from text2sql.serve.messages import Accepted, Refusal

log = logging.getLogger("text2sql.serve")


class AcceptedPairs:
    """Adds a line of JSON for each pair to a file; `create-data --accepted` reads it.

    Args:
        path: the file; None: nothing may be accepted.

    Raises:
        UserError: it cannot be written.
    """

    def __init__(self, path: str | None) -> None:
        self._path = Path(path) if path else None
        if self._path:
            try:
                append_text(self._path, "")
            except OSError as error:
                reason = f"accepted: {path} cannot be written: {error.strerror}"
                raise UserError(reason) from None

    def allows(self, asker: Asker) -> bool:
        """Whether someone may add pairs."""
        return self._path is not None and asker.rights.accept

    def require(self, asker: Asker) -> None:
        """Raise Refusal unless someone may add pairs."""
        if self._path is None:
            message = "no file of accepted pairs is configured (key accepted)"
            raise Refusal(404, "not_found", message)
        if not asker.rights.accept:
            raise Refusal(403, "not_allowed", "this token may not accept answers")

    def add(self, given: Accepted, asker: Asker, db_id: str) -> None:
        """Keep a pair that was checked.

        Raises:
            Refusal: it cannot be written.
        """
        assert self._path is not None
        line: dict[str, Any] = {
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "caller": asker.name,
            "db_id": db_id,
            **given.model_dump(),
        }
        try:
            append_text(self._path, json_line(line))
        except OSError:
            log.exception("the file of accepted pairs cannot be written")
            raise Refusal(503, "accepted", "the pair cannot be kept; see the log", 5) from None
