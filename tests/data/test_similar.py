"""Similar sets are found exactly: what comparing all pairs finds."""

from __future__ import annotations

import random

import pytest

from text2sql.data.jaccard_join import SimilarSets


def draw_set(draw: random.Random) -> frozenset[bytes]:
    return frozenset(bytes([draw.randrange(30)]) for _ in range(draw.randrange(1, 25)))


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.8, 0.9, 1.0])
def test_same_as_all_pairs(threshold: float) -> None:
    draw = random.Random(3)
    sets = [draw_set(draw) for _ in range(200)]
    similar = SimilarSets(sets, threshold)
    found = 0
    for asked in [*sets[:50], *(draw_set(draw) for _ in range(200))]:
        wanted = {i for i, s in enumerate(sets) if len(asked & s) / len(asked | s) >= threshold}
        assert similar.find(asked) == wanted
        found += len(wanted)
    assert found >= 50  # each of the collection finds itself
