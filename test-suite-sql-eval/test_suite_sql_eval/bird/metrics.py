"""The definitions of BIRD's metrics, on results and on times that are there already.

Source: Li et al., BIRD (arXiv 2305.03111), and the evaluation programs of BIRD's Mini-Dev, whose
corner cases are kept: a row's share may exceed 1 where a value stands in it twice, rows are paired
by their place among the distinct rows, and outliers are ratios of three standard deviations.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

TYPE_CHECKING = False  # importing typing takes milliseconds
if TYPE_CHECKING:
    from ..columns import Row, Rows

#: The reward of a right query by how many times faster than the gold query it is, at least.
REWARDS = ((2.0, 1.25), (1.0, 1.0), (0.5, 0.75), (0.25, 0.5))
LEAST_REWARD = 0.25
OUTLIER = 3.0  # standard deviations


def soft_f1(gold: Rows, pred: Rows) -> float:
    """Return how much of the gold result's cells a result has, and of its own that are among them.

    The order of rows counts, since rows are paired by place; that of columns and repeated rows do
    not.

    Args:
        gold: rows of the gold query, in the order they came.
        pred: rows of the prediction.

    Returns:
        The F1 score, between 0 and 1; 1 where neither has a row.
    """
    if not gold and not pred:
        return 1.0
    gold_rows, pred_rows = list(dict.fromkeys(gold)), list(dict.fromkeys(pred))
    shares = [_shares(*pair) for pair in zip(gold_rows, pred_rows, strict=False)]
    both = sum(share[0] for share in shares)
    only_pred = sum(share[1] for share in shares) + max(len(pred_rows) - len(gold_rows), 0)
    only_gold = sum(share[2] for share in shares) + max(len(gold_rows) - len(pred_rows), 0)
    if not both:
        return 0.0
    precision, recall = both / (both + only_pred), both / (both + only_gold)
    return 2 * precision * recall / (precision + recall)


def _shares(gold: Row, pred: Row) -> tuple[float, float, float]:
    """Cells in both rows, in the prediction's alone, in the gold's alone; by the gold's width."""
    width = len(gold)
    common = sum(cell in gold for cell in pred)
    missed = sum(cell not in pred for cell in gold)
    return common / width, (len(pred) - common) / width, missed / width


def time_ratio(gold_seconds: Sequence[float], pred_seconds: Sequence[float]) -> float:
    """Return how many times faster than the gold query a prediction ran, outliers left out.

    Args:
        gold_seconds: of each run of the gold query.
        pred_seconds: of the run of the prediction beside it.
    """
    ratios = [gold / pred for gold, pred in zip(gold_seconds, pred_seconds, strict=True)]
    mean = sum(ratios) / len(ratios)
    spread = sqrt(sum((ratio - mean) ** 2 for ratio in ratios) / len(ratios))
    kept = [ratio for ratio in ratios if abs(ratio - mean) < OUTLIER * spread] or ratios
    return sum(kept) / len(kept)


def reward(ratio: float) -> float:
    """Return the reward of a right query that ran `ratio` times as fast as the gold query."""
    return next((given for least, given in REWARDS if ratio >= least), LEAST_REWARD)


def r_ves(rewards: Sequence[float]) -> float:
    """Return the reward-based valid efficiency score: the mean root of the rewards, wrong ones 0.

    With no rewards it is 0; as a share it may exceed 1.
    """
    return sum(map(sqrt, rewards)) / len(rewards) if rewards else 0.0
