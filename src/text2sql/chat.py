"""The one client of OpenAI-compatible endpoints: retries, streaming, token counts, cost, a log."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import AnyHttpUrl, ValidationError

from text2sql.errors import UserError
from text2sql.files import LENIENT, json_line, read_jsonl
from text2sql.prompt import Message
from text2sql.records import canonical_hash

RETRIES = 3  # after connection errors, time-outs, 408, 409, 429 and 5xx, each after a longer wait
CONTEXT = re.compile(r"max_tokens|context", re.IGNORECASE)  # in a refusal of too long a request
NO_KEY = "there-is-no-key"  # a local server asks for none, but the client wants one


class EndpointError(UserError):
    """The endpoint does not answer or refuses; `status` is its HTTP status, if there is one."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status

    @property
    def of_context(self) -> bool:
        """Whether it refuses a request as too long for the model's context."""
        return self.status in (400, 422) and bool(CONTEXT.search(str(self)))


@dataclass(frozen=True)
class Reply:
    """What a model wrote; tokens read and written are None where the endpoint does not count."""

    text: str
    finish_reason: str
    tokens_in: int | None
    tokens_out: int | None


@dataclass
class ChatClient:
    """Asks a model behind an endpoint such as ``http://localhost:8000/v1``; `model` is its name.

    Prices are per million tokens, in whatever money. The key is read from the environment variable
    `key_variable`. A reply may take `seconds`, or, where a listener hears it grow, each piece.

    Raises:
        UserError: the URL is none, or the key cannot be sent.
    """

    url: str
    model: str
    price_in: float = 0.0
    price_out: float = 0.0
    key_variable: str = "OPENAI_API_KEY"
    seconds: float = 600.0  # a large model on a CPU reads a prompt for minutes before it writes
    tokens_in: int = 0
    tokens_out: int = 0

    def __post_init__(self) -> None:
        import openai  # here, because it takes a second

        key = os.environ.get(self.key_variable, "").strip()
        if not (key.isascii() and key.isprintable()):
            raise UserError(f"{self.key_variable}: a key is one line of ASCII characters")
        try:
            AnyHttpUrl(self.url)
        except ValidationError:
            raise UserError(f"{self.url}: not a URL; one looks like http://host:8000/v1") from None
        self._openai = openai.OpenAI(
            base_url=self.url, api_key=key or NO_KEY, timeout=self.seconds, max_retries=RETRIES
        )

    @property
    def cost(self) -> float:
        """What the questions of `ask` cost."""
        return (self.tokens_in * self.price_in + self.tokens_out * self.price_out) / 1e6

    def models(self) -> list[str]:
        """Return the names of the models that are served; raise EndpointError as `complete`."""
        with self._explained():
            return [model.id for model in self._openai.models.list()]

    def ask(
        self,
        messages: Sequence[Message],
        listener: Callable[[str], None] | None = None,
        **settings: Any,
    ) -> str:
        """Return the text of the reply to a conversation; for the rest see `complete`.

        `max_tokens` is given up where the endpoint's context has no room for so many.
        """
        try:
            reply = self.complete(listener, messages=list(messages), **settings)
        except EndpointError as error:
            if "max_tokens" not in settings or not error.of_context:
                raise
            del settings["max_tokens"]
            reply = self.complete(listener, messages=list(messages), **settings)
        self.tokens_in += reply.tokens_in or 0
        self.tokens_out += reply.tokens_out or 0
        return reply.text

    def complete(self, listener: Callable[[str], None] | None = None, **request: Any) -> Reply:
        """Return the reply to a request.

        Args:
            listener: is told the text so far, as it grows.
            request: ``messages``, for the chat endpoint, or ``prompt``, for that of completions;
                and further keys of the protocol, such as ``temperature``.

        Raises:
            EndpointError: unreachable after retries, a refused request, or no completion.
        """
        chat = "messages" in request
        create: Any = (self._openai.chat if chat else self._openai).completions.create
        request["model"] = self.model
        with self._explained():
            if listener and (reply := _streamed(create, request, listener)):
                return reply
            answer = create(**request)
            return _reply(_text(answer.choices[0], "message"), answer.choices[0], answer.usage)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what goes wrong into an error of one line, without the key."""
        import httpx
        import openai

        status = None
        try:
            yield
            return
        except openai.APIStatusError as error:
            status = error.status_code
            reason = f"the endpoint refuses: status {status}: {error.message}"
        except openai.APITimeoutError:
            reason = f"no answer within {self.seconds:g} seconds, {RETRIES + 1} times over"
        except openai.OpenAIError as error:
            reason = f"{error} {error.__cause__ or ''}; the endpoint does not answer"
            reason += "; is the server running there?"
        except httpx.TransportError as error:  # in the middle of a stream
            reason = f"the answer broke off: {error or type(error).__name__}"
        except ValueError as error:
            reason = f"the answer is not JSON: {error}"
        except (AttributeError, IndexError, TypeError):
            reason = "the answer is not an OpenAI completion"
        reason = " ".join(reason.split()).replace(self._openai.api_key, "***")
        raise EndpointError(f"{self.url}: {reason}", status)


class AnswerLog:
    """What models answered, written down as it comes: who was broken off does not ask again.

    Args:
        path: JSON Lines file; read where it is there, else made with the first answer.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        rows = read_jsonl(path) if path.is_file() else ()
        self._answers = {row["key"]: row["answer"] for row in rows if "answer" in row}

    def answer(self, asked: Any, ask: Callable[[], str]) -> tuple[str, bool]:
        """Return the answer to what was asked, and whether it stood in the log.

        Args:
            asked: all that the answer depends on, as JSON-able values.
            ask: gives an answer that is not in the log.
        """
        key = canonical_hash(asked)
        if key in self._answers:
            return self._answers[key], True
        self._answers[key] = ask()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8", errors=LENIENT) as stream:
            stream.write(json_line({"key": key, "answer": self._answers[key]}))
        return self._answers[key], False


def _streamed(create: Any, request: dict[str, Any], listen: Callable[[str], None]) -> Reply | None:
    """Ask for a reply in pieces and tell the listener of each; None if it broke off.

    Servers of llama-cpp-python end a stream, without a word, when the next request comes in.
    """
    text, last, usage = "", None, None
    with create(stream=True, stream_options={"include_usage": True}, **request) as pieces:
        for piece in pieces:
            usage = piece.usage or usage
            for choice in piece.choices[:1]:  # the last piece may hold the usage alone
                last = choice if choice.finish_reason else last
                if added := _text(choice, "delta"):
                    text += added
                    listen(text)
    return _reply(text, last, usage) if last else None


def _reply(text: str, choice: Any, usage: Any) -> Reply:
    counts = (usage.prompt_tokens, usage.completion_tokens) if usage else (None, None)
    return Reply(text, choice.finish_reason or "stop", *counts)


def _text(choice: Any, name: str) -> str:
    """The text in a choice of either endpoint: in its message or delta, or in itself."""
    message = getattr(choice, name, None)
    return (message.content if message else getattr(choice, "text", "")) or ""
