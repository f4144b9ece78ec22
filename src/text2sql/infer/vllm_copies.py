"""Several copies of a model in vLLM, each on GPUs of its own, that share the questions.

A model that fits one GPU answers faster from a copy on each than spread over all of them.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import queue
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from text2sql.errors import UserError
from text2sql.hardware import gpu_names, visible_gpus
from text2sql.infer.config import InferConfig
from text2sql.infer.engine import Completion, Engine, Prompt, TokenizerEngine
from text2sql.infer.vllm import VllmEngine, tensor_parallel_here
from text2sql.models.folder import load_tokenizer

COPY = "text2sql.infer.vllm:VllmEngine"
POLL_SECONDS = 1.0
STOP_SECONDS = 30.0


def open_vllm(
    model: Path,
    config: InferConfig,
    stops: Sequence[str],
    device: str = "cuda",
    adapter: Path | None = None,
) -> Engine:
    """Load a model into vLLM: once, or a copy on each group of GPUs.

    Args:
        model: Hugging Face model folder.
        config: engine and decoding settings.
        stops: texts that end an answer.
        device: where vLLM runs, which it finds out by itself.
        adapter: folder of a LoRA adapter.

    Raises:
        UserError: see `VllmEngine`; or more copies are asked for than the GPUs here allow.
    """
    arguments = (model, config, stops, device, adapter)
    count = copies_here(config)
    return VllmEngine(*arguments) if count == 1 else VllmCopies(count, *arguments)


def copies_here(config: InferConfig) -> int:
    """Return how many copies of the model the GPUs here are to hold."""
    there, width = len(visible_gpus()), tensor_parallel_here(config.tensor_parallel_size)
    asked = config.data_parallel_size
    if asked is None:
        return max(1, there // width)
    if asked > 1 and asked * width > there:
        raise UserError(
            f"data_parallel_size {asked} x tensor_parallel_size {width} needs {asked * width} GPUs,"
            f" {there} are here; leave data_parallel_size out to use them all"
        )
    return asked


class VllmCopies(TokenizerEngine):
    """Copies of one engine in processes of their own.

    Args:
        count: how many.
        arguments: those of the engine.
        engine: where the engine is, as ``module:class``.
    """

    def __init__(self, count: int, *arguments: Any, engine: str = COPY) -> None:
        model, config = arguments[:2]
        self._tokenizer = load_tokenizer(model)
        self._width = tensor_parallel_here(config.tensor_parallel_size)
        self._context = multiprocessing.get_context("spawn")
        self._answers: Any = self._context.Queue()
        self._questions: list[Any] = []
        self._processes: list[Any] = []
        atexit.register(self.close)
        names = gpu_names()
        for number in range(count):
            gpus = names[number * self._width : (number + 1) * self._width]
            asked = self._context.Queue()
            process = self._context.Process(
                target=_serve,
                args=(number, gpus, engine, arguments, asked, self._answers),
                daemon=False,  # vLLM starts processes of its own, which a daemon may not
            )
            process.start()
            self._questions.append(asked)
            self._processes.append(process)
        try:
            for _ in range(count):  # each says when its model is loaded
                self._next()
        except UserError:
            self.close()
            raise

    def generate(self, prompts: Sequence[Prompt]) -> Iterator[Completion]:
        """Yield completions as any copy finishes them.

        Questions that follow one another are about one database: each copy gets a stretch of them,
        which its cache of prefixes serves.
        """
        count = len(self._questions)
        size = -(-len(prompts) // count)
        for number, asked in enumerate(self._questions):
            part = prompts[number * size : (number + 1) * size]
            asked.put([replace(prompt, listener=None, scope=None) for prompt in part])
        working = count
        while working:
            answer = self._next()
            if answer is None:
                working -= 1
            else:
                yield answer

    def measurements(self) -> dict[str, Any]:
        """Return how the GPUs were used."""
        return {"tensor_parallel": self._width, "data_parallel": len(self._processes)}

    def close(self) -> None:
        """End the copies."""
        for asked in self._questions:
            asked.put(None)
        for process in self._processes:
            process.join(STOP_SECONDS)
            if process.is_alive():
                process.kill()
                process.join()
        self._questions, self._processes = [], []
        atexit.unregister(self.close)

    def _next(self) -> Completion | None:
        """Return the next completion, or None where a copy says that it is ready for more."""
        while True:
            try:
                what, value = self._answers.get(timeout=POLL_SECONDS)
            except queue.Empty:
                ended = [p.exitcode for p in self._processes if p.exitcode is not None]
                if ended:
                    raise UserError(
                        f"a copy of the model ended (status {ended[0]}); its log above says why"
                    ) from None
                continue
            if what == "error":
                raise UserError(value)
            return value if what == "answer" else None


def _serve(
    number: int, gpus: Sequence[str], engine: str, arguments: Any, asked: Any, answers: Any
) -> None:
    """Answer what is asked, on these GPUs alone, until None is."""
    if gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
        visible_gpus.cache_clear()
    try:
        loaded: Engine = resolve_name(engine)(*arguments)
        answers.put(("ready", number))
        while (prompts := asked.get()) is not None:
            for completion in loaded.generate(prompts):
                answers.put(("answer", completion))
            answers.put(("ready", number))
    except UserError as error:
        answers.put(("error", str(error)))
