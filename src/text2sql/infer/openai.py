"""The engine for servers: anything that speaks OpenAI's protocol (vLLM, llama.cpp, hosted APIs)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from text2sql.errors import UserError
from text2sql.infer.config import InferConfig
from text2sql.infer.engine import Completion, Prompt
from text2sql.models.folder import load_tokenizer

RETRIES = 3  # of the client: connection errors, time-outs, 429 and 5xx


class OpenAIEngine:
    """A model behind an OpenAI-compatible endpoint, `batch_size` requests at a time.

    What the server read is compared with what was meant: it reports the number of prompt tokens,
    and where that is not the number of ours (unless messages were sent) the run stops.

    Args:
        model: Hugging Face folder with the tokenizer of the served model.
        config: decoding settings and the server.
        stops: texts that end an answer.

    Raises:
        UserError: the client is not installed, the server does not answer, or it has no such model.
    """

    def __init__(
        self,
        model: Path,
        config: InferConfig,
        stops: Sequence[str],
        device: str = "cpu",
        adapter: Path | None = None,
    ) -> None:
        try:
            import httpx
            import openai
        except ImportError:
            raise UserError("the openai client is not installed; run: make setup-gguf") from None
        assert config.server is not None  # the config model sees to it
        # The client lets the second through where a stream is cut.
        self._errors = (openai.OpenAIError, httpx.HTTPError)
        self._config, self._server, self._stops = config, config.server, list(stops)
        self._tokenizer = load_tokenizer(model)
        self._client = openai.OpenAI(
            base_url=self._server.base_url,
            # A local server asks for none, but the client wants one.
            api_key=os.environ.get(self._server.api_key_variable) or "none",
            timeout=self._server.timeout_seconds,
            max_retries=RETRIES,
        )
        self._require_model()

    def _require_model(self) -> None:
        try:
            names = [model.id for model in self._client.models.list()]
        except self._errors as error:
            raise self._explained(error) from None
        if self._server.model not in names:
            raise UserError(
                f"{self._server.base_url}: serves no model '{self._server.model}'; it serves:"
                f" {', '.join(names[:10])}"
            )

    def _explained(self, error: Exception) -> UserError:
        reason = " ".join(str(error).split())
        return UserError(f"{self._server.base_url}: {reason}; is the server running there?")

    def encode(self, text: str) -> list[int]:
        """Return the token ids of a rendered prompt."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False)
        return ids

    def measurements(self) -> dict[str, Any]:
        """Nothing: what happens on the server is not seen from here."""
        return {}

    def generate(self, prompts: Sequence[Prompt]) -> Iterator[Completion]:
        """Yield completions as they come in."""
        with ThreadPoolExecutor(self._config.batch_size) as pool:
            waiting = [pool.submit(self._complete, prompt) for prompt in prompts]
            try:
                for done in as_completed(waiting):
                    yield done.result()
            finally:
                for future in waiting:
                    future.cancel()

    def _complete(self, prompt: Prompt) -> Completion:
        started = time.perf_counter()
        try:
            text, reason, usage = self._ask(prompt)
        except self._errors as error:
            raise self._explained(error) from None
        read = usage.prompt_tokens if usage else None
        if self._server.send != "chat" and read not in (None, len(prompt.tokens)):
            raise UserError(
                f"{self._server.base_url}: the server read {read} tokens where the prompt has"
                f" {len(prompt.tokens)}; it has another tokenizer or adds tokens of its own"
            )
        written = usage.completion_tokens if usage else len(self.encode(text))
        seconds = round(time.perf_counter() - started, 4)
        return Completion(prompt.id, text, written, seconds, reason)

    def _ask(self, prompt: Prompt) -> tuple[str, str, Any]:
        config = self._config
        arguments: dict[str, Any] = {
            "model": self._server.model,
            "max_tokens": config.max_new_tokens,
            "temperature": config.temperature,
            "top_p": config.top_p,
            "seed": config.seed + prompt.sample,
            "stop": self._stops,
        }
        penalty = config.repetition_penalty
        # No keys of OpenAI's, but vLLM's and llama.cpp's; llama.cpp's server takes 1.1 where it is
        # not told, hosted APIs refuse keys they do not know.
        if penalty != 1 or self._server.send != "chat":
            arguments["extra_body"] = {"repetition_penalty": penalty, "repeat_penalty": penalty}
        create: Any = self._client.completions.create
        if self._server.send == "chat":
            create = self._client.chat.completions.create
            arguments["messages"] = list(prompt.messages)
        else:
            arguments["prompt"] = prompt.tokens if self._server.send == "tokens" else prompt.text
        if prompt.listener:
            streamed = _stream(create, arguments, prompt.listener)
            if streamed:
                return streamed
        answer = create(**arguments)
        choice = answer.choices[0]
        return _written(choice, "message"), choice.finish_reason or "stop", answer.usage


def _stream(
    create: Any, arguments: dict[str, Any], listener: Callable[[str], None]
) -> tuple[str, str, Any] | None:
    """Ask for an answer in pieces and tell the listener of each; None if it broke off.

    Servers of llama-cpp-python end a stream, without a word, when the next request comes in.
    """
    text, reason, usage = "", None, None
    with create(stream=True, stream_options={"include_usage": True}, **arguments) as pieces:
        for piece in pieces:
            usage = piece.usage or usage
            for choice in piece.choices[:1]:  # the last piece may hold the usage alone
                reason = choice.finish_reason or reason
                added = _written(choice, "delta")
                text += added
                if added:
                    listener(text)
    return (text, reason, usage) if reason else None


def _written(choice: Any, name: str) -> str:
    """The text in a choice of either endpoint: in its message or delta, or in itself."""
    message = getattr(choice, name, None)
    return (message.content if message else getattr(choice, "text", "")) or ""
