"""The choice of a token, drawn or the best, where not every text may be written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

FEW = 64  # of the best tokens are tried at first
MANY = 4096  # where none of those may follow; further down it is a fragment of other scripts
NEAR = 25.0  # a token of a score so far below the best, over the temperature, is never drawn


@dataclass(frozen=True)
class Draw:
    """How tokens are drawn: by their probability at a temperature, within a nucleus.

    Args:
        temperature: above 0.
        top_p: share of the probability that the best tokens, which may be drawn, hold together.
        chance: where the numbers come from.
    """

    temperature: float
    top_p: float
    chance: np.random.Generator

    def order(self, scores: Any) -> Iterator[int]:
        """Yield tokens as they would be drawn one after another, each once.

        To draw without putting back is to sort by the scores with noise of Gumbel's distribution
        added (Vieira, 2014, "Gumbel-max trick and weighted reservoir sampling").
        """
        near = np.flatnonzero(scores > scores.max() - NEAR * self.temperature)
        logits = scores[near] / self.temperature
        if self.top_p < 1:
            best_first = np.argsort(-logits, kind="stable")
            shares = np.exp(logits[best_first] - logits[best_first[0]])
            kept = int(np.searchsorted(np.cumsum(shares / shares.sum()), self.top_p)) + 1
            near, logits = near[best_first[:kept]], logits[best_first[:kept]]
        noisy = logits + self.chance.gumbel(size=len(logits))
        yield int(near[noisy.argmax()])  # mostly no other is asked for, and to sort takes long
        yield from near[np.argsort(-noisy)[1:]].tolist()


def leave_one(scores: Any, allows: Callable[[int], bool], draw: Draw | None = None) -> None:
    """Leave a model one token that may follow; leave it all where none of the best may.

    Args:
        scores: one for each token of the vocabulary, a numpy array or a torch tensor on the CPU;
            those of the tokens that are taken away become minus infinity.
        allows: says whether a token may follow; it is asked as seldom as can be.
        draw: how to draw the token; None: the best one is left.
    """
    values = np.asarray(scores, dtype=np.float32)
    refused: set[int] = set()
    for token in _in_turn(values, draw):
        if token in refused:
            continue
        if allows(token):
            score = float(scores[token])
            scores[:] = -np.inf
            scores[token] = score
            return
        refused.add(token)


def _in_turn(scores: Any, draw: Draw | None) -> Iterator[int]:
    """Yield the tokens to try, some of them more than once."""
    if draw:
        yield from draw.order(scores)
    else:
        yield int(
            scores.argmax()
        )  # mostly it may follow, and to sort takes a hundred times as long
    for count in (min(FEW, len(scores)), min(MANY, len(scores))):
        best = np.argpartition(-scores, count - 1)[:count]
        yield from best[np.argsort(-scores[best], kind="stable")].tolist()
