"""Training recipes: LLaMA-Factory keys plus how many processes to launch and through what."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from text2sql.config import StrictModel, load_config
from text2sql.paths import config_path, repository_root

# Keys the train stage fills in itself, so that a recipe cannot contradict the pipeline.
STAGE_KEYS = frozenset(
    {
        "model_name_or_path",
        "template",
        "dataset",
        "dataset_dir",
        "output_dir",
        "resume_from_checkpoint",
        "do_train",
        "stage",
    }
)


class Launch(StrictModel):
    """How the trainer is started: plain process, torchrun, or torchrun with Megatron."""

    backend: Literal["single", "deepspeed", "megatron"] = "single"
    processes: int = Field(default=1, ge=1)
    environment: dict[str, str] = {}


class Recipe(StrictModel):
    """One training run; `llamafactory` holds LLaMA-Factory's own keys, passed on unchanged."""

    method: Literal["lora", "qlora", "full"]
    launch: Launch = Launch()
    llamafactory: dict[str, Any]

    @model_validator(mode="after")
    def _keys_agree(self) -> Self:
        taken = sorted(STAGE_KEYS & self.llamafactory.keys())
        if taken:
            raise ValueError(f"key 'llamafactory.{taken[0]}' is set by the train stage; remove it")
        expected = "full" if self.method == "full" else "lora"
        if self.llamafactory.get("finetuning_type") != expected:
            raise ValueError(
                f"method '{self.method}' needs 'llamafactory.finetuning_type: {expected}'"
            )
        if self.method == "qlora" and "quantization_bit" not in self.llamafactory:
            raise ValueError("method 'qlora' needs 'llamafactory.quantization_bit: 4'")
        if self.launch.backend == "deepspeed" and "deepspeed" not in self.llamafactory:
            raise ValueError("backend 'deepspeed' needs 'llamafactory.deepspeed: <config file>'")
        return self

    def environment(self) -> dict[str, str]:
        """Variables by which LLaMA-Factory starts torchrun and Megatron."""
        variables = dict(self.launch.environment)
        if self.launch.backend != "single":
            variables |= {"FORCE_TORCHRUN": "1", "NPROC_PER_NODE": str(self.launch.processes)}
        if self.launch.backend == "megatron":
            variables["USE_MCA"] = "1"
        return variables

    def source_files(self) -> tuple[Path, ...]:
        """Files besides the recipe that decide the result: DeepSpeed's config."""
        named = self.llamafactory.get("deepspeed")
        return (repository_root() / named,) if named else ()

    @property
    def seed(self) -> int:
        """The trainer's seed (LLaMA-Factory's default is 42)."""
        return int(self.llamafactory.get("seed", 42))


def load_recipe(name: str) -> Recipe:
    """Load `configs/train/<name>.yaml` (or a YAML file by path); raise UserError when wrong."""
    return load_config(config_path("train", name), Recipe)
