"""Which columns of two results belong together, in little time and memory for large results.

A column is looked at as the hashes of its cells, 8 bytes each.  Equal cells have equal hashes, so
no right match is missed; that different ones seldom do keeps the search short, and a match that is
found is checked on the cells themselves.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter

TYPE_CHECKING = False  # importing typing takes milliseconds
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    Row = tuple[Any, ...]
    Rows = Sequence[Row]
    #: Hashes of the row prefixes of both results, and the prediction's columns in them.
    _Partial = tuple[array[int], array[int], tuple[int, ...]]


def share_a_column(gold: Rows, pred: Rows) -> bool:
    """Whether some column of one result is one of the other but for the order of its cells."""
    mine, theirs = (set(map(_bag, _hashed_columns(rows))) for rows in (gold, pred))
    return not mine.isdisjoint(theirs)


def _hashed_columns(rows: Rows) -> Iterator[array[int]]:
    for place in range(len(rows[0])):
        yield array("q", map(hash, map(itemgetter(place), rows)))


def _bag(hashes: Iterable[int]) -> int:
    """Return what two columns share if they hold the same cells equally often, whatever the order.

    It is a sum of hashes, taken once more: the hash of a small integer is itself.
    """
    return sum(map(hash, zip(hashes, strict=True)))


def match_columns(gold: Rows, pred: Rows, check_time: Callable[[], None]) -> bool:
    """Search a column permutation that makes the bags of rows equal.

    Args:
        gold: rows of the gold query.
        pred: rows of the prediction, as many and of as many columns.
        check_time: called between steps; it may raise.
    """
    search = _Search(gold, pred, check_time)
    return any(search.holds(columns) for columns in search.candidates())


class _Search:
    """Depth-first search over column matches, with the bag of row prefixes as the bound."""

    def __init__(self, gold: Rows, pred: Rows, check_time: Callable[[], None]) -> None:
        self._gold_rows = gold
        self._pred_rows = pred
        self._check_time = check_time
        self._gold = list(_hashed_columns(gold))
        check_time()
        self._pred = list(_hashed_columns(pred))
        check_time()
        self._order: list[int] = []

    def candidates(self) -> Iterator[tuple[int, ...]]:
        """Yield matches that the hashes allow: for each gold column of the order, the other's.

        The levels stand on a list, not on Python's stack, which a thousand columns overflow.
        """
        gold_bags, pred_bags = list(map(_bag, self._gold)), list(map(_bag, self._pred))
        if Counter(gold_bags) != Counter(pred_bags):
            return
        choices: dict[int, list[int]] = {}
        for j, bag in enumerate(pred_bags):
            choices.setdefault(bag, []).append(j)
        # Narrow columns first, and among them those that tell rows apart best: wrong partial
        # matches are then found early.
        self._order = sorted(
            range(len(gold_bags)),
            key=lambda i: (len(choices[gold_bags[i]]), -len(set(self._gold[i]))),
        )
        start = array("q", bytes(8 * len(self._gold_rows)))
        levels: list[Iterator[_Partial]] = [iter([(start, start, ())])]
        while levels:
            partial = next(levels[-1], None)
            if partial is None:
                levels.pop()
            elif len(levels) > len(self._order):
                yield partial[2]
            else:
                column = self._order[len(levels) - 1]
                levels.append(self._extensions(partial, column, choices[gold_bags[column]]))

    def _extensions(self, partial: _Partial, column: int, choices: list[int]) -> Iterator[_Partial]:
        """Yield the partial matches with one more gold column."""
        gold, pred, used = partial
        new_gold = _joined(gold, self._gold[column])
        wanted = _bag(new_gold)
        tried: list[int] = []
        for j in choices:
            if j in used or any(self._are_equal(j, other) for other in tried):
                continue
            tried.append(j)
            self._check_time()
            new_pred = _joined(pred, self._pred[j])
            if _bag(new_pred) == wanted:
                yield new_gold, new_pred, (*used, j)

    def _are_equal(self, one: int, other: int) -> bool:
        """Whether two columns of the prediction are the same, so that one need not be tried."""
        same_hashes = self._pred[one] == self._pred[other]
        return same_hashes and all(row[one] == row[other] for row in self._pred_rows)

    def holds(self, columns: tuple[int, ...]) -> bool:
        """Whether the rows are equal under a match."""
        self._check_time()
        left = Counter(map(itemgetter(*self._order), self._gold_rows))
        for row in map(itemgetter(*columns), self._pred_rows):
            left[row] -= 1
            if left[row] < 0:
                return False
        return True


def _joined(prefixes: array[int], column: array[int]) -> array[int]:
    return array("q", map(hash, zip(prefixes, column, strict=True)))
