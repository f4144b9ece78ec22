"""What a language model is asked to answer, and how its JSON is read."""

from __future__ import annotations

import json
import re
from typing import Any, get_args

from pydantic import BaseModel, Field, ValidationError

from text2sql.sql.extract import THOUGHT

FENCE = re.compile(r"```(?:json)?\s*(.*?)\s*```", re.DOTALL)


class PlannedTopic(BaseModel):
    """One topic of a plan as the model gives it."""

    name: str = Field(min_length=1)
    tables: list[str] = Field(min_length=1)
    count: int = Field(default=1, ge=0)
    reason: str = ""


class PlanAnswer(BaseModel):
    """A plan as the model gives it."""

    topics: list[PlannedTopic] = Field(min_length=1)


class WrittenPair(BaseModel):
    """One pair as the model gives it."""

    question: str = Field(min_length=1)
    sql: str = Field(min_length=1)


class PairsAnswer(BaseModel):
    """Pairs as the model gives them."""

    pairs: list[WrittenPair]


def drop_broken(value: Any, shape: type[BaseModel]) -> int:
    """Take out of an answer's list what is no entry, such as the last of an answer cut off.

    Where no entry is whole, all stay: the answer as a whole is then wrong.

    Args:
        value: the JSON of an answer; changed in place.
        shape: its model, which has one field, a list.

    Returns:
        How many entries were taken out.
    """
    ((name, field),) = shape.model_fields.items()
    entries = value.get(name) if isinstance(value, dict) else None
    if not isinstance(entries, list):
        return 0
    (entry,) = get_args(field.annotation)
    whole = [each for each in entries if _fits(each, entry)]
    if whole:
        value[name] = whole
    return len(entries) - len(value[name])


def _fits(value: Any, shape: type[BaseModel]) -> bool:
    try:
        shape.model_validate(value)
    except ValidationError:
        return False
    return True


def parse_answer(text: str) -> tuple[Any, bool]:
    """Return the JSON in an answer, and whether it had to be repaired.

    Thoughts are dropped and a code fence is opened first.

    Raises:
        ValueError: there is no JSON object in it.
    """
    text = THOUGHT.sub("", text).replace("</think>", "")
    fenced = FENCE.search(text)
    text = fenced.group(1) if fenced else text
    try:
        return json.loads(text), False
    except json.JSONDecodeError:
        import json_repair

        start = text.find("{")
        repaired = json_repair.loads(text[start:]) if start >= 0 else ""
        if not isinstance(repaired, dict):
            raise
        return repaired, True
