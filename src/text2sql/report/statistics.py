"""Uncertainty of accuracies, and paired tests between rows that answered the same questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import comb, sqrt

SIGNIFICANCE = 0.05


def standard_error(share: float, questions: int) -> float:
    """Return the standard error of a share of so many independent questions (binomial)."""
    return sqrt(share * (1 - share) / questions) if questions else 0.0


def discordant(first: Sequence[int], second: Sequence[int]) -> tuple[int, int]:
    """Return how many questions only `first` has right, and how many only `second`.

    Args:
        first: 1 or 0 for each question.
        second: the same for the same questions.

    Raises:
        ValueError: different lengths.
    """
    pairs = list(zip(first, second, strict=True))
    return sum(a > b for a, b in pairs), sum(b > a for a, b in pairs)


def mcnemar(only_first: int, only_second: int) -> float:
    """Return the two-sided exact p-value of McNemar's test (1947).

    Under the null hypothesis each question that one of the two has right and the other wrong falls
    to either with the same probability, so the smaller count is binomial.

    Args:
        only_first: questions that only the first has right.
        only_second: questions that only the second has right.
    """
    total = only_first + only_second
    tail = sum(comb(total, k) for k in range(min(only_first, only_second) + 1))
    return min(1.0, 2 * tail / 2**total)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for being several (Holm 1979), in the order given."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected


def best_and_ties(outcomes: Mapping[str, Sequence[int]]) -> tuple[list[str], bool]:
    """Return the rows that may be called best, and whether one is best beyond chance.

    Args:
        outcomes: 1 or 0 for each question, by row; the same questions for all rows.

    Returns:
        The row with most right answers together with every row that is not significantly worse
        (exact McNemar, Holm over the comparisons), and whether that is a single row among several.
    """
    best = max(outcomes, key=lambda name: sum(outcomes[name]))
    others = [name for name in outcomes if name != best]
    raw = [mcnemar(*discordant(outcomes[best], outcomes[name])) for name in others]
    ties = [name for name, p in zip(others, holm(raw), strict=True) if p >= SIGNIFICANCE]
    return [best, *ties], bool(others) and not ties
