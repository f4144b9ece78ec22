"""Choose variants: as few as tell as many neighbour queries apart as can be told.

Greedy, as in arXiv 2010.02840, section 4.2: of a few candidates the one that tells most of the
remaining neighbours from their gold queries is kept, until further candidates bring nothing.
Candidates are made for the gold queries whose neighbours remain.

Time limits are counted in SQLite's own steps, not in seconds, so that the choice is the same on
every machine.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..compare import equivalent
from .catalog import Catalog
from .golds import Gold
from .neighbours import neighbours
from .rows import DEFAULT_MAX_ROWS, Variant
from .ties import cuts, settle

DEFAULT_MAX_VARIANTS = 20
#: Gold queries a candidate is made for.
_FOCUS = 12
#: Candidates looked at before one is kept, and rounds without a gain before the search ends.
_BATCH = 3
_PATIENCE = 6
#: A gold query that gets its first row counts as much as so many neighbours.
_FIRST_ROW = 5
_STEPS = 10_000
_GOLD_STEPS = 50_000_000
_NEIGHBOUR_STEPS = 2_000_000


@dataclass(frozen=True)
class Options:
    """What decides the content of a suite.

    Attributes:
        seed: number from which every choice follows.
        max_variants: variants beside the original at most.
        max_rows: rows a table of a variant has at most.
        any_null: put NULL wherever the schema allows it, not only where the database has it.
    """

    seed: int = 0
    max_variants: int = DEFAULT_MAX_VARIANTS
    max_rows: int = DEFAULT_MAX_ROWS
    any_null: bool = False


@dataclass
class Choice:
    """The variants chosen and what they achieve.

    Attributes:
        files: bytes of the SQLite files.
        curve: neighbours told apart after each of them.
        neighbours: how many neighbour queries run at all.
        without_rows: gold queries without a row on every variant.
        failing: gold queries that fail on the schema itself, with SQLite's message.
        unparsed: gold queries sqlglot cannot read, which have no neighbours.
        survivors: (gold, neighbour, kind of change) that no variant told apart.
    """

    files: list[bytes] = field(default_factory=list)
    curve: list[int] = field(default_factory=list)
    neighbours: int = 0
    without_rows: list[str] = field(default_factory=list)
    failing: dict[str, str] = field(default_factory=dict)
    unparsed: list[str] = field(default_factory=list)
    survivors: list[tuple[str, str, str]] = field(default_factory=list)


class Runner:
    """Runs queries on a variant within a number of SQLite's steps."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._left = 0
        connection.execute("PRAGMA query_only=ON")
        connection.set_progress_handler(self._spent, _STEPS)

    def _spent(self) -> int:
        self._left -= _STEPS
        return 1 if self._left < 0 else 0

    def rows(self, sql: str, steps: int, at_most: int = -1) -> list[tuple[Any, ...]]:
        """Return the rows, at most `at_most` of them.

        Raises:
            sqlite3.Error: the query fails or takes too many steps ("interrupted").
        """
        self._left = steps
        cursor = self._connection.execute(sql)
        try:
            return cursor.fetchall() if at_most < 0 else cursor.fetchmany(at_most)
        finally:
            cursor.close()

    def differs(self, gold: Gold, wanted: list[tuple[Any, ...]], sql: str) -> bool | None:
        """Whether a neighbour gives other rows than its gold query; None if it does not run."""
        try:
            found = self.rows(sql, _NEIGHBOUR_STEPS, len(wanted) + 1)
        except sqlite3.Error as error:
            return None if "interrupted" not in str(error) else False
        return not equivalent(wanted, found, "order by" in gold.sql.lower())


def choose(
    catalog: Catalog,
    golds: Sequence[Gold],
    options: Options,
    progress: Callable[[int], None] = lambda _variants: None,
) -> Choice:
    """Make and choose the variants of one database.

    Args:
        catalog: the database.
        golds: its gold queries.
        options: seed and sizes.
        progress: called with the number of variants chosen so far.

    Returns:
        The files and what they achieve.
    """
    search = _Search(catalog, golds, options)
    for number in range(options.max_variants):
        if not search.add_best():
            break
        progress(number + 1)
    return search.finish()


@dataclass
class _Candidate:
    """A variant that could be kept, with what it would bring."""

    file: bytes
    told: set[int]
    rows_for: set[int]
    open_cuts: int

    def gain(self, remaining: dict[int, Any], empty: set[int]) -> int:
        """How much it would bring to what the kept variants leave."""
        return len(self.told & remaining.keys()) + _FIRST_ROW * len(self.rows_for & empty)


