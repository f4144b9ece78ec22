"""Judged answers to training questions, and the training rows that they give."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from test_suite_sql_eval import InputError, Judge, Outcome, Settings

from text2sql.data.writers import json_array, write_dataset_info
from text2sql.errors import UserError
from text2sql.files import read_json, write_json
from text2sql.infer.answers import Answer
from text2sql.question import Question
from text2sql.sql.reward import RIGHT, prediction_of, reward_of

RIGHT_VERDICT = "right"
BY_ACCIDENT = "right_by_accident"
GOLD_EMPTY = "gold_empty"
PREFERENCE_COLUMNS = {
    "dpo": {"chosen": "chosen", "rejected": "rejected"},
    "kto": {"kto_tag": "label"},
}


@dataclass(frozen=True)
class JudgedAnswer:
    """An answer's text and query, why it counts as right or wrong, and its reward.

    `why` is ``right``, an error class of the evaluator, ``right_by_accident`` for a right result
    that earns nothing, or ``gold_empty`` where the gold query has no rows, which decides nothing.
    """

    text: str
    sql: str
    why: str
    reward: float


def why(outcome: Outcome) -> str:
    """Return in a word what came of an answer; see `JudgedAnswer`."""
    if outcome.gold_empty:
        return GOLD_EMPTY
    if outcome.right:
        return RIGHT_VERDICT if reward_of(outcome) == RIGHT else BY_ACCIDENT
    return outcome.error or "wrong"


def judge_answers(
    questions: Sequence[Question],
    answers: Iterable[Answer],
    databases: Path,
    settings: Settings,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[int, list[JudgedAnswer]]:
    """Judge every text of every answer by executing its query.

    Args:
        questions: that were asked, with their gold queries.
        answers: to them; a prompt that was too long for the model has none.
        databases: folder of the databases, or of suites of them.
        settings: how the evaluator judges.
        progress: told how many answers of how many are judged.

    Returns:
        The judged answers by the question's id, in the order of the samples.

    Raises:
        UserError: the folder or a database is missing.
    """
    texts = {
        answer.id: answer.texts
        for answer in answers
        if tuple(answer.finish_reasons) != ("prompt_too_long",)
    }
    asked = [(each, text) for each in questions for text in texts.get(each.id, ())]
    triples = [(each.db_id, each.gold, prediction_of(text)) for each, text in asked]
    outcomes: dict[int, Outcome] = {}
    try:
        with Judge(databases, settings) as judge:
            for place, outcome in judge.stream(triples):
                outcomes[place] = outcome
                progress(len(outcomes), len(triples))
    except InputError as error:
        raise UserError(str(error).splitlines()[0]) from None
    judged: dict[int, list[JudgedAnswer]] = {each.id: [] for each in questions}
    for place, (each, text) in enumerate(asked):
        outcome = outcomes[place]
        judged[each.id].append(
            JudgedAnswer(text, triples[place][2], why(outcome), reward_of(outcome))
        )
    return judged


@dataclass(frozen=True)
class Lesson:
    """A question with what its answers teach: each query once, in the order of the samples."""

    question: Question
    chosen: list[JudgedAnswer]
    rejected: list[JudgedAnswer]
    verdicts: dict[str, int]

    def record(self) -> dict[str, Any]:
        """Return it as a line of the record."""
        return {
            "id": self.question.id,
            "db_id": self.question.db_id,
            "question": self.question.question,
            "gold": self.question.gold,
            "verdicts": self.verdicts,
            "chosen": [asdict(answer) for answer in self.chosen],
            "rejected": [asdict(answer) for answer in self.rejected],
        }


def lesson(question: Question, answers: Sequence[JudgedAnswer]) -> Lesson:
    """Sort a question's answers into those to learn and those to avoid.

    Right ones are those that earn the whole reward. Where the gold query has no rows nothing can
    be learnt.
    """
    verdicts: dict[str, int] = {}
    distinct: dict[str, JudgedAnswer] = {}
    for answer in answers:
        verdicts[answer.why] = verdicts.get(answer.why, 0) + 1
        distinct.setdefault(answer.sql or answer.text, answer)
    told = [answer for answer in distinct.values() if answer.why != GOLD_EMPTY]
    return Lesson(
        question,
        [answer for answer in told if answer.why == RIGHT_VERDICT],
        [answer for answer in told if answer.why != RIGHT_VERDICT],
        verdicts,
    )


def write_training_files(lessons: Iterable[Lesson], folder: Path, most: int) -> dict[str, int]:
    """Write what each objective learns from, as LLaMA-Factory reads it: a folder an objective.

    Args:
        lessons: of all questions.
        folder: gets ``rft``, ``dpo`` and ``kto``, each with ``train.json``.
        most: at most so many right and so many wrong answers of a question.

    Returns:
        Rows by objective.
    """
    rows = {"rft": _right, "dpo": _pairs, "kto": _labelled}
    kept = list(lessons)
    counts = {}
    for objective, rows_of in rows.items():
        written = 0
        with json_array(folder / objective / "train.json") as add:
            for each in kept:
                for row in rows_of(each, most):
                    add(row)
                    written += 1
        _write_index(folder / objective, PREFERENCE_COLUMNS.get(objective, {}))
        counts[objective] = written
    return counts


def _write_index(folder: Path, columns: dict[str, str]) -> None:
    write_dataset_info(folder)
    path = folder / "dataset_info.json"
    train = read_json(path)["train"]
    train["columns"] |= columns
    if "chosen" in columns:
        train["ranking"] = True
    write_json(path, {"train": train})


def _asked(question: Question) -> tuple[dict[str, Any], str]:
    """Return the row of a question without an answer, and how its reply is begun for the model."""
    system, user, *opening = (message["content"] for message in question.messages)
    row = {"conversations": [{"from": "human", "value": user}], "system": system}
    return row, "".join(opening)


def _with_text(answers: Sequence[JudgedAnswer], most: int) -> list[JudgedAnswer]:
    return [answer for answer in answers if answer.text.strip()][:most]


def _turn(text: str) -> dict[str, str]:
    return {"from": "gpt", "value": text}


def _right(each: Lesson, most: int) -> Iterator[dict[str, Any]]:
    row, opening = _asked(each.question)
    for answer in _with_text(each.chosen, most):
        yield row | {"conversations": [*row["conversations"], _turn(opening + answer.text)]}


def _pairs(each: Lesson, most: int) -> Iterator[dict[str, Any]]:
    row, opening = _asked(each.question)
    right, wrong = _with_text(each.chosen, most), _with_text(each.rejected, most)
    for number in range(max(len(right), len(wrong)) if right and wrong else 0):
        pair = right[number % len(right)], wrong[number % len(wrong)]
        chosen, rejected = (_turn(opening + answer.text) for answer in pair)
        yield row | {"chosen": chosen, "rejected": rejected}


def _labelled(each: Lesson, most: int) -> Iterator[dict[str, Any]]:
    row, opening = _asked(each.question)
    for label, answers in ((True, each.chosen), (False, each.rejected)):
        for answer in _with_text(answers, most):
            turns = [*row["conversations"], _turn(opening + answer.text)]
            yield row | {"conversations": turns, "label": label}
