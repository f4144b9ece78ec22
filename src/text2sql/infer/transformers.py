"""The engine that is always there: transformers, in batches of prompts that are alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import (
    AutoModelForCausalLM,
    Cache,
    DynamicCache,
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
)
from transformers.cache_utils import DynamicLayer
from transformers.generation.streamers import BaseStreamer

from text2sql.infer.attention import behind, cpu_attention
from text2sql.infer.batches import align, arrange, common_prefix, shared_prefix, tokens_read
from text2sql.infer.config import InferConfig
from text2sql.infer.engine import Completion, Prompt, TokenizerEngine
from text2sql.infer.name_choice import Draw, leave_one
from text2sql.models.folder import (
    OVERHEAD_BYTES,
    cache_bytes,
    load_tokenizer,
    require_memory,
    require_model,
    stop_token_ids,
    weight_bytes,
)

FIRST_STEPS = 32  # tokens after which most SQL is written; then twice as many, and so on
CHEAP_TO_READ = 128  # tokens a prompt, up to which reading one again takes less than waiting does


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
        self._remembered: DynamicCache | None = None
        self._read: list[int] = []
        chance = np.random.default_rng(config.seed)
        self._draw = (
            Draw(config.temperature, config.top_p, chance) if config.temperature > 0 else None
        )

    def generate(self, prompts: Sequence[Prompt]) -> Iterator[Completion]:
        """Yield completions, batch by batch, those of long answers last.

        A batch takes as long as its longest answer. So it may write only some tokens at first, and
        the few answers that are not done by then go on together, in batches of their own.
        """
        size, left = self._config.batch_size, self._config.max_new_tokens
        drafts = [_Draft(prompt) for prompt in prompts]
        steps = FIRST_STEPS
        while drafts:
            unfinished = []
            several = len(drafts) > size
            steps = min(steps, left)
            for batch in arrange(drafts, size):
                halts = several and tokens_read(batch) <= CHEAP_TO_READ * len(batch)
                self._write(batch, steps if halts else left)
                for draft in batch:
                    if draft.reason or not halts or steps == left:
                        yield self._completion(draft)
                    else:
                        unfinished.append(draft)
            drafts = unfinished
            left -= steps
            steps *= 2

    def _write(self, batch: Sequence[_Draft], steps: int) -> None:
        """Let the answers of a batch grow by so many tokens at most."""
        started = time.perf_counter()
        rows = [draft.tokens for draft in batch]
        shared = shared_prefix(rows)
        filled, mask = align(rows, shared)
        streamer = _Streamer(batch, self._tokenizer, self._stop_ids)
        choice = _Choice(batch, self._tokenizer, self._stop_ids, self._draw)
        with torch.inference_mode():
            output = self._model.generate(
                input_ids=torch.tensor(filled, device=self._model.device),
                attention_mask=torch.tensor(mask, device=self._model.device),
                past_key_values=self._read_once(filled[0][:shared], len(batch)),
                generation_config=self._generation(steps),
                logits_processor=LogitsProcessorList([choice] if choice.needed else []),
                streamer=streamer if any(draft.prompt.listener for draft in batch) else None,
            )
        seconds = (time.perf_counter() - started) / len(batch)
        for draft, tokens in zip(batch, output[:, len(filled[0]) :].tolist(), strict=True):
            kept = list(takewhile(lambda token: token not in self._stop_ids, tokens))
            draft.written += kept
            draft.seconds += seconds
            draft.reason = "stop" if len(kept) < len(tokens) else ""

    def _read_once(self, prefix: list[int], copies: int) -> Cache | None:
        """Return what the model remembers of a prefix, for each prompt of a batch.

        Questions about one database share its schema, which is most of their prompts. It is read
        for the first of their batches and remembered for the next.
        """
        if not prefix:
            return None
        cache, read = self._remembered, common_prefix(self._read, prefix)
        surplus = len(self._read) - read
        self._read = []  # until it is there again: an error may leave the cache in between
        if cache and read and _goes_back(cache):
            if surplus:
                cache.crop(-surplus)  # as how many to drop: transformers 5.19 deprecates lengths
        else:
            cache, read = DynamicCache(config=self._model.config), 0
        if read < len(prefix):
            tokens = torch.tensor([prefix[read:]], device=self._model.device)
            self._model(input_ids=tokens, past_key_values=cache, use_cache=True, logits_to_keep=1)
        self._remembered, self._read = cache, prefix
        if self._model.device.type == "cpu" and _goes_back(cache):
            return behind(cache)
        copied = deepcopy(cache)
        copied.batch_repeat_interleave(copies)
        return copied

    def _completion(self, draft: _Draft) -> Completion:
        text = self._tokenizer.decode(draft.written, skip_special_tokens=True)
        seconds, reason = round(draft.seconds, 4), draft.reason or "length"
        return Completion(draft.prompt.id, text, len(draft.written), seconds, reason)

    def _generation(self, steps: int) -> GenerationConfig:
        return GenerationConfig(
            max_new_tokens=steps,
            do_sample=False,  # `_Choice` draws: transformers' own takes the 50 best tokens, unasked
            repetition_penalty=self._config.repetition_penalty,
            eos_token_id=self._stop_ids,
            pad_token_id=self._stop_ids[0],
        )


def _goes_back(cache: Cache) -> bool:
    """Whether a model's layers can go back to a prefix; sliding windows, for one, forget."""
    return all(type(layer) is DynamicLayer for layer in cache.layers)


