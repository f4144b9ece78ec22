"""A pool of killable worker processes.

Tasks go out in batches.  When a worker dies, the task it was working on gets ``timeout``
(killed by its alarm), ``memory`` or ``worker_crash``; the others of its batch without a result go
back to the queue.  So does, once, the task of a worker that was killed from outside: where the
system is short of memory, it kills processes for what others use.
"""

from __future__ import annotations

import marshal
import mmap
import os
import select
import sys
from collections import deque
from collections.abc import Iterator, Sequence

from . import worker
from .errors import CRASH, MEMORY, TIMEOUT

TYPE_CHECKING = False  # importing typing takes milliseconds
if TYPE_CHECKING:
    from typing import Any

    Task = tuple[int, Any]

#: Bytes of a batch; it must fit into a pipe, so that sending one never blocks.
_MAX_BATCH = 48_000
#: Workers of a call that may be killed from outside while they start.
_MAX_UNSTARTED = 10


class Failure:
    """What a task gets instead of a result when its worker died.

    Attributes:
        kind: ``timeout``, ``memory`` or ``worker_crash``.
        message: the reason in plain words.
    """

    def __init__(self, kind: str, message: str) -> None:
        self.kind = kind
        self.message = message


def _may_fork() -> bool:
    """Forking is quick, but only safe without threads and without a CUDA or BLAS runtime."""
    threading = sys.modules.get("threading")  # where nobody imported it there is one thread
    alone = threading is None or threading.active_count() == 1
    return alone and not {"torch", "numpy"} & set(sys.modules)


class _Worker:
    def __init__(self, handler: str, config: dict[str, Any], inherited: Sequence[int]) -> None:
        self.pending: dict[int, Any] = {}
        self.buffer = bytearray()
        self.ready = False
        task_read, self.task_fd = os.pipe()
        self.result_fd, result_write = os.pipe()
        if _may_fork():
            self._running = mmap.mmap(-1, worker.INDEX_SIZE)
            self._running[:] = worker.IDLE
            sys.stdout.flush()
            sys.stderr.flush()
            self.pid = os.fork()
            if self.pid == 0:
                self._child(task_read, result_write, handler, config, inherited)
        else:
            import subprocess  # here, because start-up must be quick
            import tempfile

            root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
            path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
            with tempfile.TemporaryFile() as shared:
                shared.truncate(worker.INDEX_SIZE)
                self._running = mmap.mmap(shared.fileno(), worker.INDEX_SIZE)
                self._running[:] = worker.IDLE
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "test_suite_sql_eval.worker"],
                    stdin=task_read,
                    stdout=result_write,
                    env={**os.environ, "PYTHONPATH": path},
                    pass_fds=[shared.fileno()],
                )
                self.pid = self._process.pid
                worker.write_frame(self.task_fd, (handler, config, shared.fileno()))
        os.close(task_read)
        os.close(result_write)

    def _child(
        self,
        task_read: int,
        result_write: int,
        handler: str,
        config: dict[str, Any],
        inherited: Sequence[int],
    ) -> None:
        code = 1
        try:
            for fd in (self.task_fd, self.result_fd, *inherited):
                os.close(fd)
            worker.serve(task_read, result_write, handler, config, self._running)
            code = 0
        except BrokenPipeError:
            code = 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(code)

    def send(self, batch: list[Task]) -> None:
        self.pending.update(batch)
        try:
            worker.write_frame(self.task_fd, batch)
        except BrokenPipeError:
            return  # the read side reports the death

    def read(self) -> tuple[list[Any], bool]:
        """Return the results that have come in, and whether the worker is gone."""
        try:
            chunk = os.read(self.result_fd, 1 << 20)
        except OSError:
            chunk = b""
        self.buffer += chunk
        frames = worker.split_frames(self.buffer)
        return [result for frame in frames for result in frame], not chunk

    def guilty(self) -> int | None:
        """Return the index of the task a dead worker was at, None if it was at none."""
        running = bytes(self._running)
        return None if running == worker.IDLE else int.from_bytes(running, "little")

    def stop(self, kill: bool) -> int:
        """Close the pipes, wait for the process and return its status."""
        if kill:
            try:
                os.kill(self.pid, worker.signal.SIGKILL)
            except ProcessLookupError:
                kill = False  # it ended by itself
        for fd in (self.task_fd, self.result_fd):
            os.close(fd)
        try:
            return os.waitpid(self.pid, 0)[1]
        except ChildProcessError:
            return 0


