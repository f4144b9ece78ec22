"""In which order the questions go to the workers, and in which batches."""

from __future__ import annotations

from collections.abc import Iterator

TYPE_CHECKING = False  # importing typing takes milliseconds
if TYPE_CHECKING:
    from .pool import Task

#: From this weight (1 + megabytes of its files) a database is large.
_HEAVY = 4.0


def in_order(
    keys: list[tuple[str, str, str]], weights: dict[str, float]
) -> list[tuple[str, str, str]]:
    """Sort questions: large databases first, and on them the gold queries with most joins first.

    The longest work must not come last, when the other cores have nothing left to do.
    """
    joins: dict[tuple[str, str], int] = {}
    for db_id, gold, pred in keys:
        if weights[db_id] >= _HEAVY:
            most = max(gold.lower().count(" join "), pred.lower().count(" join "))
            joins[db_id, gold] = max(most, joins.get((db_id, gold), 0))
    return sorted(
        keys,
        key=lambda key: (-weights[key[0]], key[0], -joins.get(key[:2], 0), key[1]),
    )


def batches(
    tasks: list[Task], keys: list[tuple[str, str, str]], weights: dict[str, float], jobs: int
) -> Iterator[list[Task]]:
    """Group tasks so that the predictions for one gold query stay together.

    Large databases give one batch per gold query, so that cores can share them; small ones give
    long batches first and short ones at the end, so that all cores end at the same time.
    """
    left = sum(weights[key[0]] < _HEAVY for key in keys)
    batch: list[Task] = []
    for number, task in enumerate(tasks):
        heavy = weights[keys[number - 1][0]] >= _HEAVY
        enough = heavy or len(batch) >= max(8, left // (4 * jobs))
        if batch and enough and keys[number][:2] != keys[number - 1][:2]:
            yield batch
            left -= 0 if heavy else len(batch)
            batch = []
        batch.append(task)
    if batch:
        yield batch
