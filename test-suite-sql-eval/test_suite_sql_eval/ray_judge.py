"""``RayJudge``: a ``Judge`` on every machine of a Ray cluster.

It takes and gives what ``Judge`` does, in the same order and with the same verdicts.  What a
machine had when it died is judged on another.  The databases lie under the same path on each
machine, and the evaluator is installed there.

>>> with RayJudge("database") as judge:                                   # doctest: +SKIP
...     judge.score([("music", "SELECT name FROM singer", "SELECT name FROM singer")])[0].right
True
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from .errors import InputError
from .live import Judge, Outcome, Triple, places_of
from .settings import Settings

#: The least predictions worth a message to another machine.
_LEAST_CHUNK = 64
#: Chunks that a machine has at a time, so that it need not wait for the next.
_AHEAD = 2
#: Machines that a chunk may lose before it is held to be what kills them.
_MAX_LOSSES = 3

#: A part of a call: the first triple's number, the triples, and how many machines it has lost.
Chunk = tuple[int, list[Triple], int]


class _NodeJudge:
    """The judge of one machine, in a process of Ray's."""

    def __init__(self, folder: str, settings: dict[str, Any], remembered: int) -> None:
        self._make = (folder, settings, remembered)
        self._judge: Judge | None = None

    def score(self, triples: list[Triple]) -> list[Outcome]:
        """Judge a chunk; the judge is made here, so that a missing folder is told as such."""
        if self._judge is None:
            folder, settings, remembered = self._make
            self._judge = Judge(folder, Settings(**settings), remembered)
        return self._judge.score(triples)


class RayJudge:
    """Judges predictions on all machines of the Ray cluster; threads that share it take turns.

    The processes of a machine (``settings.jobs``, by default its cores) are not counted among what
    Ray has to give there.

    Args:
        databases: folder with one folder of .sqlite files per database id, on each machine.
        settings: how to judge, as for ``Judge``.
        remembered: verdicts that each machine keeps for predictions that come again.

    Raises:
        InputError: this process is in no Ray cluster and none runs on this machine.
    """

    def __init__(
        self,
        databases: str | os.PathLike[str],
        settings: Settings | None = None,
        remembered: int = 100_000,
    ) -> None:
        self._connected = not ray.is_initialized()
        if self._connected:
            try:
                ray.init(address="auto")
            except ConnectionError as error:
                raise InputError(
                    "no Ray cluster runs here: start one with ray start --head, and add machines"
                    " with ray start --address=HOST:6379"
                ) from error
        values = (settings or Settings()).to_dict()
        if settings is None:
            values["jobs"] = None  # each machine counts its own cores
        self._make = (os.path.abspath(os.fspath(databases)), values, remembered)
        self._actors: dict[str, Any] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> RayJudge:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the judges, and leave the cluster if it was entered for them."""
        with self._lock:
            for actor in self._actors.values():
                ray.kill(actor)
            self._actors.clear()
            if self._connected:
                ray.shutdown()

    def score(self, predictions: Iterable[Triple]) -> list[Outcome]:
        """Judge (database id, gold query, prediction) triples; the outcomes keep their order.

        Raises:
            InputError: a database id is unknown on a machine, or its file cannot be read.
            RuntimeError: no machine is left, or the same predictions killed several.
        """
        outcomes = dict(self.stream(predictions))
        return [outcomes[index] for index in range(len(outcomes))]

    def stream(self, predictions: Iterable[Triple]) -> Iterator[tuple[int, Outcome]]:
        """Judge triples and yield each one's index and outcome, as they come.

        Raises:
            InputError: a database id is unknown on a machine, or its file cannot be read.
            RuntimeError: no machine is left, or the same predictions killed several.
        """
        places = places_of(predictions)
        triples = sorted(places)  # the predictions for one gold query to one machine
        with self._lock:
            for start, outcomes in self._judge_chunks(triples):
                for triple, outcome in zip(triples[start:], outcomes, strict=False):
                    for index in places[triple]:
                        yield index, outcome

    def _judge_chunks(self, triples: list[Triple]) -> Iterator[tuple[int, list[Outcome]]]:
        self._look_for_machines()
        size = max(_LEAST_CHUNK, len(triples) // (4 * _AHEAD * max(1, len(self._actors))))
        queue: deque[Chunk] = deque(
            (start, triples[start : start + size], 0) for start in range(0, len(triples), size)
        )
        running: dict[Any, tuple[str, Chunk]] = {}
        while queue or running:
            self._send(queue, running)
            (done,), _ = ray.wait(list(running), num_returns=1)
            machine, (start, part, losses) = running.pop(done)
            try:
                yield start, ray.get(done)
            except RayTaskError as error:
                if isinstance(error.cause, InputError):
                    raise InputError(str(error.cause)) from error
                raise
            except RayError as error:
                if losses + 1 == _MAX_LOSSES:
                    raise RuntimeError(
                        f"{_MAX_LOSSES} judges died of {len(part)} predictions, the first of them"
                        f" {part[0][2]!r}"
                    ) from error
                queue.appendleft((start, part, losses + 1))
                self._actors.pop(machine, None)

    def _send(self, queue: deque[Chunk], running: dict[Any, tuple[str, Chunk]]) -> None:
        """Give each machine its next chunks, one a machine before any gets its second."""
        if not self._actors:
            self._look_for_machines()
        for ahead in range(1, _AHEAD + 1):
            for machine, actor in self._actors.items():
                busy = sum(at == machine for at, _ in running.values())
                if queue and busy < ahead:
                    chunk = queue.popleft()
                    running[actor.score.remote(chunk[1])] = (machine, chunk)

    def _look_for_machines(self) -> None:
        """Start a judge on each machine of the cluster that has none.

        Raises:
            RuntimeError: there is no machine.
        """
        alive = {node["NodeID"] for node in ray.nodes() if node["Alive"]}
        for machine in self._actors.keys() - alive:
            del self._actors[machine]
        for machine in sorted(alive - self._actors.keys()):
            place = NodeAffinitySchedulingStrategy(machine, soft=False)
            options = ray.remote(_NodeJudge).options(num_cpus=0, scheduling_strategy=place)
            self._actors[machine] = options.remote(*self._make)
        if not self._actors:
            raise RuntimeError("no machine of the Ray cluster is left")
