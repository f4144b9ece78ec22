"""The engine for GPUs: vLLM, all prompts in one continuous batch with shared prefixes kept."""

from __future__ import annotations

import atexit
import os
import time
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from text2sql.errors import UserError
from text2sql.files import read_json
from text2sql.hardware import visible_gpus
from text2sql.infer.config import InferConfig
from text2sql.infer.engine import Completion, Prompt, TokenizerEngine
from text2sql.models.folder import load_tokenizer, require_model, stop_token_ids

LORA_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)  # that vLLM takes as max_lora_rank


class VllmEngine(TokenizerEngine):
    """A model in vLLM, spread over `tensor_parallel_size` GPUs; every request names the adapter."""

    def __init__(
        self,
        model: Path,
        config: InferConfig,
        stops: Sequence[str],
        device: str = "cuda",
        adapter: Path | None = None,
    ) -> None:
        require_model(model)
        stop_ids = stop_token_ids(load_tokenizer(model), stops, model)
        rank = adapter_rank(adapter, config.max_lora_rank) if adapter else None
        # FlashInfer's sampler is compiled when it is first used, by the whole CUDA toolkit. vLLM
        # tries it while it warms up; requests with a seed, as all of ours, never use it.
        os.environ.setdefault("VLLM_USE_FLASHINFER_SAMPLER", "0")
        try:
            from vllm import LLM, SamplingParams
            from vllm.lora.request import LoRARequest
        except ImportError as error:
            raise UserError(f"vLLM cannot be imported ({error}); run: make setup-gpu") from None
        self._tensor_parallel = tensor_parallel_here(config.tensor_parallel_size)
        try:
            self._llm = LLM(
                model=str(model),
                dtype=config.dtype,
                max_model_len=config.max_model_len,
                tensor_parallel_size=self._tensor_parallel,
                gpu_memory_utilization=config.gpu_memory_utilization,
                enforce_eager=config.enforce_eager,
                disable_custom_all_reduce=config.disable_custom_all_reduce,
                enable_prefix_caching=True,
                seed=config.seed,
                **({"enable_lora": True, "max_lora_rank": room_for(rank)} if rank else {}),
            )
        except (RuntimeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise UserError(
                f"{model}: vLLM cannot load it ({reason}); its log above says more. Where memory"
                " is short, lower max_model_len, raise tensor_parallel_size, or set enforce_eager"
            ) from None
        # vLLM's own clean-up comes after multiprocessing has begun to wait for vLLM's processes
        # where something else registered first; the program would never end.
        atexit.register(_shut_down, weakref.ref(self._llm.llm_engine.engine_core))
        self._tokenizer = self._llm.get_tokenizer()
        self._lora = LoRARequest("adapter", 1, str(adapter)) if adapter else None
        self._config, self._params = config, SamplingParams
        self._sampling = {
            "temperature": config.temperature,
            "top_p": config.top_p,
            "repetition_penalty": config.repetition_penalty,
            "max_tokens": config.max_new_tokens,
            "stop": list(stops),
            "stop_token_ids": stop_ids,
        }

    def generate(self, prompts: Sequence[Prompt]) -> Iterator[Completion]:
        """Yield completions as vLLM finishes them; it batches and schedules by itself."""
        engine: Any = self._llm.llm_engine
        listeners = {str(prompt.id): prompt.listener for prompt in prompts if prompt.listener}
        for prompt in prompts:
            engine.add_request(
                str(prompt.id),
                {"prompt_token_ids": prompt.tokens},
                self._sampling_of(prompt),
                lora_request=self._lora,
            )
        last = time.perf_counter()
        while engine.has_unfinished_requests():
            outputs = engine.step()
            for output in outputs:
                if listener := listeners.get(output.request_id):
                    listener(output.outputs[0].text)
            finished = [output for output in outputs if output.finished]
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

    def measurements(self) -> dict[str, Any]:
        """Return over how many GPUs the model is spread."""
        return {"tensor_parallel": self._tensor_parallel, "data_parallel": 1}

    def forget_prefixes(self) -> None:
        """Empty the prefix cache, so that timings do not profit from an earlier round."""
        self._llm.reset_prefix_cache()

    def _sampling_of(self, prompt: Prompt) -> Any:
        bound: dict[str, Any] = {}
        if prompt.grammar is not None:
            from vllm.sampling_params import StructuredOutputsParams

            bound["structured_outputs"] = StructuredOutputsParams(grammar=prompt.grammar)
        return self._params(**self._sampling, **bound, seed=self._config.seed + prompt.sample)


def _shut_down(core: weakref.ref[Any]) -> None:
    alive = core()
    if alive is not None:
        alive.shutdown()


def tensor_parallel_here(asked: int) -> int:
    """Return over how many GPUs to spread a model: as asked, or what divides it and is here."""
    there = len(visible_gpus())
    if not there:  # vLLM's build for CPUs
        return asked
    return next(size for size in range(min(asked, there), 0, -1) if asked % size == 0)


def room_for(rank: int) -> int:
    """Return the smallest rank that vLLM has kernels for and that holds an adapter of this one.

    Raises:
        UserError: there is none.
    """
    fitting = [size for size in LORA_RANKS if size >= rank]
    if not fitting:
        raise UserError(f"rank {rank}: vLLM takes adapters up to {LORA_RANKS[-1]}; merge it")
    return fitting[0]


def adapter_rank(adapter: Path, most: int) -> int:
    """Return a LoRA adapter's rank; raise UserError when it is above the one allowed."""
    rank = int(read_json(adapter / "adapter_config.json")["r"])
    if rank > most:
        raise UserError(
            f"{adapter}: rank {rank} is above max_lora_rank {most}; raise max_lora_rank in the"
            " infer config, or merge the adapter"
        )
    return rank
