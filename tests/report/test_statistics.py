"""The statistics against values known otherwise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from text2sql.report.uncertainty import best_and_ties, discordant, holm, mcnemar, standard_error


@pytest.mark.parametrize(("first", "second"), [(0, 0), (1, 0), (5, 5), (10, 2), (0, 8), (59, 6)])
def test_mcnemar_is_scipys_binomial_test(first: int, second: int) -> None:
    from scipy.stats import binomtest

    total = first + second
    expected = binomtest(first, total, 0.5).pvalue if total else 1.0
    assert mcnemar(first, second) == pytest.approx(expected)


@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemar_is_symmetric_and_a_probability(first: int, second: int) -> None:
    assert 0 < mcnemar(first, second) <= 1
    assert mcnemar(first, second) == mcnemar(second, first)


def test_discordant_counts_and_refuses_other_questions() -> None:
    assert discordant([1, 1, 0, 0], [1, 0, 1, 1]) == (1, 2)
    with pytest.raises(ValueError):
        discordant([1], [1, 0])


def test_standard_error() -> None:
    assert standard_error(0.5, 100) == pytest.approx(0.05)
    assert standard_error(0.0, 10) == 0.0
    assert standard_error(0.5, 0) == 0.0


def test_holm_as_in_the_textbook() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


def test_a_clear_winner_and_a_tie() -> None:
    strong = [1] * 30 + [0] * 10
    weak = [0] * 40
    close = [1] * 29 + [0] * 11
    assert best_and_ties({"a": strong, "b": weak}) == (["a"], True)
    assert best_and_ties({"a": strong, "b": weak, "c": close}) == (["a", "c"], False)
    assert best_and_ties({"a": strong}) == (["a"], False)
