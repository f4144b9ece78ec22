"""The interface of inference engines: token ids in, text out, in whatever order it is done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from text2sql.infer.config import InferConfig


@dataclass(frozen=True)
class Prompt:
    """A question as the model reads it: its place in the dataset and the token ids."""

    id: int
    tokens: list[int]


@dataclass(frozen=True)
class Completion:
    """What a model wrote for a prompt.

    `finish_reason` is ``stop``, ``length`` (the answer was cut at max_new_tokens) or
    ``prompt_too_long`` (the prompt was not sent, because it does not fit the context). `seconds` is
    the time of its batch divided by the batch's size.
    """

    id: int
    text: str
    completion_tokens: int
    seconds: float
    finish_reason: str


class Engine(Protocol):
    """A loaded model."""

    def encode(self, text: str) -> list[int]:
        """Return the token ids of a rendered prompt; nothing is added to them."""

    def generate(self, prompts: Sequence[Prompt]) -> Iterator[Completion]:
        """Yield a completion for every prompt, as they get done."""


def load_engine(model: Path, config: InferConfig, stops: Sequence[str], device: str) -> Engine:
    """Load a model folder into the engine that the config names.

    Args:
        model: Hugging Face model folder.
        config: engine and decoding settings.
        stops: texts that end an answer.
        device: ``cpu`` or ``cuda``.

    Raises:
        UserError: the engine is not installed.
    """
    if config.engine == "vllm":
        from text2sql.infer.vllm import VllmEngine

        return VllmEngine(model, config, stops)
    from text2sql.infer.transformers import TransformersEngine

    return TransformersEngine(model, config, stops, device)
