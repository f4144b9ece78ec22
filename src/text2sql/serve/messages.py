"""What goes in and out: the JSON of questions, answers and errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi.responses import JSONResponse
from pydantic import AliasChoices, BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

# What the web framework itself refuses, in one word for programs.
KINDS = {404: "not_found", 405: "wrong_method"}


MAX_TURNS = 20


class SolvedQuestion(BaseModel):
    """A question with its SQL: an example that the model was shown, or an earlier turn."""

    question: str
    sql: str


class Ask(BaseModel):
    """A question. Without `db_schema` it is about the configured database."""

    model_config = ConfigDict(extra="forbid")

    question: str = Field(examples=["How many bikes does each shop have?"])
    db_schema: str | None = Field(
        default=None, description="CREATE TABLE statements or M-Schema; any text will do"
    )
    evidence: str = Field(
        default="",
        validation_alias=AliasChoices("evidence", "hint"),
        description="what helps to read the question, as in BIRD; also taken as `hint`",
    )
    execute: bool = Field(default=False, description="run the SQL on the configured database")
    max_rows: int | None = Field(default=None, ge=1)
    model: str | None = Field(
        default=None, description="name of the model to ask, where there are several"
    )
    history: list[SolvedQuestion] = Field(
        default=[],
        max_length=MAX_TURNS,
        description="what was asked and answered before in this conversation, oldest first",
    )


class Accepted(BaseModel):
    """An answer that someone found right; `corrected` where it is not as the model wrote it."""

    model_config = ConfigDict(extra="forbid")

    question: str
    sql: str
    corrected: bool = False
    history: list[SolvedQuestion] = Field(default=[], max_length=MAX_TURNS)


class Rows(BaseModel):
    """What the SQL returned. `error` is set where it failed; `truncated` where rows are missing."""

    columns: list[str] = []
    rows: list[list[Any]] = []
    truncated: bool = False
    seconds: float = 0.0
    error: str | None = None
    error_kind: str | None = None


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


class Refusal(HTTPException):
    """A request that is not answered, and why, in words for the one who asked.

    Args:
        status: HTTP status code.
        kind: one word for programs.
        message: a sentence for people; never holds credentials, paths or stack traces.
        retry_after: seconds after which it may be worth to try again.
    """

    def __init__(
        self, status: int, kind: str, message: str, retry_after: int | None = None
    ) -> None:
        headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
        if retry_after is not None:
            headers["Retry-After"] = str(retry_after)
        super().__init__(status, message, headers)
        self.kind = kind


def database_gone() -> Refusal:
    """Return the refusal of a request whose database is not there."""
    return Refusal(503, "database", "the database cannot be reached; the server's log says more", 5)


def stopping() -> Refusal:
    """Return the refusal of a request that was not done when the service had to end."""
    return Refusal(503, "stopping", "the service is being stopped", 5)


def invalid(errors: Sequence[Mapping[str, Any]]) -> Refusal:
    """Return the refusal of a request that pydantic found errors in."""
    place = ".".join(str(part) for part in errors[0]["loc"] if part != "body")
    message = ": ".join(filter(None, (place, errors[0]["msg"])))
    return Refusal(422, "invalid_request", message[:300])


def check_text(name: str, text: str, most: int) -> None:
    """Raise Refusal for a text that is too long or that UTF-8 cannot hold.

    Args:
        name: what it is called in the request.
        text: what was given.
        most: characters that are allowed.
    """
    if len(text) > most:
        message = f"{name} has {len(text)} characters, {most} are allowed"
        raise Refusal(413, "too_long", message)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        message = f"{name} holds half a character (a lone surrogate)"
        raise Refusal(422, "invalid_request", message) from None


def error_body(error: HTTPException, request_id: str) -> dict[str, Any]:
    """Return a refusal as the JSON that every error answer has."""
    kind = getattr(error, "kind", None) or KINDS.get(error.status_code, "http")
    return {"error": {"kind": kind, "message": error.detail}, "request_id": request_id}


def error_answer(error: HTTPException, request_id: str) -> JSONResponse:
    """Return a refusal as an HTTP response."""
    return JSONResponse(error_body(error, request_id), error.status_code, error.headers)
