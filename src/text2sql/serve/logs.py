"""Structured logs: one JSON object a line on stderr, secrets taken out."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable
from datetime import UTC, datetime

HIDDEN = "***"


class JsonFormatter(logging.Formatter):
    """Formats a record as JSON; what stands in `extra={"fields": {...}}` becomes keys of its own.

    Args:
        secrets: texts that are never written, whatever they stand in.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._secrets = sorted(filter(None, secrets), key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        text = json.dumps(line, ensure_ascii=False, default=str)
        for secret in self._secrets:
            text = text.replace(json.dumps(secret, ensure_ascii=False)[1:-1], HIDDEN)
        return text


def set_up_logs(secrets: Iterable[str]) -> None:
    """Send the logs of the service, the web server and MCP to stderr as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(secrets))
    # MCP's library tells session ids besides warnings, and those stand in for a session's owner.
    levels = {"text2sql.serve": logging.INFO, "uvicorn": logging.INFO, "mcp": logging.WARNING}
    for name, level in levels.items():
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)
