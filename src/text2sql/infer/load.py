"""Loading the inference engine that a config names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from pkgutil import resolve_name

from text2sql.infer.config import ENGINES, InferConfig
from text2sql.infer.engine import Engine

# What asks again where a query fails; where it is not wanted, no change of it or of the way that
# SQL is taken out of answers asks a model again.
REPAIR = "text2sql.infer.repair:repairing"


def load_engine(
    model: Path,
    config: InferConfig,
    stops: Sequence[str],
    device: str,
    adapter: Path | None = None,
) -> Engine:
    """Load a model into the engine that the config names.

    Args:
        model: Hugging Face model folder; for ``llama.cpp`` a GGUF file or a folder with one. For
            ``openai`` the folder whose tokenizer counts the tokens.
        config: engine and decoding settings.
        stops: texts that end an answer.
        device: ``cpu`` or ``cuda``.
        adapter: folder of a LoRA adapter to use by request (``vllm``).

    Raises:
        UserError: the engine is not installed, the model is missing or broken, it does not fit the
            memory or the template, or the adapter's rank is above `max_lora_rank`.
    """
    engine: Engine = resolve_name(ENGINES[config.engine])(model, config, stops, device, adapter)
    return engine
