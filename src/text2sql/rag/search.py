"""Examples for questions: channels searched and fused, leaks left out, reranked, made diverse."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from text2sql.data.decontaminate import skeleton
from text2sql.data.rows import Row
from text2sql.errors import UserError
from text2sql.rag.config import RetrievalConfig
from text2sql.rag.embed import Embedder
from text2sql.rag.rank import diversify, fuse, ordered, shape_similarity
from text2sql.rag.rerank import Reranker
from text2sql.rag.store import BM25, MOST, Store

BATCH = 128  # questions searched and reranked together
OVERFETCH = 10  # more than the candidates wanted, for the leaks among them
FIELDS = ("question", "sql", "skeleton", "db_id")


@dataclass(frozen=True)
class Asked:
    """A question to find examples for; `draft` is an answer given without any."""

    id: int
    db_id: str
    question: str
    masked: str = ""
    draft: str = ""


@dataclass(frozen=True)
class Found:
    """A stored question with its score (a probability, likeness or fused rank)."""

    id: str
    score: float
    question: str
    sql: str
    skeleton: str
    db_id: str


@dataclass(frozen=True)
class Retrieved:
    """What was found for a question: the examples, and all candidates before reranking."""

    asked: Asked
    examples: list[Found]
    candidates: list[Found]
    reranked: list[Found]


@dataclass
class LeakGuard:
    """Leaves out stored questions that give an evaluation question away, and counts them.

    Args:
        judge: returns a level for a row that leaks, or None.
    """

    judge: Callable[[Row], str | None]
    known: dict[str, str | None] = field(default_factory=dict)
    refused: int = 0

    def leaks(self, found: Found, asked: Asked) -> bool:
        """Whether a stored question must not be shown for one asked; each is judged once."""
        if found.id not in self.known:
            row = Row("store", len(self.known), found.question, found.sql, db_id=found.db_id)
            self.known[found.id] = self.judge(row)
        leak = self.known[found.id] is not None
        self.refused += leak
        return leak

    @property
    def leaking_rows(self) -> int:
        """How many of the stored questions met were leaks."""
        return sum(level is not None for level in self.known.values())


class Retriever:
    """Finds examples.

    Args:
        store: an open, loaded store.
        embedder: the model the store was built with.
        config: how.
        guard: what must not be found.
        reranker: loaded, if the config has one.
    """

    def __init__(
        self,
        store: Store,
        embedder: Embedder,
        config: RetrievalConfig,
        guard: LeakGuard,
        reranker: Reranker | None = None,
    ) -> None:
        self._store, self.embedder, self._config = store, embedder, config
        self.guard, self._reranker = guard, reranker

    def retrieve(self, questions: Sequence[Asked]) -> Iterator[Retrieved]:
        """Yield what is found for each question, in order.

        Raises:
            UserError: a question is empty, or the store fails.
        """
        for asked in questions:
            if not asked.question.strip():
                raise UserError(f"question {asked.id} is empty; there is nothing to search by")
        for start in range(0, len(questions), BATCH):
            yield from self._batch(questions[start : start + BATCH])

    def _batch(self, batch: Sequence[Asked]) -> Iterator[Retrieved]:
        candidates = self._candidates(batch)
        reranked = self._rerank(batch, candidates)
        for asked, before, after in zip(batch, candidates, reranked, strict=True):
            yield Retrieved(asked, self._choose(after), before, after)

    def _candidates(self, batch: Sequence[Asked]) -> list[list[Found]]:
        """Fused candidates without leaks; questions left short by the guard look deeper."""
        wanted = self._config.candidates
        done: dict[int, list[Found]] = {}
        waiting = list(range(len(batch)))
        limit = wanted + OVERFETCH
        while waiting:
            rankings = self._search([batch[i] for i in waiting], limit)
            keys = sorted({key for lists in rankings for keys in lists for key in keys})
            read = self._store.rows(keys, FIELDS)
            rows = {key: Found(id=key, score=0.0, **row) for key, row in read.items()}
            short = []
            for index, lists in zip(waiting, rankings, strict=True):
                done[index], exhausted = self._fused(batch[index], lists, rows, limit)
                if len(done[index]) < wanted and not exhausted and limit < MOST:
                    short.append(index)
            waiting, limit = short, min(limit * 4, MOST)
        return [done[index][:wanted] for index in range(len(batch))]

    def _fused(
        self, asked: Asked, lists: list[dict[str, float]], rows: dict[str, Found], limit: int
    ) -> tuple[list[Found], bool]:
        # Not Milvus' own hybrid_search with its RRFRanker: it fuses leaks as well, and whoever
        # stands behind one in a channel would lose rank by it.
        clean = [[key for key in keys if not self.guard.leaks(rows[key], asked)] for keys in lists]
        if "skeleton" in self._config.channels and asked.draft:
            shape = skeleton(asked.draft)
            # Those of equal shape keep the order of the other channels: few shapes, many rows.
            pool = list(fuse(clean))
            clean.append(sorted(pool, key=lambda k: -shape_similarity(shape, rows[k].skeleton)))
        scores = fuse(clean)
        if len(clean) == 1:  # its own scores say more than places
            scores = {key: lists[0][key] for key in clean[0]}
        fused = [replace(rows[key], score=score) for key, score in scores.items()]
        return fused, all(len(keys) < limit for keys in lists)

    def _search(self, batch: Sequence[Asked], limit: int) -> list[list[dict[str, float]]]:
        """Ids and scores by question and channel; questions with equal filters share a request."""
        result: list[list[dict[str, float]]] = [[] for _ in batch]
        groups: dict[str, list[int]] = defaultdict(list)
        for number, asked in enumerate(batch):
            groups[self._filter(asked)].append(number)
        for channel in self._config.channels:
            if channel == "skeleton":
                continue
            is_text = channel == "bm25"
            texts = [a.masked if channel == "masked" else a.question for a in batch]
            vectors = None if is_text else self.embedder.queries(texts)
            for where, members in groups.items():
                queries = [texts[i] for i in members] if vectors is None else vectors[members]
                name = BM25 if is_text else f"{channel}_vector"
                hits = self._store.search(name, queries, limit, where)
                for number, scored in zip(members, hits, strict=True):
                    result[number].append(dict(scored))
        return result

    def _filter(self, asked: Asked) -> str:
        if self._config.same_database == "any":
            return ""
        sign = "==" if self._config.same_database == "only" else "!="
        name = asked.db_id.replace("\\", "\\\\").replace('"', '\\"')
        return f'db_id {sign} "{name}"'

    def _rerank(self, batch: Sequence[Asked], candidates: list[list[Found]]) -> list[list[Found]]:
        if self._reranker is None or self._config.rerank is None:
            return candidates
        key = self._config.rerank.key
        pairs = [
            [(asked.question, getattr(found, key)) for found in rows]
            for asked, rows in zip(batch, candidates, strict=True)
        ]
        # Each pair once: beside texts of other lengths the same one gets another score.
        distinct = list(dict.fromkeys(pair for row in pairs for pair in row))
        scored_once = self._reranker.score(distinct) if distinct else []
        scores = dict(zip(distinct, scored_once, strict=True))
        reranked = []
        for rows, read in zip(candidates, pairs, strict=True):
            by_id = {found.id: found for found in rows}
            scored = ordered(zip(by_id, (scores[pair] for pair in read), strict=True))
            reranked.append([replace(by_id[name], score=score) for name, score in scored])
        return reranked

    def _choose(self, ranked: list[Found]) -> list[Found]:
        if self._config.mmr is None or not ranked:
            return ranked[: self._config.k]
        name = next(f"{c}_vector" for c in ("question", "masked") if c in self._config.channels)
        by_id = {found.id: found for found in ranked}
        vectors = {key: row[name] for key, row in self._store.rows([*by_id], [name]).items()}
        scores = {key: found.score for key, found in by_id.items()}
        chosen = diversify(scores, vectors, self._config.k, self._config.mmr)
        return [by_id[key] for key in chosen]
