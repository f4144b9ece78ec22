"""Equal scores: the same rows in the same order, however they were stored and searched."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rag_entries import WordEmbedder, make_entries

from text2sql.files import sha256_text
from text2sql.rag import store as store_module
from text2sql.rag.build import Entry, build
from text2sql.rag.config import EmbeddingConfig, KnowledgeBaseConfig, RetrievalConfig
from text2sql.rag.rank import diversify, fuse, ordered
from text2sql.rag.search import Asked, LeakGuard, Retriever
from text2sql.rag.store import Store

ALIKE = 25  # rows of one question, and so of one score, for each of a few questions
LIMIT = 10  # falls among them
ASKED = [
    Asked(
        0,
        "shop",
        "how many items of kind 2 are there",
        masked="how many _ of _ ? are there",
        draft="SELECT count(*) FROM items",
    ),
    Asked(1, "shop", "every item of kind 1", masked="every _ of _ ?"),
]
NOISE = 5e-7  # what one processor's sums differ by from another's


def alike() -> list[Entry]:
    """Few questions, each with many answers; ids in no order of the rows."""
    return [
        replace(
            entry,
            id=sha256_text(f"{entry.id} {answer}")[:32],
            sql=f"{entry.sql} LIMIT {answer + 1}",
        )
        for entry in make_entries(4)
        for answer in range(ALIKE)
    ]


class UnsteadyEmbedder(WordEmbedder):
    """Vectors whose last digits hang on what else is in the batch, as a real model's do."""

    def queries(self, texts: Sequence[str]) -> Any:
        vectors = super().queries(texts)
        noise = np.random.default_rng(len(texts)).uniform(-NOISE, NOISE, vectors.shape)
        return (vectors + noise).astype(np.float32)


def built(place: Path, seed: int, batch_rows: int) -> Path:
    """A store of the rows in an order of the seed's."""
    rows = alike()
    random.Random(seed).shuffle(rows)
    config = KnowledgeBaseConfig(
        embedding=EmbeddingConfig(model="words"),
        vectors=("question", "masked"),
        index="FLAT",
        batch_rows=batch_rows,
    )
    with Store(place, "kb") as store:
        build(config, rows, store, UnsteadyEmbedder())
    return place


class SameScore:
    """A reranker that cannot tell candidates apart, but for its last digits."""

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        noise = random.Random(len(pairs))
        return [0.5 + noise.uniform(-NOISE, NOISE) for _ in pairs]


def retrieved(store: Store, **settings: Any) -> list[list[list[str]]]:
    """Ids of the candidates, of them reranked, and of the examples, for each question."""
    config = RetrievalConfig(knowledge_base="x", **{"candidates": LIMIT, **settings})
    reranker = SameScore() if config.rerank else None
    found = Retriever(
        store, UnsteadyEmbedder(), config, LeakGuard(lambda row: None), reranker
    ).retrieve(ASKED)
    return [
        [[row.id for row in rows] for rows in (one.candidates, one.reranked, one.examples)]
        for one in found
    ]


WAYS: dict[str, dict[str, Any]] = {
    "question": {"channels": ("question",)},
    "masked": {"channels": ("masked",)},
    "bm25": {"channels": ("bm25",)},
    "fused": {"channels": ("question", "masked", "bm25")},
    "with a draft": {"channels": ("question", "bm25", "skeleton")},
    "reranked": {"channels": ("bm25",), "rerank": {"kind": "late_interaction", "key": "sql"}},
    "diverse": {"channels": ("masked", "bm25"), "mmr": 0.7},
    "diverse by likeness": {"channels": ("question",), "mmr": 0.7},
}


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The same rows, stored in two orders and in batches of two sizes."""
    for package in ("pymilvus", "milvus_lite"):
        pytest.importorskip(package, reason=f"{package} is not installed; run: make setup")
    folder = tmp_path_factory.mktemp("stores")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("text2sql.rag.build.model_identity", lambda embedding: embedding.model)
        return [
            built(folder / "first.db", seed=1, batch_rows=100),
            built(folder / "second.db", seed=2, batch_rows=17),
        ]


def test_rows_stored_in_another_order_give_the_same_examples(twice: list[Path]) -> None:
    answers = []
    for place in twice:
        with Store(place, "kb") as store:
            store.load()
            answers.append({name: retrieved(store, **way) for name, way in WAYS.items()})
    assert answers[0] == answers[1]


def test_equal_scores_come_by_id_also_where_the_limit_falls_among_them(twice: list[Path]) -> None:
    first = sorted(row.id for row in alike() if row.question == ASKED[0].question)
    assert len(first) == ALIKE > LIMIT
    for place in twice:
        with Store(place, "kb") as store:
            store.load()
            query = UnsteadyEmbedder().queries([ASKED[0].question])
            by_vector = store.search("question_vector", query, LIMIT)[0]
            by_words = store.search("bm25", [ASKED[0].question], LIMIT)[0]
            for hits in (by_vector, by_words):
                assert [key for key, _ in hits] == first[:LIMIT]
                assert len({score for _, score in hits}) == 1


SEARCHING = """
import json, sys
from pathlib import Path
from test_ties import WAYS, retrieved
from text2sql.rag.store import Store
with Store(sys.argv[1], "kb") as store:
    store.load()
    print(json.dumps({name: retrieved(store, **way) for name, way in WAYS.items()}))
