"""``Judge``: a judge that stays, for reinforcement learning and other callers in a loop.

Predictions come as strings and verdicts go out as they come.  The worker processes, their open
databases and the gold results are kept between calls; a worker that a prediction kills costs that
prediction only and is replaced.

>>> with Judge("database") as judge:                                      # doctest: +SKIP
...     judge.score([("music", "SELECT name FROM singer", "SELECT name FROM singer")])[0].right
True
"""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from . import errors
from .checks import examine
from .databases import ContentKeys, variants
from .errors import InputError
from .judge import ExecutionJudge, GoldError, fill_value_word
from .pool import Failure, Pool
from .sandbox import Session
from .settings import Settings

#: Database id, gold query, prediction.
Triple = tuple[str, str, str]

#: Verdicts that another attempt may change.
_OF_THE_MOMENT = (errors.CRASH, errors.MEMORY, errors.TIMEOUT)
#: The least batch worth a message to a worker.
_LEAST_BATCH = 8


class Outcome:
    """What came of one prediction.

    Attributes:
        right: the evaluator's verdict.
        error: None, or why it is wrong: an error class of ``errors``, or ``gold_error``.
        message: the reason in plain words, or None.
        gold_empty: whether the gold query has no rows on any database, so that anything without
            rows is right.
        touched: the share of the gold query's tables that the prediction reads; 1.0 if there are
            none.
        used: the share of them of which it reads a column.
        beyond: whether it reads other tables, such as those that describe the schema.
        fits: whether a wrong result has rows, and no more than the gold query's.
    """

    __slots__ = ("right", "error", "message", "gold_empty", "touched", "used", "beyond", "fits")

    def __init__(
        self,
        right: bool,
        error: str | None = None,
        message: str | None = None,
        gold_empty: bool = False,
        touched: float = 0.0,
        used: float = 0.0,
        beyond: bool = False,
        fits: bool = False,
    ) -> None:
        self.right = right
        self.error = error
        self.message = message
        self.gold_empty = gold_empty
        self.touched = touched
        self.used = used
        self.beyond = beyond
        self.fits = fits

    def __repr__(self) -> str:
        parts = (f"{name}={getattr(self, name)!r}" for name in self.__slots__)
        return f"Outcome({', '.join(parts)})"


def places_of(predictions: Iterable[Triple]) -> dict[Triple, list[int]]:
    """Return where each different triple stands, so that it is judged once."""
    places: dict[Triple, list[int]] = {}
    for index, (db_id, gold, prediction) in enumerate(predictions):
        places.setdefault((db_id, gold, prediction), []).append(index)
    return places


