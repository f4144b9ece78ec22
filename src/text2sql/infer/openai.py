"""The engine for servers: anything that speaks OpenAI's protocol (vLLM, llama.cpp, hosted APIs)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from copy import copy
from pathlib import Path
from typing import Any, Self

from text2sql.chat import ChatClient
from text2sql.errors import UserError
from text2sql.infer.config import InferConfig
from text2sql.infer.engine import Completion, Prompt, TokenizerEngine
from text2sql.infer.llamacpp import open_llama
from text2sql.models.folder import load_tokenizer, wrong_template


class GgufTokenizer:
    """The tokenizer in a GGUF file, called as those of Hugging Face are; raises as `open_llama`."""

    def __init__(self, file: Path) -> None:
        self._llama = open_llama(file, vocab_only=True)

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        """Return the token ids of a text; `add_special_tokens` adds what begins every text."""
        data = text.encode("utf-8")
        return list(self._llama.tokenize(data, add_bos=add_special_tokens, special=True))


class OpenAIEngine(TokenizerEngine):
    """A model behind an OpenAI-compatible endpoint, `batch_size` requests at a time.

    Safe to share between threads. Tokens are counted by the tokenizer of a model folder, or of a
    GGUF file where `model` is one.

    What the server read is compared with what was meant: it reports the number of prompt tokens,
    and where that is not the number of ours (unless messages were sent) the run stops.

    Raises:
        UserError: the server does not answer, or it has no such model; or the GGUF file cannot be
            read or fits no such stops.
    """

    def __init__(
        self, model: Path, config: InferConfig, stops: Sequence[str], *_unused: Any
    ) -> None:
        assert config.server is not None  # the config model sees to it
        self._config, self._server, self._stops = config, config.server, list(stops)
        self._encoding = threading.Lock()  # a tokenizer borrows itself and must not be asked twice
        in_gguf = model.suffix == ".gguf"
        self._tokenizer = GgufTokenizer(model) if in_gguf else load_tokenizer(model)
        for text in stops if in_gguf else ():
            if len(self.encode(text)) != 1:
                raise wrong_template(model, text)
        self._client = self._connect(self._server.model)

    def for_model(self, name: str) -> Self:
        """Return the engine of another model of the same server, such as an adapter by its name.

        Raises:
            UserError: it serves no such model.
        """
        other = copy(self)
        other._client = self._connect(name)
        return other

    def encode(self, text: str) -> list[int]:
        """Return the token ids of a rendered prompt; nothing is added to them."""
        with self._encoding:
            return super().encode(text)

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

    def _connect(self, name: str) -> ChatClient:
        """Return the client that asks the model of a name; raise UserError if none has it."""
        client = ChatClient(
            self._server.base_url,
            name,
            key_variable=self._server.api_key_variable,
            seconds=self._server.timeout_seconds,
        )
        names = client.models()
        if name not in names:
            raise UserError(
                f"{self._server.base_url}: serves no model '{name}'; it serves:"
                f" {', '.join(names[:10])}"
            )
        return client

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
