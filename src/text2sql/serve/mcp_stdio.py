"""The Model Context Protocol on stdin and stdout, for a client that starts this process."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from typing import IO, cast

import anyio
from mcp.server.stdio import stdio_server

from text2sql.serve.mcp_server import make_mcp_server
from text2sql.serve.service import Service


class _Lines:
    """Lines of a file that blocks, from a thread that does not keep the process from ending."""

    def __init__(self, file: IO[bytes], longest: int) -> None:
        self._file, self._longest = file, longest

    async def __aiter__(self) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        lines: asyncio.Queue[bytes] = asyncio.Queue(1)

        def read() -> None:
            line = b"-"
            with suppress(RuntimeError):  # the loop is closed
                while line:
                    line = self._file.readline(self._longest)
                    asyncio.run_coroutine_threadsafe(lines.put(line), loop).result()

        threading.Thread(target=read, name="stdin", daemon=True).start()
        while line := await lines.get():
            yield line


@contextmanager
def protocol_streams() -> Iterator[tuple[IO[bytes], IO[str]]]:
    """Take stdin and stdout for the protocol alone.

    What else this process and its children print goes to stderr, and they have nothing to read.
    """
    sys.stdout.flush()
    stdin, stdout = os.dup(0), os.dup(1)  # which no child inherits
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    try:
        answers = os.fdopen(stdout, "w", encoding="utf-8", closefd=False)
        yield os.fdopen(stdin, "rb", closefd=False), answers
    finally:
        sys.stdout.flush()
        os.dup2(stdin, 0)
        os.dup2(stdout, 1)


async def serve_stdio(service: Service, requests: IO[bytes], answers: IO[str]) -> None:
    """Answer until the client closes its end or the process is told to end.

    Args:
        service: what the tools are called on.
        requests: lines of JSON.
        answers: where lines of JSON go.
    """
    serving = asyncio.current_task()
    assert serving
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
    server = make_mcp_server(service)
    lines = cast("anyio.AsyncFile[str]", _Lines(requests, service.config.max_body_bytes))
    with suppress(asyncio.CancelledError):  # told to end
        try:
            async with stdio_server(lines, anyio.wrap_file(answers)) as (read, write):
                await server.run(read, write, server.create_initialization_options())
        except* (BrokenPipeError, anyio.BrokenResourceError):
            pass  # the client is gone, and with it whom to tell
