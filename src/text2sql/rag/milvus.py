"""A Milvus Lite file or server: opened, kept to one process, and its faults put in plain words."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

from text2sql.errors import UserError
from text2sql.files import exclusive

# The Lite server counts the client's regular pings while a batch is embedded as an attack and
# hangs up; within one process there is nothing to keep alive.
NO_PINGS = {"grpc.keepalive_time_ms": 2**31 - 1}


class Milvus:
    """A connection; use it in a ``with`` block, and `client` within it.

    Args:
        place: path of a Milvus Lite file (its name ends in ``.db``) or the URI of a server.
        timeout: seconds a request may take.
        wait: seconds to wait for another process that has the file open.
    """

    def __init__(self, place: str | Path, timeout: float, wait: float) -> None:
        self.place, self.timeout = str(place), timeout
        self.client: Any = None
        self._wait = wait
        self._is_file = "://" not in self.place
        self._opened = ExitStack()

    def __enter__(self) -> Self:
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        with ExitStack() as opened:
            if self._is_file:
                self._take_file(opened)
            with self.explained("cannot be opened"):
                self.client = self._connect()
            opened.callback(self.client.close)
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    @contextmanager
    def explained(self, what: str) -> Iterator[None]:
        """Turn what goes wrong in Milvus into a UserError that says what to do."""
        import grpc
        from pymilvus.exceptions import MilvusException

        try:
            yield
        except (MilvusException, grpc.RpcError, OSError, ValueError, KeyError) as error:
            text = str(getattr(error, "message", "") or error) or type(error).__name__
            short = " ".join(text.split())[:200]
            raise UserError(f"{self.place}: {what}: {short}; {self._remedy(str(error))}") from None

    def _take_file(self, opened: ExitStack) -> None:
        """Take the file for this process; Milvus Lite would only say that it cannot be opened."""
        from milvus_lite.server_manager import server_manager_instance

        path = Path(self.place)
        if path.suffix != ".db":
            raise UserError(f"{path}: the name of a Milvus Lite file ends in .db")
        taken = (
            f"{path}: another process has it open, and Milvus Lite serves one at a time; wait for"
            " it, or use a Milvus server (key 'uri')"
        )
        opened.enter_context(exclusive(path.with_suffix(".lock"), taken, self._wait))
        # Closing a client leaves the server of its file running in this process.
        opened.callback(server_manager_instance.release_server, self.place)

    def _connect(self) -> Any:
        from pymilvus import MilvusClient

        for name in ("pymilvus", "milvus_lite", "grpc._server"):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # tracebacks for what we explain
        options: dict[str, Any] = {"token": os.environ.get("MILVUS_TOKEN", "")}
        if self._is_file:
            options = {"grpc_options": NO_PINGS, "dedicated": True}
        return MilvusClient(self.place, timeout=self.timeout, **options)

    def _remedy(self, error: str) -> str:
        if self._is_file:
            return "unless it is open elsewhere, delete it and run: make knowledge-base"
        if "DEADLINE" in error.upper() or "timeout" in error.lower():
            return f"no answer in {self.timeout:g} s: raise timeout_seconds or see to the server"
        return "is the Milvus server up, and is MILVUS_TOKEN right?"
