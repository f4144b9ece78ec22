"""The engine that is always there: transformers, in batches of prompts of like length."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from text2sql.infer.config import InferConfig
from text2sql.infer.engine import Completion, Prompt


class TransformersEngine:
    """A causal language model on CPU or one GPU.

    Args:
        model: Hugging Face model folder.
        config: decoding settings.
        stops: texts that end an answer; each must be one token of the model.
        device: ``cpu`` or ``cuda``.
    """

    def __init__(self, model: Path, config: InferConfig, stops: Sequence[str], device: str) -> None:
        self._config = config
        self._tokenizer: Any = AutoTokenizer.from_pretrained(model)
        self._stop_ids = [self._tokenizer.convert_tokens_to_ids(text) for text in stops]
        # Any, because the types of transformers' automatic classes do not fit its own methods.
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            model, dtype=getattr(torch, config.dtype)
        )
        self._model = loaded.to(device).eval()
        torch.manual_seed(config.seed)

    def encode(self, text: str) -> list[int]:
        """Return the token ids of a rendered prompt."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False)
        return ids

    def generate(self, prompts: Sequence[Prompt]) -> Iterator[Completion]:
        """Yield completions; the longest prompts go first, so that memory is tried at once."""
        ordered = sorted(prompts, key=lambda prompt: -len(prompt.tokens))
        size = self._config.batch_size
        for start in range(0, len(ordered), size):
            yield from self._batch(ordered[start : start + size])

    def _batch(self, prompts: Sequence[Prompt]) -> Iterator[Completion]:
        started = time.perf_counter()
        width = max(len(prompt.tokens) for prompt in prompts)
        # Filled on the left, so that every answer starts in the same column.
        gaps = [width - len(prompt.tokens) for prompt in prompts]
        rows = [[0] * gap + prompt.tokens for gap, prompt in zip(gaps, prompts, strict=True)]
        mask = [[0] * gap + [1] * (width - gap) for gap in gaps]
        with torch.inference_mode():
            output = self._model.generate(
                input_ids=torch.tensor(rows, device=self._model.device),
                attention_mask=torch.tensor(mask, device=self._model.device),
                generation_config=self._generation(),
            )
        answers = output[:, width:].tolist()
        seconds = (time.perf_counter() - started) / len(prompts)
        for prompt, tokens in zip(prompts, answers, strict=True):
            yield self._completion(prompt, tokens, seconds)

    def _completion(self, prompt: Prompt, tokens: list[int], seconds: float) -> Completion:
        ends = [place for place, token in enumerate(tokens) if token in self._stop_ids]
        kept = tokens[: ends[0]] if ends else tokens
        text = self._tokenizer.decode(kept, skip_special_tokens=True)
        reason = "stop" if ends else "length"
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
