"""A function over a stream by several processes: in order, and in constant memory."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice, starmap
from typing import Any, TypeVar

Result = TypeVar("Result")
CHUNK = 256
AHEAD = 4  # chunks under way for each process; bounds what is held in memory


def ordered_map(
    function: Callable[..., Result], arguments: Iterable[tuple[Any, ...]], workers: int
) -> Iterator[Result]:
    """Yield ``function(*a)`` for each of the arguments, in their order.

    Args:
        function: one that can be pickled.
        arguments: read only as far ahead as keeps the processes busy.
        workers: number of processes.
    """
    # Spawned, not forked: the caller may have threads (progress bars), whose locks a fork copies.
    context = multiprocessing.get_context("spawn")
    pending: deque[Future[list[Result]]] = deque()
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        try:
            for chunk in _chunks(arguments):
                pending.append(pool.submit(_apply, function, chunk))
                if len(pending) >= AHEAD * workers:
                    yield from pending.popleft().result()
            while pending:
                yield from pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def _apply(function: Callable[..., Result], chunk: list[tuple[Any, ...]]) -> list[Result]:
    return list(starmap(function, chunk))


def _chunks(arguments: Iterable[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    iterator = iter(arguments)
    while chunk := list(islice(iterator, CHUNK)):
        yield chunk
