"""A Milvus Lite file or server: opened, kept to one process, and its faults put in plain words."""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Self

from text2sql.errors import UserError

LOCK_POLL_SECONDS = 0.2
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
        self._is_file = "://" not in self.place
        self._wait = wait
        self._lock: IO[str] | None = None

    def __enter__(self) -> Self:
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        if self._is_file:
            self._lock = _lock_file(Path(self.place), self._wait)
        try:
            with self.explained("cannot be opened"):
                self.client = self._connect()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self.client is not None:
            self.client.close()
            self.client = None
        if self._is_file:
            # Closing a client leaves the server of its file running in this process.
            from milvus_lite.server_manager import server_manager_instance

            server_manager_instance.release_server(self.place)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    @contextmanager
    def explained(self, what: str) -> Iterator[None]:
        """Turn what goes wrong in Milvus into a UserError that says what to do."""
        import grpc
        from pymilvus.exceptions import MilvusException

        try:
            yield
        except (MilvusException, grpc.RpcError, OSError, ValueError, KeyError) as error:
            raise UserError(
                f"{self.place}: {what}: {_short(error)}; {self._remedy(str(error))}"
            ) from None

    def _connect(self) -> Any:
        from pymilvus import MilvusClient

        for name in ("pymilvus", "milvus_lite", "grpc._server"):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # tracebacks for what we explain
        if self._is_file:
            return MilvusClient(
                self.place, timeout=self.timeout, grpc_options=NO_PINGS, dedicated=True
            )
        token = os.environ.get("MILVUS_TOKEN", "")
        return MilvusClient(self.place, timeout=self.timeout, token=token)

    def _remedy(self, error: str) -> str:
        if self._is_file:
            return "unless it is open elsewhere, delete it and run: make knowledge-base"
        if "DEADLINE" in error.upper() or "timeout" in error.lower():
            return f"no answer in {self.timeout:g} s: raise timeout_seconds or see to the server"
        return "is the Milvus server up, and is MILVUS_TOKEN right?"


def _lock_file(path: Path, wait: float) -> IO[str]:
    """Take the file for this process; Milvus Lite would only say that it cannot be opened."""
    if path.suffix != ".db":
        raise UserError(f"{path}: the name of a Milvus Lite file ends in .db")
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_suffix(".lock").open("w")
    deadline = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except BlockingIOError:
            if time.monotonic() >= deadline:
                lock.close()
                raise UserError(
                    f"{path}: another process has it open, and Milvus Lite serves one at a time;"
                    " wait for it, or use a Milvus server (key 'uri')"
                ) from None
            time.sleep(LOCK_POLL_SECONDS)


def _short(error: BaseException) -> str:
    text = str(getattr(error, "message", "") or error) or type(error).__name__
    return " ".join(text.split())[:200]
