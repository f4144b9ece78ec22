"""Profiles: one YAML file that says which model, which rows and which machine a run is about."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from text2sql.config import StrictModel, key_check, load_config, require_file
from text2sql.files import write_text
from text2sql.hardware import MachineConfig
from text2sql.models.gguf_types import TABLE_TYPES, check_type
from text2sql.models.packaged import PackagedModel
from text2sql.paths import build_root, config_path
from text2sql.prompt import require_template

GGUF_INFER = "greedy_llamacpp"  # how GGUF files answer, of a profile that does not say it
DEFAULT_PROFILE = "qwen2.5-coder-0.5b"  # of commands without --profile


class ModelConfig(StrictModel):
    """The base model.

    `name` is that of its folder below `build/`. `path_or_hub_id` is a local folder or a hub id.
    `packaged_gguf` says which packages of a Python package index hold the model as GGUF, for where
    the hub cannot be reached. With the `form` ``gguf`` that very file is the model: llama.cpp
    answers with it, nothing can be trained from it. `architecture` holds the keys of the model's
    ``config.json`` that decide its size, for a dry run without the model or the hub at hand.
    `license` is the hub's word for its licence, for the card of what is tuned from it.
    """

    name: str
    title: str = Field(default_factory=lambda values: values["name"])
    path_or_hub_id: str
    revision: str | None = None
    packaged_gguf: PackagedModel | None = None
    form: Literal["hugging-face", "gguf"] = "hugging-face"
    template: Annotated[str, AfterValidator(key_check(require_template))]
    architecture: dict[str, Any] = {}
    license: str | None = None

    @model_validator(mode="after")
    def _gguf_is_packaged(self) -> Self:
        if self.form == "gguf" and self.packaged_gguf is None:
            raise ValueError("form 'gguf' needs 'packaged_gguf', which says where the file is")
        return self


def file_of(kind: str, model: type[StrictModel] | None = None) -> BeforeValidator:
    """Return the check that a key names a file in `configs/<kind>/`, or a YAML file by path.

    With a model, what is in the file takes the place of its name.
    """

    def check(name: Any) -> Any:
        if not isinstance(name, str):
            return name
        path = config_path(kind, name)
        if model:
            return load_config(path, model)
        require_file(path)
        return name

    return BeforeValidator(key_check(check))


InferName = Annotated[str, file_of("infer")]


class RowConfig(StrictModel):
    """One row of the results table: a way of producing predictions.

    `overrides` are keys that replace those of its recipe, as ``SET=`` does for a single one.
    """

    name: str
    label: str
    recipe: Annotated[str, file_of("train")] | None = None
    overrides: dict[str, Any] = {}
    retrieval: Annotated[str, file_of("rag")] | None = None
    infer: InferName | None = None

    @model_validator(mode="after")
    def _overrides_have_a_recipe(self) -> Self:
        if self.overrides and not self.recipe:
            raise ValueError("overrides replace keys of a recipe; name one")
        return self


def _not_once(iterations: int) -> int:
    if iterations == 1:
        raise ValueError("one run says nothing about time; give 0 or at least 2 (BIRD: 100)")
    return iterations


class EvalConfig(StrictModel):
    """How predictions are judged; the same for every row of a table.

    `test_suite` is a folder of suites (`make test-suite`): the table then shows test-suite accuracy
    beside execution accuracy. `timeout_seconds` are of processor time and end what the evaluator's
    limit on steps of SQLite, the same everywhere, does not see. `r_ves_iterations` is how often the
    queries of a right answer run for R-VES (BIRD: 100), on data sets whose metric is BIRD's; 0
    leaves it out.
    """

    plug_value: bool = False
    keep_distinct: bool = False
    test_suite: str | None = None
    timeout_seconds: float = Field(default=60.0, gt=0)
    r_ves_iterations: Annotated[int, Field(ge=0), AfterValidator(_not_once)] = 0


class QuantizationConfig(StrictModel):
    """The model of `row` as F16 GGUF and in each of `types`, answered with `infer`.

    `pretokenizer` names one of llama.cpp's for tokenizers that its converter does not know.
    """

    row: str
    types: tuple[Annotated[str, AfterValidator(key_check(check_type))], ...] = Field(
        default=TABLE_TYPES, min_length=1
    )
    infer: InferName
    pretokenizer: str | None = None


def _of_last_row(values: dict[str, Any]) -> QuantizationConfig | None:
    """Return what `make quantize` is about where a profile does not say it: its last row's model.

    None where the model is a GGUF file already.
    """
    if "rows" not in values or "model" not in values or values["model"].form == "gguf":
        return None
    return QuantizationConfig(row=values["rows"][-1].name, infer=GGUF_INFER)


class LearningConfig(StrictModel):
    """Whose answers to training questions are judged and learnt from, and how many.

    `row` names the tuned row (objective ``sft``) that answers with `infer`, whose ``samples`` says
    how often, and that the trainings on its answers begin with. `questions` is how many training
    questions are drawn, by default all. `suites` is a folder of suites (`make test-suite`) of the
    training databases to judge on, so that an answer right on one database by accident counts as
    wrong. Of each question at most `answers` right and as many wrong answers are learnt from.
    `grpo` names the settings of `make train-grpo`.
    """

    row: str
    infer: InferName
    questions: int | None = Field(default=None, ge=1)
    suites: str | None = None
    answers: int = Field(default=2, ge=1)
    grpo: Annotated[str, file_of("grpo")] | None = None


class Profile(StrictModel):
    """One run of the whole chain: which model, data and rows, and the machine it needs.

    `model` and `machine` are named by their files, or written out in place. `data` replaces keys of
    the dataset's config: how prompts look is the model's affair, whatever the dataset. `joint_all`
    adds the evaluator's column of that name to the table: interactions with every turn right.
    `optional_rows` are made where they are asked for. `quantization` says which row's model becomes
    GGUF files; by default the last one's. `learning` says whose answers are sampled.
    """

    name: str
    model: Annotated[ModelConfig, file_of("models", ModelConfig)]
    title: str = Field(default_factory=lambda values: values["model"].title)
    machine: Annotated[MachineConfig, file_of("machines", MachineConfig)] = MachineConfig()
    dataset: Annotated[str, file_of("data")]
    data: dict[str, Any] = {}
    infer: InferName
    rows: list[RowConfig] = Field(min_length=1)
    optional_rows: list[RowConfig] = []
    evaluation: EvalConfig = EvalConfig()
    joint_all: bool = False
    quantization: QuantizationConfig | None = Field(default_factory=_of_last_row)
    learning: LearningConfig | None = None

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
        if self.learning and self.learning.row not in names:
            raise ValueError(f"learning.row '{self.learning.row}' is none of: {', '.join(names)}")
        return self


def load_profile(name: str) -> Profile:
    """Load `configs/profiles/<name>.yaml` (or a YAML file by path).

    Raises:
        UserError: the profile is wrong, or names a model, machine, template or config that is not
            there or, of the first two, is wrong.
    """
    return load_config(config_path("profiles", name), Profile)


def profile_of_folder(
    base: str, model: Path, types: Sequence[str], pretokenizer: str | None = None
) -> str:
    """Write a profile that makes GGUF files of a model folder; return the path of its file.

    Args:
        base: name or YAML file of the profile that says all else: template, data, machine.
        model: Hugging Face folder: merged, fully trained, or converted from Megatron.
        types: quantization types.
        pretokenizer: see `QuantizationConfig`.

    Raises:
        UserError: the profile is wrong.
    """
    other, folder = load_profile(base), model.resolve()
    # Another name than the folder's: it may itself be among those of the model stage.
    name = f"local-{folder.name}"
    local = {"name": name, "path_or_hub_id": str(folder), "template": other.model.template}
    infer = other.quantization.infer if other.quantization else other.infer
    files = {"row": "model", "types": list(types), "infer": infer, "pretokenizer": pretokenizer}
    values = other.model_dump(mode="json", include={"machine", "dataset", "data", "infer"}) | {
        "name": name,
        "model": local,
        "rows": [{"name": "model", "label": folder.name}],
        "quantization": files,
    }
    path = build_root() / "profiles" / f"{name}.yaml"
    write_text(path, yaml.safe_dump(values, sort_keys=False))
    return str(path)
