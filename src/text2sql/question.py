"""A question of a data set: the one form it has from the data stage to the report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from text2sql.errors import UserError
from text2sql.files import read_jsonl, write_jsonl
from text2sql.prompt import Message


@dataclass(frozen=True)
class Question:
    """An evaluation question.

    Attributes:
        id: its place in the data set, from 0.
        db_id: the database it is asked of.
        question: the question in plain words.
        gold: the SQL that answers it; empty where nobody knows it, as in the service.
        messages: what a model is asked, as `render_messages` gives it.
        evidence: what the data set says besides, such as how a value is written.
        level: its difficulty, where the data set says that itself.
    """

    id: int
    db_id: str
    question: str
    gold: str
    messages: Sequence[Message]
    evidence: str = ""
    level: str = ""


def write_questions(path: Path, questions: Iterable[Question]) -> None:
    """Write a ``questions.jsonl``: a line a question, evidence and level where there are any."""
    write_jsonl(path, questions)


def read_questions(path: Path) -> list[Question]:
    """Return the questions of a ``questions.jsonl``; raise UserError where it is none."""
    try:
        return [Question(**row) for row in read_jsonl(path)]
    except TypeError:
        raise UserError(f"{path}: not the questions of a data stage; run: make data") from None