@dataclass
class _Draft:
    """An answer that grows: the tokens written, the seconds they took, and why it ended."""

    prompt: Prompt
    written: list[int] = field(default_factory=list)
    seconds: float = 0.0
    reason: str = ""

    @property
    def tokens(self) -> list[int]:
        """What the model reads to go on."""
        return self.prompt.tokens + self.written


class _Streamer(BaseStreamer):
    """Passes the answers of a batch on as they grow (transformers' own take one prompt only)."""

    def __init__(self, batch: Sequence[_Draft], tokenizer: Any, stop_ids: Sequence[int]) -> None:
        self._listeners = [draft.prompt.listener for draft in batch]
        self._written = [list(draft.written) for draft in batch]
        self._tokenizer = tokenizer
        self._stop_ids = frozenset(stop_ids)
        self._ended: set[int] = set()
        self._begun = False

    def put(self, value: Any) -> None:
        """Take the next token of every prompt; the first call brings the prompts themselves."""
        if not self._begun:
            self._begun = True
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


class _Choice(LogitsProcessor):
    """Leaves each answer of a batch the token that is drawn, of those its schema's names allow."""

    def __init__(
        self, batch: Sequence[_Draft], tokenizer: Any, stop_ids: Sequence[int], draw: Draw | None
    ) -> None:
        self._batch, self._tokenizer, self._draw = batch, tokenizer, draw
        self._stop_ids = frozenset(stop_ids)
        self._read: int | None = None  # tokens of a prompt, as they come with the first step
        self.needed = draw is not None or any(draft.prompt.scope for draft in batch)

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> Any:
        """Return scores that leave one token, where it is not merely the best."""
        if self._read is None:
            self._read = input_ids.shape[1]
        left = scores.float().cpu()
        for draft, tokens, row in zip(
            self._batch, input_ids[:, self._read :].tolist(), left, strict=True
        ):
            if (draft.prompt.scope or self._draw) and self._stop_ids.isdisjoint(tokens):
                leave_one(row, self._allows(draft, tokens), self._draw)
        return left.to(scores.device)

    def _allows(self, draft: _Draft, tokens: list[int]) -> Callable[[int], bool]:
        """Return what says whether a token may follow what is written."""
        scope, written = draft.prompt.scope, draft.written + tokens
        if scope is None:
            return lambda _: True

        def allows(token: int) -> bool:
            text = self._tokenizer.decode([*written, token], skip_special_tokens=True)
            return bool(scope(text, token in self._stop_ids))

        return allows
