"""The engine for servers: anything that speaks OpenAI's protocol (vLLM, llama.cpp, hosted APIs)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from text2sql.chat import ChatClient
from text2sql.errors import UserError
from text2sql.infer.config import InferConfig
from text2sql.infer.engine import Completion, Prompt, TokenizerEngine
from text2sql.models.folder import load_tokenizer


class OpenAIEngine(TokenizerEngine):
    """A model behind an OpenAI-compatible endpoint, `batch_size` requests at a time.

    What the server read is compared with what was meant: it reports the number of prompt tokens,
    and where that is not the number of ours (unless messages were sent) the run stops.

    Raises:
        UserError: the server does not answer, or it has no such model.
    """

    def __init__(
        self, model: Path, config: InferConfig, stops: Sequence[str], *_unused: Any
    ) -> None:
        assert config.server is not None  # the config model sees to it
        self._config, self._server, self._stops = config, config.server, list(stops)
        self._tokenizer = load_tokenizer(model)
        self._client = ChatClient(
            self._server.base_url,
            self._server.model,
            key_variable=self._server.api_key_variable,
            seconds=self._server.timeout_seconds,
        )
        names = self._client.models()
        if self._server.model not in names:
            raise UserError(
                f"{self._server.base_url}: serves no model '{self._server.model}'; it serves:"
                f" {', '.join(names[:10])}"
            )

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
        reply = self._client.complete(prompt.listener, **self._request(prompt))
        if self._server.send != "chat" and reply.tokens_in not in (None, len(prompt.tokens)):
            raise UserError(
                f"{self._server.base_url}: the server read {reply.tokens_in} tokens where the"
                f" prompt has {len(prompt.tokens)}; it has another tokenizer or adds tokens of its"
                " own"
            )
        written = reply.tokens_out
        if written is None:
            written = len(self.encode(reply.text))
        seconds = round(time.perf_counter() - started, 4)
        return Completion(prompt.id, reply.text, written, seconds, reply.finish_reason)

    def _request(self, prompt: Prompt) -> dict[str, Any]:
        config, send = self._config, self._server.send
        request: dict[str, Any] = {
            "max_tokens": config.max_new_tokens,
            "temperature": config.temperature,
            "top_p": config.top_p,
            "seed": config.seed + prompt.sample,
            "stop": self._stops,
        }
        penalty = config.repetition_penalty
        # No keys of OpenAI's, but vLLM's and llama.cpp's; llama.cpp's server takes 1.1 where it is
        # not told, hosted APIs refuse keys they do not know.
        if penalty != 1 or send != "chat":
            request["extra_body"] = {"repetition_penalty": penalty, "repeat_penalty": penalty}
        if send == "chat":
            return request | {"messages": list(prompt.messages)}
        return request | {"prompt": prompt.tokens if send == "tokens" else prompt.text}
