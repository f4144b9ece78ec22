"""Profiles: one YAML file that says which model, which rows and which machine a run is about."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from text2sql.config import StrictModel, load_config
from text2sql.errors import UserError
from text2sql.hardware import Hardware
from text2sql.models.gguf_types import QUANTIZATION_TYPES, check_type
from text2sql.paths import config_path


class ModelConfig(StrictModel):
    """The base model.

    `path_or_hub_id` is a local folder or a hub id. `packaged_gguf` names a Python package that
    ships the model as GGUF; it is used where set, so that no hub is needed. `architecture` holds
    the keys of the model's ``config.json`` that decide its size, so that a dry run can estimate
    memory and time before the model has been downloaded.
    """

    name: str
    path_or_hub_id: str
    revision: str | None = None
    packaged_gguf: str | None = None
    template: str
    architecture: dict[str, Any] = {}


class RowConfig(StrictModel):
    """One row of the results table: a way of producing predictions."""

    name: str
    label: str
    recipe: str | None = None
    retrieval: str | None = None
    infer: str | None = None


class EvalConfig(StrictModel):
    """How predictions are judged; the same for every row of a table.

    `test_suite` is a folder of suites (`make test-suite`): the table then shows test-suite accuracy
    beside execution accuracy.
    """

    plug_value: bool = False
    keep_distinct: bool = False
    test_suite: str | None = None
    timeout_seconds: float = Field(default=30.0, gt=0)
    jobs: int = Field(default=2, ge=1)


class QuantizationConfig(StrictModel):
    """The model of `row` as F16 GGUF and in each of `types`, answered with `infer`.

    `pretokenizer` names one of llama.cpp's for tokenizers that its converter does not know.
    """

    row: str
    types: tuple[str, ...] = Field(default=tuple(QUANTIZATION_TYPES), min_length=1)
    infer: str
    pretokenizer: str | None = None

    @field_validator("types")
    @classmethod
    def _known(cls, types: tuple[str, ...]) -> tuple[str, ...]:
        try:
            return tuple(check_type(name) for name in types)
        except UserError as error:
            raise ValueError(str(error)) from None


class Profile(StrictModel):
    """One run of the whole chain: model, rows, inference, evaluation and the machine it needs.

    `data` replaces keys of the dataset's config: how prompts look is the model's affair, whatever
    the dataset. `joint_all` adds the evaluator's column of that name to the table: interactions
    with every turn right. `optional_rows` are made where they are asked for. `quantization` says
    which row's model becomes GGUF files. `workers` stages run side by side, each on `threads`
    cores; fewer where the machine lacks `worker_memory_gb` (GiB) for each. An environment ``x`` is
    the folder ``.venv-x``; where none is named, stages run in the one that runs the command.
    """

    name: str
    title: str
    model: ModelConfig
    dataset: str
    data: dict[str, Any] = {}
    infer: str
    rows: list[RowConfig] = Field(min_length=1)
    optional_rows: list[RowConfig] = []
    evaluation: EvalConfig = EvalConfig()
    joint_all: bool = False
    quantization: QuantizationConfig | None = None
    hardware: Hardware = Hardware()
    workers: int = Field(default=1, ge=1)
    worker_memory_gb: float = Field(default=0.0, ge=0)
    threads: int = Field(default=1, ge=1)
    device: Literal["cpu", "cuda"] = "cpu"
    train_environment: str | None = None
    infer_environment: str | None = None
    rag_environment: str | None = None

    @model_validator(mode="after")
    def _rows_are_distinct(self) -> Self:
        names = [row.name for row in (*self.rows, *self.optional_rows)]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"row name '{name}' is used twice; give each row its own")
        if self.quantization and self.quantization.row not in names:
            raise ValueError(
                f"quantization.row '{self.quantization.row}' is none of: {', '.join(names)}"
            )
        return self


def load_profile(name: str) -> Profile:
    """Load `configs/profiles/<name>.yaml` (or a YAML file by path); raise UserError when wrong."""
    return load_config(config_path("profiles", name), Profile)
