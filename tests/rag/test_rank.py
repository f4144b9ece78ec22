"""Fusion, diversity, shape of SQL, recall."""

from __future__ import annotations

import numpy as np
import pytest

from text2sql.rag.rank import diversify, fuse, recall, shape_similarity
from text2sql.rag.rerank import RandomOrder


def test_what_two_channels_find_beats_what_one_finds_first() -> None:
    scores = fuse([["a", "b", "c"], ["d", "b", "a"]])
    assert list(scores)[:2] == ["a", "b"]
    assert scores["a"] == pytest.approx(1 / 61 + 1 / 63)
    assert set(scores) == set("abcd")


def test_diversity_passes_over_a_double() -> None:
    vectors = {
        "best": np.array([1, 0], dtype=np.float32),
        "double": np.array([1, 0], dtype=np.float32),
        "other": np.array([0, 1], dtype=np.float32),
    }
    scores = {"best": 1.0, "double": 0.9, "other": 0.8}
    assert diversify(scores, vectors, 2, weight=1.0) == ["best", "double"]
    assert diversify(scores, vectors, 2, weight=0.5) == ["best", "other"]
    assert diversify({}, {}, 2, weight=0.5) == []
    assert len(diversify(scores, vectors, 9, weight=0.5)) == 3


def test_shape_similarity() -> None:
    assert shape_similarity("select _ from _", "select _ from _") == 1.0
    near = shape_similarity("select _ from _ where _ = ?", "select _ from _ where _ > ?")
    far = shape_similarity("select _ from _ where _ = ?", "select count ( * ) from _")
    assert 1.0 > near > far > 0.0
    assert shape_similarity("", "") == 1.0


def test_recall_counts_questions_with_the_wanted_skeleton_that_deep() -> None:
    rankings = [["x", "y"], ["y", "x"], ["z"], []]
    assert recall(rankings, ["x", "x", "x", "x"], (1, 2)) == {"1": 0.25, "2": 0.5}
    assert recall([], [], (1,)) == {"1": 0.0}


def test_random_order_is_the_same_in_every_run_and_reads_nothing() -> None:
    pairs = [("q", f"candidate {number}") for number in range(200)]
    scores = RandomOrder().score(pairs)
    assert scores == RandomOrder().score(pairs)
    assert all(0 <= score < 1 for score in scores)
    assert len(set(scores)) == 200
    assert 0.4 < sum(scores) / 200 < 0.6
    assert RandomOrder().score([("other", "candidate 0")]) != scores[:1]
