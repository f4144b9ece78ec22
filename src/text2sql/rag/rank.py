"""Rankings: put in order, fused, made diverse, and compared by the shape of SQL."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from text2sql.rag.embed import Array

RRF_CONSTANT = 60  # as published; larger ones let lower ranks count more
# Scores no further apart than this are equal (above 1: than this part of them). They are sums of
# float32, whose last digits hang on the processor, the number of threads, a row's place in the
# store and the batch it was embedded in: one text stored twice was up to 1e-6 from itself.
TIE = 4e-6


def ordered(scored: Iterable[tuple[str, float]]) -> list[tuple[str, float]]:
    """Return (id, score) pairs best first, equal ones by id; those get the best score among them.

    Neighbours are compared, scores are not rounded: two equal ones can lie on either side of the
    place where rounding goes up instead of down, and which of many do would differ by machine.
    """
    levelled: list[tuple[str, float]] = []
    level = last = math.inf
    for key, score in sorted(scored, key=lambda pair: -pair[1]):
        level = score if _apart(last, score) else level
        last = score
        levelled.append((key, level))
    return sorted(levelled, key=lambda pair: (-pair[1], pair[0]))


def _apart(higher: float, lower: float) -> bool:
    return higher - lower > TIE * max(1.0, abs(lower))


def fuse(rankings: Sequence[Sequence[str]]) -> dict[str, float]:
    """Return ids with their reciprocal-rank-fusion scores, best first (Cormack et al., 2009).

    Args:
        rankings: ids best first, one ranking a channel.
    """
    parts: dict[str, list[float]] = defaultdict(list)
    for ranking in rankings:
        for rank, key in enumerate(ranking, start=1):
            parts[key].append(1 / (RRF_CONSTANT + rank))
    # fsum: the same places add up to the same score, whichever channel gave which of them. Scores
    # far down lie nearer together than TIE and are exact, so they are compared as they are.
    scores = {key: math.fsum(shares) for key, shares in parts.items()}
    return dict(sorted(scores.items(), key=lambda item: (-item[1], item[0])))


def diversify(
    scores: Mapping[str, float], vectors: Mapping[str, Array], k: int, weight: float
) -> list[str]:
    """Return k ids by maximal marginal relevance (Carbonell and Goldstein, 1998), best first.

    Args:
        scores: relevance by id, on any scale, best first; it is brought to between 0 and 1.
        vectors: vector of length 1 by id.
        k: how many.
        weight: of relevance, against likeness to what is chosen already; 1 is relevance alone.
    """
    if not scores:
        return []
    low, high = min(scores.values()), max(scores.values())
    relevance = {key: (s - low) / (high - low) if high > low else 1.0 for key, s in scores.items()}
    chosen: list[str] = []
    likeness = dict.fromkeys(scores, 0.0)
    while len(chosen) < min(k, len(scores)):
        worth = {
            key: weight * relevance[key] - (1 - weight) * likeness[key]
            for key in scores
            if key not in chosen
        }
        highest = max(worth.values())
        best = next(key for key, value in worth.items() if not _apart(highest, value))
        chosen.append(best)
        for key in scores:
            likeness[key] = max(likeness[key], float(vectors[key] @ vectors[best]))
    return chosen


def shape_similarity(first: str, second: str) -> float:
    """Return the Jaccard similarity of two SQL skeletons' pairs of neighbouring words."""
    one, other = _pairs(first), _pairs(second)
    return len(one & other) / len(one | other) if one | other else 1.0


def _pairs(skeleton: str) -> set[tuple[str, str]]:
    words = ["", *skeleton.split(), ""]
    return set(itertools.pairwise(words)) if len(words) > 2 else set()


def recall(
    rankings: Sequence[Sequence[str]], wanted: Sequence[str], ks: Sequence[int]
) -> dict[str, float]:
    """Return for each k the share of questions with an example of the wanted skeleton in the top k.

    Args:
        rankings: skeletons of the examples found, best first, for each question.
        wanted: the gold SQL's skeleton of each question.
        ks: how deep to look.
    """
    places = [
        ranking.index(skeleton) if skeleton in ranking else math.inf
        for ranking, skeleton in zip(rankings, wanted, strict=True)
    ]
    return {
        str(k): round(sum(place < k for place in places) / len(places), 4) if places else 0.0
        for k in ks
    }
