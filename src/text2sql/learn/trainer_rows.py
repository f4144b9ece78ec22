"""Training questions as a file that verl and ROLL read, for their configs in `configs/`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from text2sql.data.config import DataConfig
from text2sql.data.databases import ensure_databases
from text2sql.data.values import schema_texts
from text2sql.files import write_jsonl
from text2sql.learn.questions import Guard, training_questions
from text2sql.question import Question

#: What routes a row to our reward in ROLL, and names its source in verl.
TAG = "text2sql"


def trainer_rows(questions: Iterable[Question]) -> Iterator[dict[str, Any]]:
    """Yield a row a question, with the columns of both.

    Both read `prompt`, the messages; verl hands `reward_model.ground_truth` and `extra_info` to its
    reward function, ROLL `ground_truth` and `db_id` to its reward worker.
    """
    for each in questions:
        yield {
            "id": str(each.id),
            "tag": TAG,
            "data_source": TAG,
            "prompt": list(each.messages),
            "ground_truth": each.gold,
            "db_id": each.db_id,
            "reward_model": {"style": "rule", "ground_truth": each.gold},
            "extra_info": {"index": each.id, "db_id": each.db_id},
        }


def write_trainer_rows(config: DataConfig, path: Path, most: int | None = None) -> dict[str, int]:
    """Write the training questions of a data set that may be learnt from.

    Args:
        config: the data set.
        path: JSON Lines file to write.
        most: at most so many questions; by default all.

    Returns:
        ``questions``, and how many rows were left out, by reason.

    Raises:
        UserError: no question is left, or a database is missing.
    """
    ensure_databases(config)
    schemas = schema_texts(config)
    guard = Guard(config, schemas)
    questions, left_out = training_questions(config, schemas, guard, most)
    guard.require(questions)
    write_jsonl(path, trainer_rows(questions))
    return {"questions": len(questions), **left_out}
