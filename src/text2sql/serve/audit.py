"""The audit log: who asked what and what ran, without the rows that came of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from text2sql.serve.access import Asker
from text2sql.serve.line_file import LineFile
from text2sql.serve.messages import Refusal


class AuditLog:
    """Adds a line of JSON for each question and each query, also for those that are refused.

    Args:
        path: the file, made if it is not there, readable by its owner only; None: nothing is kept.

    Raises:
        UserError: it cannot be written.
    """

    def __init__(self, path: str | None) -> None:
        self._file = LineFile("audit", path) if path else None

    @contextmanager
    def entry(self, asker: Asker, action: str, **fields: Any) -> Iterator[dict[str, Any]]:
        """Give the entry of a request, to be completed; it is written when the request is done.

        Args:
            asker: who asks.
            action: ``ask``, ``run`` or ``accept``.
            fields: what is known of it.

        Raises:
            Refusal: the entry cannot be written; then nothing is answered.
        """
        started = time.monotonic()
        entry = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "request_id": asker.request_id,
            "caller": asker.name,
            "client": asker.client,
            "action": action,
            **fields,
        }
        outcome = "gone"  # of whoever hung up
        try:
            yield entry
            outcome = "done"
        except Refusal as refusal:
            outcome = refusal.kind
            raise
        except Exception:
            outcome = "defect"
            raise
        finally:
            seconds = round(time.monotonic() - started, 4)
            if self._file:
                self._file.add(entry | {"outcome": outcome, "seconds": seconds})
