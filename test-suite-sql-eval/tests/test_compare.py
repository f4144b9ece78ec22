"""Result comparison: the official verdicts, and no factorial time."""

import itertools
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_suite_sql_eval.compare import (
    bird_set_equal,
    difference,
    equivalent,
    official_row_check,
    strict_equal,
)


@pytest.mark.parametrize(
    ("gold", "pred", "order", "expected"),
    [
        ([], [], False, True),
        ([], [(1,)], False, False),
        ([(1, 2)], [(2, 1)], False, True),
        ([(1, 2), (3, 4)], [(4, 3), (2, 1)], False, True),
        ([(1, 2), (3, 4)], [(4, 3), (2, 1)], True, False),
        ([(1, 2), (3, 4)], [(2, 1), (4, 3)], True, True),
        ([(1,), (1,), (2,)], [(1,), (2,), (2,)], False, False),
        ([(1,)], [(1.0,)], False, True),
        ([(1,)], [("1",)], False, False),
        ([(None,)], [(None,)], False, True),
        ([(0.1 + 0.2,)], [(0.3,)], False, False),
        ([(1, 2)], [(1, 2, 2)], False, False),
        # each row's cells match, but no single permutation does it for all rows
        ([(1, 2), (3, 4)], [(2, 1), (3, 4)], False, False),
        # the official program's sorting of cells by text tells 1 from 1.0 beside 10
        ([(1, 10)], [(1.0, 10)], False, False),
        ([(1, 20)], [(1.0, 20)], False, True),
    ],
)
def test_verdicts(gold: list, pred: list, order: bool, expected: bool) -> None:
    assert equivalent(gold, pred, order) is expected


def _by_all_permutations(gold: list, pred: list, order: bool) -> bool:
    """The definition, executed literally."""
    if not gold and not pred:
        return True
    if len(gold) != len(pred) or len(gold[0]) != len(pred[0]):
        return False
    if not official_row_check(gold, pred, order):
        return False
    for permutation in itertools.permutations(range(len(gold[0]))):
        moved = [tuple(row[i] for i in permutation) for row in pred]
        left = list(gold)
        if order:
            if moved == left:
                return True
            continue
        for row in moved:
            if row in left:
                left.remove(row)
        if not left:
            return True
    return False


_CELLS = st.sampled_from([0, 1, 1.0, 10, "1", "a", None, b"a", 0.0, -0.0])


@given(st.data())
def test_equals_the_definition(data: st.DataObject) -> None:
    width = data.draw(st.integers(1, 4))
    row = st.tuples(*[_CELLS] * width)
    gold = data.draw(st.lists(row, max_size=4))
    order = data.draw(st.booleans())
    if data.draw(st.booleans()):
        permutation = data.draw(st.permutations(range(width)))
        pred = [tuple(r[i] for i in permutation) for r in data.draw(st.permutations(gold))]
    else:
        pred = data.draw(st.lists(row, max_size=4))
    assert equivalent(gold, pred, order) == _by_all_permutations(gold, pred, order)


def test_many_similar_columns_take_no_factorial_time() -> None:
    rng = random.Random(0)
    gold = [tuple(rng.randint(0, 1) for _ in range(12)) for _ in range(300)]
    pred = [tuple(reversed(row)) for row in gold]
    almost = [*pred[:-1], tuple(1 - cell for cell in pred[-1])]
    start = time.monotonic()
    assert equivalent(gold, pred, False)
    assert not equivalent(gold, almost, False)
    assert time.monotonic() - start < 60


def test_other_semantics() -> None:
    assert bird_set_equal([(1,), (1,)], [(1,)])
    assert not strict_equal([(1,), (1,)], [(1,)], False)
    assert not strict_equal([(1, 2)], [(2, 1)], False)
    assert strict_equal([(1,), (2,)], [(2,), (1,)], False)
    assert not strict_equal([(1,), (2,)], [(2,), (1,)], True)


def test_difference() -> None:
    assert difference([(1,)], [(1, 2)], False) == "wrong_columns"
    assert difference([(1,)], [(1,), (2,)], False) == "wrong_rows"
    assert difference([(1,), (2,)], [(2,), (1,)], True) == "wrong_order"
    assert difference([(1, "a")], [(2, "b")], False) == "wrong_columns"
    assert difference([(1, "a")], [(1, "b")], False) == "wrong_rows"


def test_a_thousand_permuted_columns() -> None:
    """More levels than Python's stack holds, with rows that only the last columns tell apart."""
    width = 1100
    wide = [tuple(place * 31 % 7 for place in range(width))] * 2
    unit = [tuple(int(place == row) for place in range(width)) for row in range(width)]
    for gold in (wide, unit):
        assert equivalent(gold, [row[::-1] for row in gold], False)
    wrong = [row[::-1] for row in unit[1:]] + [unit[0]]
    assert not equivalent(unit, wrong, False)


@pytest.mark.parametrize(
    ("gold", "pred", "expected"),
    [
        ([(-1, -2), (-2, -1), (5, 6)], [(-2, -1), (-1, -2), (6, 5)], True),
        ([(-1, -2, 0), (-2, -1, 0)], [(-1, -2, 0), (-1, -2, 0)], False),
        ([(-1, 0, -2), (3, 0, 3)], [(0, -2, -2), (0, 3, 3)], False),
        ([(-1, -2, 7), (-1, -2, 8)], [(-2, -1, 7), (-2, -1, 8)], True),
        ([(-2, -1, 7), (-2, -1, 8)], [(7, -1, -2), (8, -1, -2)], True),
        ([(0, 2**61 - 1, 7), (1, 2, 8)], [(2**61 - 1, 0, 7), (2, 1, 8)], True),
        ([(0, 2**61 - 1, 7), (1, 2, 8)], [(0, 0, 7), (2, 1, 8)], False),
    ],
)
def test_cells_of_one_hash_are_told_apart(gold: list, pred: list, expected: bool) -> None:
    """In Python hash(-1) == hash(-2) and hash(0) == hash(2**61 - 1)."""
    assert equivalent(gold, pred, False) is expected
    assert _by_all_permutations(gold, pred, False) is expected


@given(
    st.integers(1, 4).flatmap(
        lambda width: st.lists(
            st.tuples(*[st.sampled_from([-2, -1, 0, 1, None, "a"])] * width), max_size=5
        )
    ),
    st.randoms(use_true_random=False),
)
def test_hashes_give_the_verdict_of_all_permutations(gold: list, chance: random.Random) -> None:
    order = list(range(len(gold[0]) if gold else 0))
    chance.shuffle(order)
    pred = [tuple(row[place] for place in order) for row in gold]
    chance.shuffle(pred)
    if pred and chance.random() < 0.5:
        changed = list(pred[0])
        changed[0] = chance.choice([-2, -1])
        pred[0] = tuple(changed)
    assert equivalent(gold, pred, False) == _by_all_permutations(gold, pred, False)