class Judge:
    """Judges predictions given as strings; safe to share between threads, which take turns.

    Args:
        databases: folder with one folder of .sqlite files per database id.
        settings: how to judge; ``etype``, ``em``, ``extra`` and ``gold_cache`` play no part.
        remembered: verdicts kept for predictions that come again, at most this many.

    Raises:
        InputError: the folder does not exist.
    """

    def __init__(
        self,
        databases: str | os.PathLike[str],
        settings: Settings | None = None,
        remembered: int = 100_000,
    ) -> None:
        self._folder = os.path.abspath(os.fspath(databases))
        if not os.path.isdir(self._folder):
            raise InputError(f"{self._folder}: no such folder of databases")
        self._settings = settings or Settings()
        config = {
            "folder": self._folder,
            "timeout": float(self._settings.timeout),
            "max_steps": self._settings.max_steps,
            "max_memory": self._settings.max_memory,
            "plug_value": self._settings.plug_value,
            "keep_distinct": self._settings.keep_distinct,
        }
        self._pool = Pool("test_suite_sql_eval.live", config, self._settings.jobs, try_again=True)
        self._lock = threading.Lock()
        self._streaming: int | None = None  # the thread that has the lock
        self._usable: set[str] = set()
        self._remembered = remembered
        # Not a dict, whose first key takes the longer to find the more were taken before it.
        self._known: OrderedDict[Triple, Outcome] = OrderedDict()

    def __enter__(self) -> Judge:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the worker processes; the next call starts new ones."""
        if self._streaming == threading.get_ident():  # a stream that is left in the middle
            self._pool.close(kill=True)
            return
        with self._lock:
            self._pool.close()

    def score(self, predictions: Iterable[Triple]) -> list[Outcome]:
        """Judge (database id, gold query, prediction) triples; the outcomes keep their order.

        Raises:
            InputError: a database id is unknown, or its file cannot be read.
        """
        outcomes = dict(self.stream(predictions))
        return [outcomes[index] for index in range(len(outcomes))]

    def stream(self, predictions: Iterable[Triple]) -> Iterator[tuple[int, Outcome]]:
        """Judge triples and yield each one's index and outcome, as they come.

        Other threads wait until the last one is taken, or the iterator is closed.

        Raises:
            InputError: a database id is unknown, or its file cannot be read.
            RuntimeError: the thread has not taken all of another stream.
        """
        if self._streaming == threading.get_ident():
            raise RuntimeError(
                "the judge is at another stream of this thread: take all of it first"
            )
        places = places_of(predictions)
        with self._lock:
            self._streaming = threading.get_ident()
            try:
                yield from self._stream(places)
            finally:
                self._streaming = None

    def _stream(self, places: dict[Triple, list[int]]) -> Iterator[tuple[int, Outcome]]:
        for db_id in {triple[0] for triple in places}.difference(self._usable):
            for path in variants(self._folder, db_id):
                examine(path)
            self._usable.add(db_id)
        new = []
        for triple, indices in places.items():
            known = self._known.get(triple)
            if known is None:
                new.append(triple)
                continue
            for index in indices:
                yield index, known
        new.sort()  # the predictions for one gold query to one worker
        for number, answer in self._pool.map(self._batches(new)):
            outcome = self._outcome(new[number], answer)
            for index in places[new[number]]:
                yield index, outcome

    def _batches(self, triples: list[Triple]) -> list[list[tuple[int, Triple]]]:
        size = max(_LEAST_BATCH, len(triples) // (4 * self._settings.jobs))
        tasks = list(enumerate(triples))
        return [tasks[start : start + size] for start in range(0, len(tasks), size)]

    def _outcome(self, triple: Triple, answer: Any) -> Outcome:
        if isinstance(answer, Failure):
            return Outcome(False, answer.kind, answer.message)
        varies, *values = answer
        outcome = Outcome(*values)
        if not varies and self._remembered and outcome.error not in _OF_THE_MOMENT:
            while len(self._known) >= self._remembered:
                self._known.popitem(last=False)
            self._known[triple] = outcome
        return outcome


class _Handler:
    """Judges in a worker process."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._folder = config["folder"]
        self._session = Session(time.process_time)
        self._judge = ExecutionJudge(
            self._session,
            (config["timeout"], config["max_steps"]),
            config["plug_value"],
            witnesses=False,
        )
        self._keep_distinct = config["keep_distinct"]
        self._paths: dict[str, list[str]] = {}

    def _files(self, db_id: str) -> list[str]:
        if db_id not in self._paths:
            self._paths[db_id] = ContentKeys(None).distinct(variants(self._folder, db_id))
        return self._paths[db_id]

    def __call__(self, task: Triple) -> tuple[Any, ...]:
        """Return whether the verdict may be another next time, and the parts of the outcome."""
        db_id, gold_sql, prediction = task
        paths = self._files(db_id)
        tables, used = self._session.tables, self._session.used_tables
        tables.clear()
        used.clear()
        try:
            filled = fill_value_word(prediction, gold_sql)
            verdict = self._judge.judge(paths, gold_sql, filled, self._keep_distinct)
            if not filled.strip():  # wrong whatever the gold query gives, which did not run
                return False, False, verdict.kind, verdict.message
            varies = self._session.varies
            golds = self._judge.golds(paths, gold_sql, self._keep_distinct)
        except GoldError as error:
            return False, False, "gold_error", str(error)
        asked = golds[0].tables
        return (
            varies,
            verdict.right,
            verdict.kind,
            verdict.message,
            not any(gold.rows for gold in golds),
            len(tables & asked) / len(asked) if asked else 1.0,
            len(used & asked) / len(asked) if asked else 1.0,
            not tables <= asked,
            verdict.fits,
        )


def make_handler(config: dict[str, Any]) -> Callable[[Any], Any]:
    """Return what a worker process calls for each prediction."""
    return _Handler(config)