class _Search:
    def __init__(self, catalog: Catalog, golds: Sequence[Gold], options: Options) -> None:
        self._catalog = catalog
        self._options = options
        self._choice = Choice(unparsed=[gold.sql for gold in golds if gold.tree is None])
        self._golds = self._that_run(golds)
        self._remaining = self._neighbours()
        self._total = len(self._remaining)
        self._choice.neighbours = self._total
        self._cuts = list(dict.fromkeys(c for gold in self._golds for c in cuts(gold, catalog)))
        self._empty = set(range(len(self._golds)))
        self._focused = [0] * len(self._golds)
        self._made = 0

    def _that_run(self, golds: Sequence[Gold]) -> list[Gold]:
        """Leave out queries that fail on an empty database: they fail on every variant."""
        variant = Variant(self._catalog, [], "empty", max_rows=0)
        runner = Runner(variant.connection)
        kept = []
        for gold in golds:
            try:
                runner.rows(gold.sql, _GOLD_STEPS)
                kept.append(gold)
            except (sqlite3.Error, sqlite3.Warning) as error:
                self._choice.failing[gold.sql] = str(error)
        variant.close()
        return kept

    def _neighbours(self) -> dict[int, tuple[int, str, str]]:
        """Number them: (gold query's number, SQL, kind of change), those that run at all."""
        variant = Variant(self._catalog, [], "empty", max_rows=0)
        runner = Runner(variant.connection)
        found = [
            (number, sql, kind)
            for number, gold in enumerate(self._golds)
            for sql, kind in neighbours(gold, self._catalog).items()
            if runner.differs(gold, [], sql) is not None
        ]
        variant.close()
        return dict(enumerate(found))

    def add_best(self) -> bool:
        """Keep the best of some new candidates; say whether one brought anything."""
        for _ in range(_PATIENCE):
            found = [one for _ in range(_BATCH) if (one := self._candidate()) is not None]
            useful = [one for one in found if one.gain(self._remaining, self._empty)]
            if useful:
                least = min(one.open_cuts for one in useful)
                firm = [one for one in useful if one.open_cuts == least]
                self._keep(max(firm, key=lambda one: one.gain(self._remaining, self._empty)))
                return True
        return False

    def _keep(self, candidate: _Candidate) -> None:
        self._choice.files.append(candidate.file)
        self._empty -= candidate.rows_for
        for number in candidate.told:
            self._remaining.pop(number, None)
        self._choice.curve.append(self._total - len(self._remaining))

    def _candidate(self) -> _Candidate | None:
        """Make a variant and run everything that remains on it; None where a gold query fails."""
        self._made += 1
        seed = f"{self._options.seed}/{self._made}"
        variant = Variant(
            self._catalog,
            [self._golds[number] for number in self._focus(seed)],
            seed,
            self._options.max_rows,
            self._options.any_null,
        )
        try:
            rng = random.Random(seed)
            open_cuts = settle(variant.connection, self._cuts, self._catalog, rng)
            runner = Runner(variant.connection)
            results = [runner.rows(gold.sql, _GOLD_STEPS) for gold in self._golds]
            told = {
                number
                for number, (of, sql, _) in self._remaining.items()
                if runner.differs(self._golds[of], results[of], sql)
            }
            saying = {number for number, rows in enumerate(results) if _says(rows)}
            return _Candidate(variant.to_bytes(), told, saying, open_cuts)
        except sqlite3.Error:
            return None
        finally:
            variant.close()

    def _focus(self, seed: str) -> list[int]:
        """Choose gold queries, those with many neighbours left and few earlier chances first."""
        left = [1.0] * len(self._golds)
        for of, _, _ in self._remaining.values():
            left[of] += 1
        for number in self._empty:
            left[number] += _FIRST_ROW
        rng = random.Random(f"focus {seed}")
        order = sorted(
            range(len(self._golds)),
            key=lambda i: -(rng.random() ** ((1 + self._focused[i]) / left[i])),
        )
        for number in order[:_FOCUS]:
            self._focused[number] += 1
        return order[:_FOCUS]

    def finish(self) -> Choice:
        """Return the choice with what remains."""
        self._choice.without_rows = [self._golds[i].sql for i in sorted(self._empty)]
        self._choice.survivors = [
            (self._golds[of].sql, sql, kind) for of, sql, kind in self._remaining.values()
        ]
        return self._choice


def _says(rows: list[tuple[Any, ...]]) -> bool:
    """Whether a result says anything: it has rows, and not only NULL."""
    return any(value is not None for row in rows for value in row)
