"""When do two query results count as equal?

``equivalent`` gives the verdict of the official test suite evaluator (arXiv 2010.02840, section 2
and its released code): the rows form the same bag, or the same list if the order matters, under
some permutation of the columns; two empty results are equal whatever their columns.

The official program searches the permutations one after the other (factorial time) and draws
random rows to narrow them.  Here no permutation is tried blindly:

* with order, a permutation exists exactly if both results hold the same bag of columns;
* without order, columns are matched by their own bags of values first, and a partial match is
  given up as soon as the bags of row prefixes differ.

One quirk is kept because verdicts depend on it: the official program first sorts each row's cells
by text and type and compares the sorted rows, which tells 1 from 1.0 whenever the sorting puts
them in different places (``official_row_check``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

TYPE_CHECKING = False  # importing typing takes milliseconds
if TYPE_CHECKING:
    from .columns import Row, Rows


def _never() -> None:
    return None


def equivalent(
    gold: Rows, pred: Rows, order_matters: bool, check_time: Callable[[], None] = _never
) -> bool:
    """Return the official verdict on two results.

    Args:
        gold: rows of the gold query.
        pred: rows of the predicted query.
        order_matters: compare as lists, not as bags.
        check_time: called between steps; it may raise to stop a long comparison.

    Source: Zhong, Yu and Klein (arXiv 2010.02840), released evaluator.
    """
    if not gold and not pred:
        return True
    if len(gold) != len(pred) or len(gold[0]) != len(pred[0]):
        return False
    if not _permutation_exists(gold, pred, order_matters, check_time):
        return False
    return not _may_sort_differently(gold, pred) or official_row_check(gold, pred, order_matters)


def _permutation_exists(
    gold: Rows, pred: Rows, order_matters: bool, check_time: Callable[[], None]
) -> bool:
    if order_matters:
        if gold == pred:
            return True
        if len(gold[0]) == 1:
            return False
        # cheap rejection: the first rows must hold the same cells
        if Counter(gold[0]) != Counter(pred[0]):
            return False
        return Counter(zip(*gold, strict=True)) == Counter(zip(*pred, strict=True))
    if gold == pred:
        return True
    if set(gold) == set(pred) and Counter(gold) == Counter(pred):
        return True
    if len(gold[0]) == 1:
        return False
    check_time()
    from .columns import match_columns  # here, because few results need it

    return match_columns(gold, pred, check_time)


def _may_sort_differently(gold: Rows, pred: Rows) -> bool:
    """Whether equal cells can have different texts: only int against float and 0.0 against -0.0."""
    if len(gold[0]) < 2:
        return False
    return any(float in set(map(type, row)) for rows in (gold, pred) for row in rows)


def _sorted_row(row: Row) -> Row:
    return tuple(sorted(row, key=lambda cell: str(cell) + str(type(cell))))


def official_row_check(gold: Rows, pred: Rows, order_matters: bool) -> bool:
    """The official program's first test: rows with their cells sorted by text and type.

    Source: Zhong, Yu and Klein (arXiv 2010.02840), released evaluator.
    """
    gold_rows = map(_sorted_row, gold)
    pred_rows = map(_sorted_row, pred)
    if order_matters:
        return all(a == b for a, b in zip(gold_rows, pred_rows, strict=True))
    return set(gold_rows) == set(pred_rows)


def strict_equal(gold: Rows, pred: Rows, order_matters: bool) -> bool:
    """Same columns in the same places, same bag of rows (same list if the order matters)."""
    if len(gold) != len(pred):
        return False
    return list(gold) == list(pred) if order_matters else Counter(gold) == Counter(pred)


def bird_set_equal(gold: Rows, pred: Rows) -> bool:
    """BIRD's execution accuracy: the same set of rows; order and duplicates do not count.

    Source: Li et al., BIRD (arXiv 2305.03111), released evaluator.
    """
    return set(gold) == set(pred)


def difference(gold: Rows, pred: Rows, order_matters: bool) -> str:
    """Name the difference between two results that are not equivalent.

    Returns:
        ``wrong_columns`` (another number of columns, or no column in common), ``wrong_order``
        (equal but for the order of rows) or ``wrong_rows``.
    """
    if gold and pred and len(gold[0]) != len(pred[0]):
        return "wrong_columns"
    if len(gold) != len(pred) or not gold:
        return "wrong_rows"
    if order_matters and equivalent(gold, pred, False):
        return "wrong_order"
    if len(gold[0]) == 1:
        return "wrong_rows"
    from .columns import share_a_column

    return "wrong_rows" if share_a_column(gold, pred) else "wrong_columns"
