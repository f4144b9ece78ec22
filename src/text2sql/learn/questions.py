"""Which training questions a model is asked: none of an evaluation database, none that leaks."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable

from text2sql.data.config import DataConfig
from text2sql.data.decontaminate import Decontaminator
from text2sql.data.prepare import SchemaTexts, evaluation_rows, training_rows
from text2sql.data.rows import Row
from text2sql.errors import UserError
from text2sql.question import Question

ON_EVALUATION = "asked of an evaluation database"


class Guard:
    """Says of a training question why it must not be learnt from, by the data set's evaluation.

    Args:
        config: the data set; its levels of decontamination count.
        schemas: of its databases.
    """

    def __init__(self, config: DataConfig, schemas: SchemaTexts) -> None:
        evaluation = evaluation_rows(config)
        self._databases = {row.db_id for row in evaluation}
        self._leaks = Decontaminator(config.decontamination, evaluation, schemas.names)

    def reason(self, row: Row) -> str | None:
        """Return why a row is left out, or None."""
        if row.db_id in self._databases:
            return ON_EVALUATION
        level = self._leaks.check(row)
        return f"leak ({level})" if level else None

    def require(self, questions: Iterable[Question]) -> None:
        """Raise UserError where one of the questions has to be left out."""
        for each in questions:
            row = Row("", each.id, each.question, each.gold, db_id=each.db_id)
            reason = self.reason(row)
            if reason:
                raise UserError(
                    f"training question {each.id} on database '{each.db_id}': {reason}; nothing is"
                    " learnt from it: run 'make sample' again"
                )


def training_questions(
    config: DataConfig, schemas: SchemaTexts, guard: Guard, most: int | None = None
) -> tuple[list[Question], dict[str, int]]:
    """Return training questions to ask, in an order of their own, and what was left out.

    Args:
        config: the data set.
        schemas: of its databases.
        guard: what must stay out.
        most: at most so many questions; by default all.

    Returns:
        The questions, by new ids; how many rows were left out, by reason.

    Raises:
        UserError: no question is left.
    """
    folder = config.databases()
    rows: dict[tuple[str, str], Row] = {}
    left_out: Counter[str] = Counter()
    for row in training_rows(config):
        if not isinstance(row, Row):
            left_out["rejected"] += 1
        elif not (row.db_id and (folder / row.db_id / f"{row.db_id}.sqlite").is_file()):
            left_out["without a database"] += 1
        elif (row.db_id, row.question) in rows:
            left_out["asked twice"] += 1
        elif reason := guard.reason(row):
            left_out[reason] += 1
        else:
            rows[row.db_id, row.question] = row
    if not rows:
        reasons = ", ".join(f"{count} {reason}" for reason, count in left_out.items())
        raise UserError(
            f"no training question can be sampled: {reasons}; use a data set whose training"
            " questions name databases, such as DATASET=spider"
        )
    drawn = list(rows.values())
    random.Random(config.seed).shuffle(drawn)
    questions = [
        Question(number, row.db_id, row.question, row.sql, schemas.messages(row), row.evidence)
        for number, row in enumerate(drawn[:most])
    ]
    return questions, dict(left_out)
