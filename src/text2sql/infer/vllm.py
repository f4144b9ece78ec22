"""The engine for GPUs: vLLM, all prompts in one continuous batch with shared prefixes kept."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from text2sql.errors import UserError
from text2sql.infer.config import InferConfig
from text2sql.infer.engine import Completion, Prompt


class VllmEngine:
    """A model in vLLM, spread over `tensor_parallel_size` GPUs.

    Args:
        model: Hugging Face model folder.
        config: decoding settings.
        stops: texts that end an answer.

    Raises:
        UserError: vLLM is not installed.
    """

    def __init__(self, model: Path, config: InferConfig, stops: Sequence[str]) -> None:
        try:
            from vllm import LLM, SamplingParams
        except ImportError as error:
            raise UserError(f"vLLM cannot be imported ({error}); run: make setup-vllm") from None
        self._llm = LLM(
            model=str(model),
            dtype=config.dtype,
            max_model_len=config.max_model_len,
            tensor_parallel_size=config.tensor_parallel_size,
            enable_prefix_caching=True,
            seed=config.seed,
        )
        self._tokenizer = self._llm.get_tokenizer()
        self._sampling = SamplingParams(
            temperature=config.temperature,
            top_p=config.top_p,
            repetition_penalty=config.repetition_penalty,
            max_tokens=config.max_new_tokens,
            stop=list(stops),
            stop_token_ids=[self._tokenizer.convert_tokens_to_ids(text) for text in stops],
            seed=config.seed,
        )

    def encode(self, text: str) -> list[int]:
        """Return the token ids of a rendered prompt."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False)
        return ids

    def generate(self, prompts: Sequence[Prompt]) -> Iterator[Completion]:
        """Yield completions as vLLM finishes them; it batches and schedules by itself."""
        engine: Any = self._llm.llm_engine
        for prompt in prompts:
            engine.add_request(str(prompt.id), {"prompt_token_ids": prompt.tokens}, self._sampling)
        last = time.perf_counter()
        while engine.has_unfinished_requests():
            finished = [output for output in engine.step() if output.finished]
            now = time.perf_counter()
            for output in finished:
                answer = output.outputs[0]
                yield Completion(
                    int(output.request_id),
                    answer.text,
                    len(answer.token_ids),
                    round((now - last) / len(finished), 4),
                    answer.finish_reason or "stop",
                )
            if finished:
                last = now
