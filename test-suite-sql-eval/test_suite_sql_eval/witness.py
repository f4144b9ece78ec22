"""The witness of a wrong prediction: a database, and rows on which it and the gold query differ."""

from __future__ import annotations

import os
from collections import Counter

TYPE_CHECKING = False  # importing typing takes milliseconds
if TYPE_CHECKING:
    from typing import Any

    from .compare import Rows

#: Rows shown of each side, and characters of a text.
_MAX_ROWS = 3
_MAX_CHARS = 80


def witness(path: str, gold: Rows, pred: Rows) -> dict[str, Any]:
    """Return what shows that a prediction is wrong, ready for JSON.

    Args:
        path: the database file.
        gold: rows of the gold query.
        pred: rows of the prediction, one more than the gold query's at most.

    Returns:
        ``database`` (file name), and some rows that one result has and the other has not:
        ``gold_only`` and ``pred_only``.  Both are empty where the same rows come in another order.
    """
    all_fetched = len(pred) <= len(gold)
    return {
        "database": os.path.basename(path),
        # Of a longer result only a part is here; what that part lacks may come later.
        "gold_only": _only_in(gold, pred) if all_fetched else [],
        "pred_only": _only_in(pred, gold),
    }


def _only_in(rows: Rows, others: Rows) -> list[list[Any]]:
    left = Counter(others)
    found: list[list[Any]] = []
    for row in rows:
        if left[row] > 0:
            left[row] -= 1
            continue
        found.append([_shown(value) for value in row])
        if len(found) == _MAX_ROWS:
            break
    return found


def _shown(value: Any) -> Any:
    if isinstance(value, bytes):
        value = f"<{len(value)} bytes>"
    if isinstance(value, float) and value - value != 0:
        value = str(value)  # infinite; JSON has no word for it
    if isinstance(value, str) and len(value) > _MAX_CHARS:
        return value[:_MAX_CHARS] + "..."
    return value
