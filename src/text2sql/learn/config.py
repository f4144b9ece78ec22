"""Settings of group relative policy optimization."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from text2sql.config import StrictModel, load_config
from text2sql.paths import config_path


class GrpoConfig(StrictModel):
    """A run of GRPO (Shao et al., 2024) with the evaluator's verdict as its reward.

    Each of `steps` steps asks `questions_per_step` questions, `generations` times each; answers
    count by how much better they are than the others to their question. With `learnable`, only
    questions are asked of which `make sample` found both right and wrong answers: of the others no
    answer is better than another. `beta` weighs the distance to the model it began with; 0 leaves
    that model out of memory. With `lora_rank` an adapter is trained, without one all weights.
    """

    steps: int = Field(ge=1)
    questions_per_step: int = Field(default=4, ge=1)
    generations: int = Field(default=8, ge=2)
    learnable: bool = True
    max_new_tokens: int = Field(default=96, ge=1)
    temperature: float = Field(default=1.0, gt=0)
    learning_rate: float = Field(gt=0)
    beta: float = Field(default=0.0, ge=0)
    lora_rank: int | None = Field(default=None, ge=1)
    micro_batch: int = Field(default=8, ge=1)
    dtype: Literal["float32", "bfloat16"] = "bfloat16"
    save_steps: int = Field(default=10, ge=1)
    seed: int = 42

    @model_validator(mode="after")
    def _splits_evenly(self) -> Self:
        if self.answers_per_step % self.micro_batch:
            raise ValueError(
                f"micro_batch {self.micro_batch} does not divide the {self.answers_per_step}"
                " answers of a step (questions_per_step x generations)"
            )
        return self

    @property
    def answers_per_step(self) -> int:
        """Answers that a step learns from."""
        return self.questions_per_step * self.generations


def load_grpo_config(name: str) -> GrpoConfig:
    """Load `configs/grpo/<name>.yaml` (or a YAML file by path); raise UserError when wrong."""
    return load_config(config_path("grpo", name), GrpoConfig)
