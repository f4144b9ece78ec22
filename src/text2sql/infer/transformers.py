"""The engine that is always there: transformers, in batches of prompts that are alike."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, DynamicCache, GenerationConfig
from transformers.generation.streamers import BaseStreamer

from text2sql.infer.attention import cpu_attention
from text2sql.infer.config import InferConfig
from text2sql.infer.engine import Completion, Prompt, TokenizerEngine
from text2sql.models.folder import (
    OVERHEAD_BYTES,
    cache_bytes,
    load_tokenizer,
    require_memory,
    require_model,
    stop_token_ids,
    weight_bytes,
)


class TransformersEngine(TokenizerEngine):
    """A causal language model on CPU or one GPU."""

    def __init__(
        self, model: Path, config: InferConfig, stops: Sequence[str], device: str, *_unused: Any
    ) -> None:
        self._config = config
        require_model(model)
        self._tokenizer = load_tokenizer(model)
        self._stop_ids = stop_token_ids(self._tokenizer, stops, model)
        if device == "cpu":
            # The least it takes: prompts may be much shorter than the longest allowed.
            needed = weight_bytes(model, config.dtype) + OVERHEAD_BYTES
            needed += cache_bytes(model, config.max_model_len, config.dtype)
            require_memory(
                needed,
                f"{model} in {config.dtype}",
                "close other programs, or quantize the model: make quantize",
            )
        # Any, because the types of transformers' automatic classes do not fit its own methods.
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            model,
            dtype=getattr(torch, config.dtype),
            attn_implementation=cpu_attention() if device == "cpu" else None,
        )
        self._model = loaded.to(device).eval()
        torch.manual_seed(config.seed)

    def generate(self, prompts: Sequence[Prompt]) -> Iterator[Completion]:
        """Yield completions, batch by batch."""
        for batch in arrange(prompts, self._config.batch_size):
            yield from self._batch(batch)

    def _batch(self, prompts: Sequence[Prompt]) -> Iterator[Completion]:
        started = time.perf_counter()
        shared = shared_prefix([prompt.tokens for prompt in prompts])
        rows, mask = align([prompt.tokens for prompt in prompts], shared)
        width = len(rows[0])
        listeners = [prompt.listener for prompt in prompts]
        streamer = _Streamer(listeners, self._tokenizer, self._stop_ids)
        with torch.inference_mode():
            output = self._model.generate(
                input_ids=torch.tensor(rows, device=self._model.device),
                attention_mask=torch.tensor(mask, device=self._model.device),
                past_key_values=self._read_once(rows[0][:shared], len(prompts)),
                generation_config=self._generation(),
                streamer=streamer if any(listeners) else None,
            )
        answers = output[:, width:].tolist()
        seconds = (time.perf_counter() - started) / len(prompts)
        for prompt, tokens in zip(prompts, answers, strict=True):
            yield self._completion(prompt, tokens, seconds)

    def _read_once(self, prefix: list[int], copies: int) -> DynamicCache | None:
        """Return what the model remembers of a prefix, for each prompt of a batch.

        Questions about one database share its schema, which is most of their prompts.
        """
        if not prefix:
            return None
        cache = DynamicCache(config=self._model.config)
        tokens = torch.tensor([prefix], device=self._model.device)
        self._model(input_ids=tokens, past_key_values=cache, use_cache=True, logits_to_keep=1)
        cache.batch_repeat_interleave(copies)
        return cache

    def _completion(self, prompt: Prompt, tokens: list[int], seconds: float) -> Completion:
        kept = list(takewhile(lambda token: token not in self._stop_ids, tokens))
        text = self._tokenizer.decode(kept, skip_special_tokens=True)
        reason = "stop" if len(kept) < len(tokens) else "length"
        return Completion(prompt.id, text, len(kept), round(seconds, 4), reason)

    def _generation(self) -> GenerationConfig:
        config = self._config
        sampling = {"temperature": config.temperature, "top_p": config.top_p}
        return GenerationConfig(
            max_new_tokens=config.max_new_tokens,
            do_sample=config.temperature > 0,
            repetition_penalty=config.repetition_penalty,
            eos_token_id=self._stop_ids,
            pad_token_id=self._stop_ids[0],
            **(sampling if config.temperature > 0 else {}),
        )


class _Streamer(BaseStreamer):
    """Passes the answers of a batch on as they grow (transformers' own take one prompt only)."""

    def __init__(self, listeners: Sequence[Any], tokenizer: Any, stop_ids: Sequence[int]) -> None:
        self._listeners, self._tokenizer = listeners, tokenizer
        self._stop_ids = frozenset(stop_ids)
        self._written: list[list[int]] | None = None
        self._ended: set[int] = set()

    def put(self, value: Any) -> None:
        """Take the next token of every prompt; the first call brings the prompts themselves."""
        if self._written is None:
            self._written = [[] for _ in self._listeners]
            return
        for place, token in enumerate(value.tolist()):
            if token in self._stop_ids:
                self._ended.add(place)
            listener = self._listeners[place]
            if place in self._ended or listener is None:
                continue
            self._written[place].append(token)
            text = self._tokenizer.decode(self._written[place], skip_special_tokens=True)
            if not text.endswith("\N{REPLACEMENT CHARACTER}"):  # a character still incomplete
                listener(text)

    def end(self) -> None:
        """Nothing is held back, so nothing is left to pass on."""


def arrange(prompts: Sequence[Prompt], size: int) -> list[list[Prompt]]:
    """Return batches that cost little to read.

    Questions about one database begin with its schema, so that neighbours in the order of their
    tokens share most of what is read. Where examples stand before the schema they share next to
    nothing, and prompts of like length waste less on filling. The order with fewer tokens is taken.
    """

    def batches(ordered: list[Prompt]) -> list[list[Prompt]]:
        return [ordered[start : start + size] for start in range(0, len(ordered), size)]

    alike = batches(sorted(prompts, key=lambda prompt: prompt.tokens))
    even = batches(sorted(prompts, key=lambda prompt: (len(prompt.tokens), prompt.tokens)))
    return min(alike, even, key=lambda found: sum(map(_tokens_read, found)))


def _tokens_read(batch: Sequence[Prompt]) -> int:
    rows = [prompt.tokens for prompt in batch]
    shared = shared_prefix(rows)
    return shared + len(rows) * (max(map(len, rows)) - shared)


def shared_prefix(rows: Sequence[list[int]]) -> int:
    """Return how many tokens all rows begin with, but leave each row one of its own."""
    first, last = min(rows), max(rows)
    same = 0
    while same < min(len(first), len(last)) and first[same] == last[same]:
        same += 1
    return max(0, min(same, min(map(len, rows)) - 1))


def align(rows: Sequence[list[int]], shared: int) -> tuple[list[list[int]], list[list[int]]]:
    """Fill rows to one length, so that the shared prefix stands first and the ends stand last.

    Args:
        rows: token ids of each prompt.
        shared: length of the prefix that all have.

    Returns:
        Token ids and attention mask, a row a prompt; the mask hides the filling between.
    """
    width = max(map(len, rows))
    gaps = [width - len(row) for row in rows]
    filled = [[*r[:shared], *[0] * g, *r[shared:]] for g, r in zip(gaps, rows, strict=True)]
    mask = [[1] * shared + [0] * g + [1] * (width - g - shared) for g in gaps]
    return filled, mask
