"""What a language model is asked to answer, and how its JSON is read."""

from __future__ import annotations

import json
import re
from typing import Any

from pydantic import BaseModel, Field

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
