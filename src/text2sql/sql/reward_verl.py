"""The reward as verl calls it, by its ``custom_reward_function.path`` and ``.name``.

`compute_score` rewards one answer; `compute_scores` a batch, for reward managers that hand over
a whole one (earlier versions of verl had ``batch``; 0.9.1 calls the first).
Databases are found by the variable TEXT2SQL_REWARD_DATABASES, or by ``databases`` in the reward
function's keyword arguments.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from text2sql.errors import UserError
from text2sql.sql.reward import SqlReward

DATABASES = "TEXT2SQL_REWARD_DATABASES"


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: str,
    extra_info: Mapping[str, Any] | None = None,
    databases: str | None = None,
    **_: object,
) -> float:
    """Return the reward of an answer, from 0.0 to 1.0.

    Args:
        data_source: name of the data set; plays no part.
        solution_str: what the model wrote.
        ground_truth: the gold query.
        extra_info: of the row; its ``db_id`` names the database.
        databases: folder of the databases, or of suites of them.

    Raises:
        UserError: the folder is not named or not there, or the database is not known.
    """
    return compute_scores(
        [data_source], [solution_str], [ground_truth], [extra_info], databases=databases
    )[0]


def compute_scores(
    data_sources: Sequence[str],
    solution_strs: Sequence[str],
    ground_truths: Sequence[str],
    extra_infos: Sequence[Mapping[str, Any] | None],
    databases: str | None = None,
    **_: object,
) -> list[float]:
    """Return the reward of each of a batch of answers; arguments as for `compute_score`.

    Raises:
        UserError: the folder is not named or not there, or a database is not known.
    """
    db_ids = [str((info or {}).get("db_id", "")) for info in extra_infos]
    if not all(db_ids):
        raise UserError("a row has no 'db_id' in its extra_info, which names its database")
    folder = databases or os.environ.get(DATABASES)
    if not folder:
        raise UserError(f"set {DATABASES} to the folder of the databases")
    return _reward(folder)(list(solution_strs), list(ground_truths), db_ids)


@cache
def _reward(folder: str) -> SqlReward:
    """Return the reward on a folder; its processes stay for all calls of this process."""
    return SqlReward(folder)
