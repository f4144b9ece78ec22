"""A query in a process of its own, which another thread can stop in the middle."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

import psutil
from test_suite_sql_eval.errors import CRASH
from test_suite_sql_eval.executor import Result
from test_suite_sql_eval.pool import Failure, Pool

STOPPED = "the query was stopped: nobody waits for its rows any more"


class Stop:
    """Tells a query that nobody waits for it any more; to be set by any thread, at any time."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._process: psutil.Process | None = None
        self.is_set = False

    def set(self) -> None:
        """Kill the process that works on the query, now or as soon as there is one."""
        with self._changing:
            self.is_set = True
            self._kill()

    def watch(self, process: psutil.Process | None) -> None:
        """Say which process works on the query; None once none does, which is then safe."""
        with self._changing:
            self._process = process
            if self.is_set:
                self._kill()

    def _kill(self) -> None:
        if self._process:
            with suppress(psutil.NoSuchProcess):  # it has ended by itself
                self._process.kill()


class QueryProcess(Pool):
    """One worker process, which answers one query at a time; used by one thread at a time.

    Args:
        handler: module whose ``make_handler`` makes what the worker runs.
        settings: for the handler; with ``max_memory`` in bytes.
        seconds: limit of a query, for the result of one that reached it.
    """

    def __init__(self, handler: str, settings: dict[str, Any], seconds: float) -> None:
        super().__init__(handler, settings, 1)
        self._seconds = seconds
        self._stop = Stop()

    def run(self, task: tuple[Any, ...], stop: Stop) -> Result:
        """Return what the worker makes of a task, a failure if it is stopped.

        Raises:
            RuntimeError: the worker process does not start.
        """
        if stop.is_set:
            return _failed(STOPPED, CRASH, 0.0)
        self._stop = stop
        for one in self._workers:  # it is idle since the last query
            stop.watch(psutil.Process(one.pid))
        try:
            ((_, answer),) = self.map([[(0, task)]])
        except RuntimeError:  # the worker ended before it was ready
            if not stop.is_set:
                raise
            answer = Failure(CRASH, STOPPED)
        finally:
            stop.watch(None)
            if stop.is_set:  # maybe when the query was done: the next one needs a live worker
                self.close(kill=True)
        if stop.is_set:
            return _failed(STOPPED, CRASH, 0.0)
        if isinstance(answer, Failure):
            return _failed(answer.message, answer.kind, self._seconds)
        return Result(*answer)

    def _start(self) -> Any:
        made = super()._start()
        self._stop.watch(psutil.Process(made.pid))
        return made


def _failed(reason: str, kind: str, seconds: float) -> Result:
    return Result([], [], reason, kind, False, seconds)
