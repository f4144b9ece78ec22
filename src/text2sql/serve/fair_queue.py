"""A queue that serves its clients in turn, so that one with many questions keeps nobody waiting."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from typing import Generic, TypeVar

Item = TypeVar("Item")


class QueueFullError(Exception):
    """Too many items wait, of all clients or of this one."""


class FairQueue(Generic[Item]):
    """Items of several clients, taken round-robin; safe to share between threads.

    Args:
        most: how many items may wait.
        most_per_client: how many of one client.
    """

    def __init__(self, most: int, most_per_client: int) -> None:
        self._most, self._most_per_client = most, most_per_client
        self._waiting: OrderedDict[str, deque[Item]] = OrderedDict()
        self._size = 0
        self._closed = False
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return self._size

    def put(self, client: str, item: Item) -> None:
        """Add an item; raise QueueFullError when there is no room for it."""
        with self._changed:
            own = self._waiting.get(client, ())
            if self._closed or self._size >= self._most or len(own) >= self._most_per_client:
                raise QueueFullError
            self._waiting.setdefault(client, deque()).append(item)
            self._size += 1
            self._changed.notify()

    def take(self, most: int) -> list[Item]:
        """Wait for items and return at most `most`, one a client in turn; [] once it is closed."""
        with self._changed:
            while not self._size and not self._closed:
                self._changed.wait()
            taken: list[Item] = []
            while self._size and len(taken) < most:
                client, own = self._waiting.popitem(last=False)
                taken.append(own.popleft())
                self._size -= 1
                if own:  # back to the end of the line
                    self._waiting[client] = own
            return taken

    def close(self) -> None:
        """Take in nothing more; what waits can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
