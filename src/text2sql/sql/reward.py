"""The reward of a generated query for reinforcement learning: its verdict, with nothing to farm.

>>> with SqlReward("database") as reward:                                 # doctest: +SKIP
...     reward(["```sql\\nSELECT name FROM singer\\n```"], ["SELECT name FROM singer"], ["music"])
[1.0]
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from test_suite_sql_eval import InputError, Judge, Outcome, Settings
from test_suite_sql_eval.errors import WRONG_ORDER, WRONG_ROWS

from text2sql.errors import UserError
from text2sql.sql.extract import extract_sql
from text2sql.sql.validate import MAX_CHARACTERS

if TYPE_CHECKING:  # Ray is an extra
    from test_suite_sql_eval.ray_judge import RayJudge

RIGHT = 1.0
TOUCHES = 0.1  # far less than being right, so that it only leads a beginner there


def reward_of(outcome: Outcome) -> float:
    """Return the reward for what came of a prediction.

    - `RIGHT` for the right result, if the gold query has rows and the prediction reads one of its
      tables: without rows to compare any query without rows is right, and a constant such as
      `SELECT 5` or a query on other tables is right by accident.
    - `TOUCHES` for rows of the right width, no more than the gold query has, or the right ones in
      the wrong order, of a query that used columns of every table that the gold query reads and
      read no other. A dump of the table earns nothing, nor does a condition that nothing meets.
    - 0.0 for all else: errors, what may not run, what takes too long, what reads only the schema.
    """
    if outcome.gold_empty:
        return 0.0
    if outcome.right:
        return RIGHT if outcome.touched > 0 else 0.0
    near = outcome.error in (WRONG_ROWS, WRONG_ORDER) and outcome.fits
    return TOUCHES if near and outcome.used == 1.0 and not outcome.beyond else 0.0


class SqlReward:
    """Rewards of many completions; the judge's processes and gold results stay between calls.

    Args:
        databases: folder with one folder of .sqlite files per database id; with test suites a
            query that is right on one database by accident earns nothing.
        settings: how the evaluator judges.
        ray: judge on all machines of the Ray cluster, where the folder has the same path.

    Raises:
        UserError: the folder does not exist, or Ray is not installed or not running.
    """

    def __init__(
        self, databases: Path | str, settings: Settings | None = None, ray: bool = False
    ) -> None:
        try:
            self._judge = _ray_judge(databases, settings) if ray else Judge(databases, settings)
        except InputError as error:
            raise UserError(str(error)) from error

    def __enter__(self) -> SqlReward:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the judge's processes."""
        self._judge.close()

    def __call__(
        self,
        completions: Sequence[Any],
        query: Sequence[str],
        db_id: Sequence[str],
        **_: object,
    ) -> list[float]:
        """Return the reward of each completion, in order.

        The arguments have the names that TRL calls a reward function with, where the data set has
        the columns `query` and `db_id`; what else it passes plays no part.

        Args:
            completions: what the model wrote: text, or a conversation's list of messages.
            query: the gold query of each.
            db_id: the database id of each.

        Raises:
            UserError: a database id is unknown, or the lists differ in length.
        """
        if not len(completions) == len(query) == len(db_id):
            raise UserError(
                f"{len(completions)} completions, {len(query)} gold queries and {len(db_id)}"
                " database ids: give each completion one of both"
            )
        predictions = [prediction_of(_text(completion)) for completion in completions]
        try:
            outcomes = self._judge.score(zip(db_id, query, predictions, strict=True))
        except InputError as error:
            raise UserError(str(error)) from error
        return [reward_of(outcome) for outcome in outcomes]


def _ray_judge(databases: Path | str, settings: Settings | None) -> RayJudge:
    try:
        from test_suite_sql_eval.ray_judge import RayJudge
    except ImportError as error:
        raise UserError("judging on several machines needs Ray: make setup-ray") from error
    return RayJudge(databases, settings)


def prediction_of(text: str) -> str:
    """Return the query in a completion; none in an answer so long that reading it would take long.

    Thoughts before the answer may be of any length.
    """
    answer = text.rpartition("</think>")[2]
    return extract_sql(answer) if len(answer) <= MAX_CHARACTERS else ""


def _text(completion: Any) -> str:
    """Return the text of a completion; TRL gives chat models' as a list of messages."""
    if isinstance(completion, str):
        return completion
    return "".join(message["content"] for message in completion)
