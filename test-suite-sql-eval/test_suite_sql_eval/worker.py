"""The worker process: it runs handlers, and the kernel kills it when one does not come back.

Why a process and not a thread or a signal handler: while SQLite executes one long instruction no
Python code runs, so nothing inside the process can stop it.  Each task therefore starts an alarm
whose default action is to kill the process; it works even if the parent is gone.  The parent sees
the closed pipe, gives the task the verdict "timeout" and starts another worker.

Limits set here: memory (address space), size of temporary files, no core dumps.
Messages are length-prefixed ``marshal`` frames: a list of (index, task) in, (index, result) out,
after one (READY, None).
"""

from __future__ import annotations

import contextlib
import importlib
import marshal
import os
import resource
import signal
import sqlite3
import struct
import sys
from collections.abc import Callable

TYPE_CHECKING = False  # importing typing takes milliseconds
if TYPE_CHECKING:
    from typing import Any

    Handler = Callable[[Any], Any]


#: Handlers a worker can run: name -> module and function that makes the handler from a config.
HANDLERS = {
    "query": ("test_suite_sql_eval.executor", "make_handler"),
    "judge": ("test_suite_sql_eval.judge", "make_handler"),
}
#: Index of the first message of a worker: its handler is made.
READY = -1
#: Seconds after a task's deadline before the kernel kills the worker.
GRACE = 1.0
_HEADER = struct.Struct("<I")
_MAX_TEMP_FILE = 2 << 30


def write_frame(fd: int, message: Any) -> None:
    """Write one message to a pipe."""
    body = marshal.dumps(message)
    data = memoryview(_HEADER.pack(len(body)) + body)
    while data:
        data = data[os.write(fd, data) :]


def split_frames(buffer: bytearray) -> list[Any]:
    """Take all complete messages off the front of ``buffer``."""
    messages = []
    start = 0
    while len(buffer) - start >= _HEADER.size:
        (size,) = _HEADER.unpack_from(buffer, start)
        if len(buffer) - start - _HEADER.size < size:
            break
        start += _HEADER.size
        messages.append(marshal.loads(memoryview(buffer)[start : start + size].tobytes()))
        start += size
    del buffer[:start]
    return messages


def set_alarm(seconds: float) -> None:
    """Let the kernel kill this process ``seconds`` from now; 0 switches the alarm off."""
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _limit(name: int, value: int) -> None:
    _, hard = resource.getrlimit(name)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(name, (value, hard))


def _apply_limits(max_memory: int) -> None:
    in_use = 0
    with contextlib.suppress(OSError), open("/proc/self/statm") as file:
        in_use = int(file.read().split()[0]) * resource.getpagesize()
    _limit(resource.RLIMIT_AS, in_use + max_memory)
    _limit(resource.RLIMIT_FSIZE, _MAX_TEMP_FILE)
    _limit(resource.RLIMIT_CORE, 0)
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(f"PRAGMA hard_heap_limit={max_memory * 3 // 4}")


def load(kind: str) -> Callable[[dict[str, Any]], Handler]:
    """Return the function that makes the handler, importing its module."""
    module, function = HANDLERS[kind]
    maker: Callable[[dict[str, Any]], Handler] = getattr(importlib.import_module(module), function)
    return maker


def serve(read_fd: int, write_fd: int, kind: str, config: dict[str, Any]) -> None:
    """Handle batches from ``read_fd`` until it is closed.

    Args:
        read_fd: pipe with batches.
        write_fd: pipe for results.
        kind: a key of ``HANDLERS``.
        config: settings for the handler; ``max_memory`` (bytes) is read here.
    """
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _apply_limits(config["max_memory"])
    handler = load(kind)(config)
    write_frame(write_fd, (READY, None))
    _loop(read_fd, write_fd, handler)
    close = getattr(handler, "close", None)
    if close is not None:
        close()


def _loop(read_fd: int, write_fd: int, handler: Handler) -> None:
    buffer = bytearray()
    while True:
        chunk = os.read(read_fd, 1 << 16)
        if not chunk:
            return
        buffer += chunk
        for batch in split_frames(buffer):
            for index, task in batch:
                try:
                    result = handler(task)
                finally:
                    set_alarm(0)
                write_frame(write_fd, (index, result))


def main() -> None:
    """Entry point of a worker started as a program; the first message is (kind, config)."""
    head = b""
    while len(head) < _HEADER.size:
        head += os.read(0, _HEADER.size - len(head))
    (size,) = _HEADER.unpack(head)
    body = b""
    while len(body) < size:
        body += os.read(0, size - len(body))
    kind, config = marshal.loads(body)
    write_fd = os.dup(1)
    os.dup2(2, 1)  # whatever prints must not end up in the pipe
    try:
        serve(0, write_fd, kind, config)
    except BrokenPipeError:
        sys.exit(0)


if __name__ == "__main__":
    main()
