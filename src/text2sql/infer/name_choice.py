"""The choice of a token where not every text may be written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

FEW = 64  # of the best tokens are tried at first
MANY = 4096  # where none of those may follow; further down it is a fragment of other scripts


def mask_scores(scores: Any, allows: Callable[[int], bool], *, greedy: bool) -> None:
    """Take from a model the tokens that may not follow; leave it all where none of the best may.

    Args:
        scores: one for each token of the vocabulary, a numpy array or a torch tensor on the CPU;
            those that are taken away become minus infinity.
        allows: says whether a token may follow.
        greedy: whether only the best of the tokens left counts. Tokens after it are not tried then.
    """
    values = np.asarray(scores, dtype=np.float32)
    best = np.array([values.argmax()])
    fits = {int(best[0]): allows(int(best[0]))}
    if greedy and fits[int(best[0])]:  # mostly so; to sort takes a hundred times as long
        return
    for count in (min(FEW, len(values)), min(MANY, len(values))):
        best = np.argpartition(-values, count - 1)[:count]
        for token in best[np.argsort(-values[best], kind="stable")].tolist():
            if token not in fits:
                fits[token] = allows(token)
            if greedy and fits[token]:
                break
        if any(fits.values()):
            break
    else:
        return
    if not greedy:
        cut = np.ones(len(values), dtype=bool)
        cut[best] = False
        scores[cut] = -np.inf
    scores[[token for token, may_follow in fits.items() if not may_follow]] = -np.inf
