"""A file that the service adds lines of JSON to, and nobody else reads."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from text2sql.errors import UserError
from text2sql.files import append_text, json_line
from text2sql.serve.messages import Refusal

log = logging.getLogger("text2sql.serve")


class LineFile:
    """The file that a key of the settings names; made if it is not there.

    Args:
        key: the key, for what is said of it.
        path: the file.

    Raises:
        UserError: it cannot be written.
    """

    def __init__(self, key: str, path: str) -> None:
        self._key, self._path = key, Path(path)
        try:
            append_text(self._path, "")
        except OSError as error:
            raise UserError(f"{key}: {path} cannot be written: {error.strerror}") from None

    def add(self, value: dict[str, Any]) -> None:
        """Add a line; raise Refusal where it cannot be written."""
        try:
            append_text(self._path, json_line(value))
        except OSError:
            log.exception("the file of key %s cannot be written", self._key)
            message = f"what the key {self._key} keeps cannot be written, so nothing is answered"
            raise Refusal(503, self._key, message, 5) from None
