"""What goes in and out: the JSON of questions and answers."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Ask(BaseModel):
    """A question. Without `db_schema` it is about the configured database."""

    model_config = ConfigDict(extra="forbid")

    question: str = Field(examples=["How many bikes does each shop have?"])
    db_schema: str | None = Field(
        default=None, description="CREATE TABLE statements or M-Schema; any text will do"
    )
    execute: bool = Field(default=False, description="run the SQL on the configured database")
    max_rows: int | None = Field(default=None, ge=1)


class Rows(BaseModel):
    """What the SQL returned. `error` is set where it failed; `truncated` where rows are missing."""

    columns: list[str] = []
    rows: list[list[Any]] = []
    truncated: bool = False
    seconds: float = 0.0
    error: str | None = None
    error_kind: str | None = None


class SolvedQuestion(BaseModel):
    """An example that the model was shown with the question."""

    question: str
    sql: str


class Answer(BaseModel):
    """The answer to a question.

    `valid`: one query that only reads, over names that exist, as far as that is known; `warnings`
    say what is wrong otherwise. `seconds` is the whole time, waiting included. `examples` are those
    that the prompt held, best first.
    """

    sql: str
    valid: bool
    warnings: list[str]
    seconds: float
    model: str
    request_id: str
    examples: list[SolvedQuestion] = []
    result: Rows | None = None