"""


def test_one_thread_and_two_give_the_same_examples(twice: list[Path]) -> None:
    folders = [str(Path(__file__).parent), *sys.path]
    answers = []
    for threads in ("1", "2"):
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(filter(None, folders)),
            "OMP_NUM_THREADS": threads,
            "OPENBLAS_NUM_THREADS": threads,
        }
        command = [sys.executable, "-c", SEARCHING, str(twice[0])]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
        answers.append(json.loads(done.stdout))
    assert answers[0] == answers[1]
    assert answers[0].keys() == WAYS.keys()


class Scores:
    """A client that answers with the first of given scores, equal ones in any order."""

    def __init__(self, scores: Sequence[Sequence[float]]) -> None:
        self.asked: list[tuple[int, int]] = []
        self._scores = scores
        self._random = random.Random(7)

    def search(self, name: str, data: Sequence[int], limit: int, **_: Any) -> list[list[Any]]:
        self.asked.append((len(data), limit))
        return [self._hits(self._scores[number], limit) for number in data]

    def _hits(self, scores: Sequence[float], limit: int) -> list[dict[str, Any]]:
        # Noise first, then the cut: which of equal rows are within it changes with every request.
        hits = [
            {"id": f"{number:06d}", "distance": score + self._random.uniform(-NOISE, NOISE)}
            for number, score in enumerate(scores)
        ]
        return sorted(hits, key=lambda hit: -hit["distance"])[:limit]


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Make a store whose rows have given scores for each query, asked by its number."""

    def store_of(*scores: Sequence[float]) -> tuple[Store, Scores]:
        store, client = Store("unused.db", "kb"), Scores(scores)
        monkeypatch.setattr(store, "client", client)
        return store, client

    yield store_of


def names(hits: Sequence[tuple[str, float]]) -> list[int]:
    return [int(key) for key, _ in hits]


def test_only_questions_whose_limit_falls_among_equals_are_asked_again(answering: Any) -> None:
    pytest.importorskip("pymilvus", reason="pymilvus is not installed; run: make setup")
    distinct = [1 - number / 100 for number in range(60)]
    tied = [0.9] * 3 + [0.5] * 30 + [0.1] * 30
    store, client = answering(distinct, tied)
    apart, equal = store.search("question_vector", [0, 1], 5)
    assert names(apart) == [0, 1, 2, 3, 4]
    assert names(equal) == [0, 1, 2, 3, 4]
    assert client.asked == [(2, 6), (1, 24), (1, 96)]


def test_a_limit_that_falls_between_ties_needs_no_second_request(answering: Any) -> None:
    pytest.importorskip("pymilvus", reason="pymilvus is not installed; run: make setup")
    store, client = answering([0.9] * 4 + [0.5] * 30)
    assert names(store.search("question_vector", [0], 4)[0]) == [0, 1, 2, 3]
    assert client.asked == [(1, 5)]


def test_no_more_is_asked_for_than_milvus_gives(
    answering: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pymilvus", reason="pymilvus is not installed; run: make setup")
    monkeypatch.setattr(store_module, "MOST", 50)
    store, client = answering([0.5] * 200)
    assert len(store.search("question_vector", [0], 5)[0]) == 5
    assert len(store.search("question_vector", [0], 50)[0]) == 50
    assert client.asked == [(1, 6), (1, 24), (1, 50), (1, 50)]


def test_scores_that_differ_in_their_last_digits_are_equal_and_others_are_not() -> None:
    # 0.12345650 and its neighbours would be rounded apart at any number of digits but the last.
    near = [("c", 0.12345650), ("a", 0.12345645), ("b", 0.12345655)]
    assert ordered([*near, ("z", 0.9), ("d", 0.1234)]) == [
        ("z", 0.9),
        ("a", 0.12345655),
        ("b", 0.12345655),
        ("c", 0.12345655),
        ("d", 0.1234),
    ]
    large = [("b", 31.20001), ("a", 31.2), ("c", 31.199)]
    assert [key for key, _ in ordered(large)] == ["a", "b", "c"]
    assert ordered([]) == []


def test_equal_places_add_up_to_equal_scores_in_whichever_channels_they_are() -> None:
    """1/61 + 1/67 + 1/62 and 1/62 + 1/61 + 1/67 differ in the last bit as floats are added."""
    channels = 3
    places = (1, 7, 2)
    rankings: list[list[str]] = [[""] * 7 for _ in range(channels)]
    for shift, key in enumerate(("b", "a", "c")):
        for channel in range(channels):
            place = places[(channel + shift) % channels]
            rankings[channel][place - 1] = key
    for number, ranking in enumerate(rankings):
        ranking[:] = [key or f"{number}{place}" for place, key in enumerate(ranking)]
    scores = fuse(rankings)
    assert len({scores[key] for key in "abc"}) == 1
    assert [key for key in scores if key in "abc"] == ["a", "b", "c"]


def test_of_equally_worthy_rows_diversity_takes_the_first() -> None:
    rng = np.random.default_rng(3)
    base = np.array([0.6, 0.8], dtype=np.float32)
    scores = dict.fromkeys("abcd", 0.75)
    for _ in range(20):
        vectors = {key: (base + rng.uniform(-NOISE, NOISE, 2)).astype(np.float32) for key in scores}
        assert diversify(scores, vectors, 3, weight=0.5) == ["a", "b", "c"]
