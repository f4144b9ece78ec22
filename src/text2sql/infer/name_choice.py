"""The choice of a token where not every text may be written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

FEW = 64  # of the best tokens are tried; further down a model no longer means what it writes


def mask_scores(scores: Any, allows: Callable[[int], bool], *, greedy: bool) -> None:
    """Take from a model the tokens that may not follow; leave it all where none of the best may.

    Args:
        scores: one for each token of the vocabulary, a numpy array or a torch tensor on the CPU;
            those that are taken away become minus infinity.
        allows: says whether a token may follow.
        greedy: whether only the best of the tokens left counts. Tokens after it are not tried then.
    """
    values = np.asarray(scores, dtype=np.float32)
    if greedy and allows(int(values.argmax())):  # mostly so; to sort takes a hundred times as long
        return
    few = min(FEW, len(values))
    best = np.argpartition(-values, few - 1)[:few]
    refused = []
    for token in best[np.argsort(-values[best], kind="stable")].tolist():
        if not allows(token):
            refused.append(token)
        elif greedy:
            break
    if len(refused) == few:
        return
    if not greedy:
        cut = np.ones(len(values), dtype=bool)
        cut[best] = False
        scores[cut] = -np.inf
    if refused:
        scores[refused] = -np.inf
