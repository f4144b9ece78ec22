"""The one client of OpenAI-compatible chat endpoints: retries, token counts, cost."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from text2sql.errors import UserError
from text2sql.prompt import Message

RETRIES = 3
RETRIED_STATUS = frozenset({408, 409, 429, 500, 502, 503, 504})
SECONDS_A_REPLY = 120


class EndpointError(UserError):
    """The endpoint does not answer or refuses; `status` is its HTTP status, if there is one."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class ChatClient:
    """Asks an endpoint such as ``http://localhost:8000/v1`` for chat completions.

    The key is read from the environment variable OPENAI_API_KEY. Prices are per million tokens, in
    whatever money. `wait` is the seconds before the first retry; each further one waits twice as
    long.
    """

    url: str
    model: str
    price_in: float = 0.0
    price_out: float = 0.0
    wait: float = 1.0
    tokens_in: int = 0
    tokens_out: int = 0

    @property
    def cost(self) -> float:
        """What the calls of this client cost."""
        return (self.tokens_in * self.price_in + self.tokens_out * self.price_out) / 1e6

    def ask(self, messages: Sequence[Message], **settings: Any) -> str:
        """Return the text of the reply.

        Args:
            messages: the conversation.
            settings: further keys of the request, such as ``temperature``.

        Raises:
            EndpointError: unreachable after retries, a refused request, or no chat completion.
        """
        answer = self._post({"model": self.model, **settings, "messages": list(messages)})
        try:
            usage = answer.get("usage") or {}
            self.tokens_in += usage.get("prompt_tokens", 0)
            self.tokens_out += usage.get("completion_tokens", 0)
            return str(answer["choices"][0]["message"]["content"])
        except (KeyError, IndexError, TypeError, AttributeError):
            raise EndpointError(
                f"{self.url}: the answer is not an OpenAI chat completion"
            ) from None

    def _post(self, body: dict[str, Any]) -> Any:
        key = os.environ.get("OPENAI_API_KEY", "")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        reason, status = "", None
        for attempt in range(RETRIES + 1):
            if attempt:
                time.sleep(self.wait * 2 ** (attempt - 1))
            try:
                reply = httpx.post(
                    f"{self.url.rstrip('/')}/chat/completions",
                    json=body,
                    headers=headers,
                    timeout=SECONDS_A_REPLY,
                )
                if reply.status_code == 200:
                    return reply.json()
            except httpx.TransportError as error:
                reason, status = str(error), None
                continue
            except ValueError:
                raise EndpointError(f"{self.url}: the answer is not JSON") from None
            except httpx.InvalidURL:
                raise EndpointError(f"{self.url}: not a URL") from None
            reason, status = f"status {reply.status_code}", reply.status_code
            if status not in RETRIED_STATUS:
                break
        raise EndpointError(f"{self.url}: the endpoint does not answer: {reason}", status)