class Pool:
    """Worker processes that share a stream of tasks.

    Args:
        handler: module whose ``make_handler`` makes what the workers run from ``config``.
        config: settings for the handler; must hold ``max_memory`` in bytes.
        jobs: how many workers.
        try_again: run a task once more whose worker was killed from outside, and replace workers
            that are killed while they start.  Not where somebody kills workers to end a query.
    """

    def __init__(
        self, handler: str, config: dict[str, Any], jobs: int, try_again: bool = False
    ) -> None:
        self._handler = handler
        self._config = config
        self._jobs = max(1, jobs)
        self._try_again = try_again
        self._workers: list[_Worker] = []

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> _Worker:
        inherited = [fd for w in self._workers for fd in (w.task_fd, w.result_fd)]
        made = _Worker(self._handler, self._config, inherited)
        self._workers.append(made)
        return made

    def map(self, batches: Sequence[list[Task]]) -> Iterator[tuple[int, Any]]:
        """Run all tasks and yield (index, result or ``Failure``) as they finish.

        Args:
            batches: lists of (index, task); the tasks of one list run on one worker, in order.

        Raises:
            RuntimeError: a worker process does not start.
        """
        queue = deque(part for batch in batches for part in _cut(batch))
        if _may_fork():
            worker.load(self._handler)  # once, before the forks
        while len(self._workers) < min(self._jobs, len(queue)):
            self._start()
        poll = select.poll()
        by_fd: dict[int, _Worker] = {}
        suspects: set[int] = set()  # tasks whose worker was killed from outside
        unstarted = 0

        def feed(one: _Worker) -> None:
            # Never ahead: a batch that waits behind a slow query could run on another core.
            if queue and not one.pending:
                one.send(queue.popleft())

        for one in self._workers:
            by_fd[one.result_fd] = one
            poll.register(one.result_fd, select.POLLIN | select.POLLHUP)
            feed(one)
        try:
            while any(one.pending for one in self._workers):
                for fd, _event in poll.poll():
                    one = by_fd[fd]
                    results, gone = one.read()
                    for index, result in results:
                        if index == worker.READY:
                            one.ready = True
                            continue
                        del one.pending[index]
                        yield index, result
                    if not gone:
                        feed(one)
                        continue
                    poll.unregister(fd)
                    del by_fd[fd]
                    self._workers.remove(one)
                    failure = _reason(one.stop(kill=False))
                    again = self._try_again and failure.kind == MEMORY
                    unstarted += not one.ready
                    if not one.ready and (not again or unstarted > _MAX_UNSTARTED):
                        raise RuntimeError(f"a worker process does not start: {failure.message}")
                    guilty = one.guilty()
                    if guilty in one.pending:
                        if again and guilty not in suspects:
                            suspects.add(guilty)
                        else:
                            del one.pending[guilty]
                            yield guilty, failure
                    if one.pending:
                        queue.appendleft(list(one.pending.items()))
                    if queue:
                        fresh = self._start()
                        by_fd[fresh.result_fd] = fresh
                        poll.register(fresh.result_fd, select.POLLIN | select.POLLHUP)
                        feed(fresh)
        except BaseException:
            self.close(kill=True)
            raise

    def close(self, kill: bool = False) -> None:
        """Stop the workers."""
        busy = [one for one in self._workers if one.pending]
        for one in self._workers:
            one.stop(kill or one in busy)
        self._workers.clear()


def _cut(batch: list[Task]) -> Iterator[list[Task]]:
    part: list[Task] = []
    size = 0
    for task in batch:
        weight = len(marshal.dumps(task))
        if part and size + weight > _MAX_BATCH:
            yield part
            part, size = [], 0
        part.append(task)
        size += weight
    if part:
        yield part


def _reason(status: int) -> Failure:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number in worker.ALARMS:
            return Failure(TIMEOUT, "time limit reached; the worker was killed")
        if number == worker.signal.SIGKILL:
            return Failure(MEMORY, "the worker was killed by the system, most likely for memory")
        return Failure(CRASH, f"the worker died of signal {number}")
    return Failure(CRASH, f"the worker ended with exit status {os.waitstatus_to_exitcode(status)}")
