"""The worker process: it runs handlers, and the kernel kills it when one does not come back.

Why a process and not a thread or a signal handler: while SQLite executes one long instruction no
Python code runs, so nothing inside the process can stop it.  A handler therefore starts an alarm
for each task, whose default action is to kill the process; it works even if the parent is gone.
The parent sees the closed pipe, gives the task the verdict "timeout" and starts another worker.

Limits set here: memory (address space), size of one temporary file, no core dumps.
Messages are length-prefixed ``marshal`` frames: lists of (index, task) in and of (index, result)
out, after one [(READY, None)].  Results of short tasks are sent together; which task is running
stands in memory shared with the parent, so that a death is blamed on the right one.
"""

from __future__ import annotations

import importlib
import marshal
import mmap
import os
import resource
import sqlite3
import sys
import time
from collections.abc import Callable

try:
    import _signal as signal  # the same functions; ``signal`` takes milliseconds to make enums
except ImportError:
    import signal

TYPE_CHECKING = False  # importing typing takes milliseconds
if TYPE_CHECKING:
    from typing import Any

    Handler = Callable[[Any], Any]


#: Index of the first message of a worker: its handler is made.
READY = -1
#: Signals of the two alarms.
ALARMS = (signal.SIGALRM, signal.SIGPROF)
#: Seconds after a task's deadline before the kernel kills the worker.
GRACE = 1.0
_HEADER_SIZE = 4
#: Bytes of a task's index in the memory shared with the parent.
INDEX_SIZE = 8
#: What stands there while the worker is at no task.
IDLE = b"\xff" * INDEX_SIZE
#: Results wait no longer than this (seconds) for others to be sent with.
_MAX_WAIT = 0.02
_MAX_TEMP_FILE = 2 << 30


def write_frame(fd: int, message: Any) -> None:
    """Write one message to a pipe."""
    body = marshal.dumps(message)
    data = memoryview(len(body).to_bytes(_HEADER_SIZE, "little") + body)
    while data:
        data = data[os.write(fd, data) :]


def split_frames(buffer: bytearray) -> list[Any]:
    """Take all complete messages off the front of ``buffer``."""
    messages = []
    start = 0
    while len(buffer) - start >= _HEADER_SIZE:
        size = int.from_bytes(buffer[start : start + _HEADER_SIZE], "little")
        if len(buffer) - start - _HEADER_SIZE < size:
            break
        start += _HEADER_SIZE
        messages.append(marshal.loads(memoryview(buffer)[start : start + size].tobytes()))
        start += size
    del buffer[:start]
    return messages


def set_alarm(seconds: float, processor: bool = False) -> None:
    """Let the kernel kill this process ``seconds`` from now; 0 switches the alarm off.

    Args:
        seconds: of the clock on the wall, or of this process's processor time.
        processor: the latter; what else the machine does then changes nothing.
    """
    signal.setitimer(signal.ITIMER_PROF if processor else signal.ITIMER_REAL, seconds)


def _limit(name: int, value: int) -> None:
    _, hard = resource.getrlimit(name)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    try:
        resource.setrlimit(name, (value, hard))
    except (ValueError, OSError):
        return  # the system does not know this limit


def _apply_limits(max_memory: int) -> None:
    in_use = 0
    if os.path.exists("/proc/self/statm"):
        with open("/proc/self/statm") as file:
            in_use = int(file.read().split()[0]) * resource.getpagesize()
    _limit(resource.RLIMIT_AS, in_use + max_memory)
    _limit(resource.RLIMIT_FSIZE, _MAX_TEMP_FILE)
    _limit(resource.RLIMIT_CORE, 0)
    connection = sqlite3.connect(":memory:")
    connection.execute(f"PRAGMA hard_heap_limit={max_memory * 3 // 4}")
    connection.close()


def load(module: str) -> Callable[[dict[str, Any]], Handler]:
    """Return a module's ``make_handler``, importing the module."""
    maker: Callable[[dict[str, Any]], Handler] = importlib.import_module(module).make_handler
    return maker


def serve(
    read_fd: int, write_fd: int, module: str, config: dict[str, Any], running: mmap.mmap
) -> None:
    """Handle batches from ``read_fd`` until it is closed.

    Args:
        read_fd: pipe with batches.
        write_fd: pipe for results.
        module: one whose ``make_handler`` makes the handler from a config.
        config: settings for the handler; ``max_memory`` (bytes) is read here.
        running: shared memory for the index of the running task.
    """
    for alarm in ALARMS:
        signal.signal(alarm, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _apply_limits(config["max_memory"])
    handler = load(module)(config)
    write_frame(write_fd, [(READY, None)])
    buffer = bytearray()
    while chunk := os.read(read_fd, 1 << 16):
        buffer += chunk
        for batch in split_frames(buffer):
            _handle(batch, write_fd, handler, running)
    close = getattr(handler, "close", None)
    if close is not None:
        close()


def _handle(
    batch: list[tuple[int, Any]], write_fd: int, handler: Handler, running: mmap.mmap
) -> None:
    running[:] = batch[0][0].to_bytes(INDEX_SIZE, "little")
    begin = getattr(handler, "begin", None)
    if begin is not None:
        begin([task for _, task in batch])
    results: list[tuple[int, Any]] = []
    sent = time.monotonic()
    for index, task in batch:
        running[:] = index.to_bytes(INDEX_SIZE, "little")
        results.append((index, handler(task)))
        if time.monotonic() - sent > _MAX_WAIT:
            _send(write_fd, results)
            results = []
            sent = time.monotonic()
    _send(write_fd, results)
    running[:] = IDLE


def _send(write_fd: int, results: list[tuple[int, Any]]) -> None:
    """Write results to the pipe; no alarm goes off while that waits for the parent."""
    set_alarm(0)
    set_alarm(0, processor=True)
    if results:
        write_frame(write_fd, results)


def main() -> None:
    """Entry point of a worker started as a program.

    The first message is (module, config, descriptor of the file with the running task's index).
    """
    head = b""
    while len(head) < _HEADER_SIZE:
        head += os.read(0, _HEADER_SIZE - len(head))
    size = int.from_bytes(head, "little")
    body = b""
    while len(body) < size:
        body += os.read(0, size - len(body))
    module, config, shared_fd = marshal.loads(body)
    running = mmap.mmap(shared_fd, INDEX_SIZE)
    os.close(shared_fd)
    write_fd = os.dup(1)
    os.dup2(2, 1)  # whatever prints must not end up in the pipe
    try:
        serve(0, write_fd, module, config, running)
    except BrokenPipeError:
        sys.exit(0)


if __name__ == "__main__":
    main()
