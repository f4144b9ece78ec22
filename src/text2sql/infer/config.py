"""Settings of the infer stage."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from text2sql.config import StrictModel, load_config
from text2sql.paths import config_path


class InferConfig(StrictModel):
    """Engine and decoding. Temperature 0 is greedy decoding; the other sampling keys then rest."""

    engine: Literal["transformers", "vllm"]
    dtype: Literal["float32", "bfloat16", "float16"] = "bfloat16"
    batch_size: int = Field(default=8, ge=1)
    max_new_tokens: int = Field(default=256, ge=1)
    max_model_len: int = Field(default=4096, ge=16)
    temperature: float = Field(default=0.0, ge=0)
    top_p: float = Field(default=1.0, gt=0, le=1)
    repetition_penalty: float = Field(default=1.0, gt=0)
    tensor_parallel_size: int = Field(default=1, ge=1)
    seed: int = 42


def load_infer_config(name: str) -> InferConfig:
    """Load `configs/infer/<name>.yaml` (or a YAML file by path); raise UserError when wrong."""
    return load_config(config_path("infer", name), InferConfig)
