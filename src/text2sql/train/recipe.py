"""Training recipes: LLaMA-Factory keys plus how many processes to launch and through what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from text2sql.config import StrictModel, check_config, load_config, overrides_label
from text2sql.errors import UserError
from text2sql.files import read_json
from text2sql.paths import config_name, config_path, repository_root
from text2sql.profile import file_of

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


LAUNCH_KEYS = frozenset({"processes", "backend"})  # of `Launch`, that overrides may name
BATCH_KEYS = LAUNCH_KEYS | {  # those that say how a batch is split over devices
    *("per_device_train_batch_size", "gradient_accumulation_steps", "deepspeed"),
    *("tensor_model_parallel_size", "pipeline_model_parallel_size"),
}
OWN_KEYS = frozenset({"shared_schema", "retrieval"})  # of `Recipe`, that overrides may name
# Objectives that hold right answers against wrong ones.
PREFERENCE = frozenset({"dpo", "kto"})
SHARED_SCHEMA_VARIABLE = "TEXT2SQL_SHARED_SCHEMA"  # tells `text2sql.train.entry` of that key
# What shared schemas cannot go with, as they take the place of LLaMA-Factory's packed rows.
NOT_WITH_SHARED_SCHEMA = ("packing", "neat_packing", "streaming", "mask_history", "train_on_prompt")


class Launch(StrictModel):
    """How the trainer is started: plain process, torchrun, or torchrun with Megatron."""

    backend: Literal["single", "deepspeed", "megatron"] = "single"
    processes: int = Field(default=1, ge=1)
    environment: dict[str, str] = {}


class Recipe(StrictModel):
    """One training run; `llamafactory` holds LLaMA-Factory's own keys, passed on unchanged.

    `objective` says what is learnt from: ``sft`` from the gold SQL of the data set, the others from
    answers that were sampled and judged (`make sample`): ``rft`` from the right ones, ``dpo`` from
    pairs of a right and a wrong one, ``kto`` from both on their own.
    With `shared_schema`, rows about one schema become one sequence: `train/shared_schema.py`.
    `retrieval` names a file of `configs/rag/` by which solved questions are found and shown in each
    training prompt, as a row's `retrieval` does at evaluation: `train/examples.py`.
    `effective_batch` is the rows of a step over all processes; a recipe that says it is trained on
    any number of GPUs (`train/layout.py`).
    """

    method: Literal["lora", "qlora", "full"]
    objective: Literal["sft", "rft", "dpo", "kto"] = "sft"
    launch: Launch = Launch()
    shared_schema: bool = False
    retrieval: Annotated[str, file_of("rag")] | None = None
    effective_batch: int | None = Field(default=None, ge=1)
    llamafactory: dict[str, Any]

    @model_serializer(mode="wrap")
    def _only_what_is_set(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = serialize(self)
        for name in ("effective_batch", "retrieval"):
            if values[name] is None:  # trainings without one keep the key that they had
                del values[name]
        if self.objective == "sft":
            del values["objective"]
        return values

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
        if self.objective in PREFERENCE:
            self._check_preference()
        if self.retrieval:
            self._check_retrieval()
        if self.shared_schema:
            self._check_shared_schema()
        if self.llamafactory.get("enable_liger_kernel"):
            self._check_liger()
        return self

    def _check_preference(self) -> None:
        if self.shared_schema:
            raise ValueError(
                f"objective '{self.objective}' compares whole answers, and shared_schema joins them"
                " into one sequence; remove shared_schema"
            )
        for key in ("packing", "neat_packing"):
            if self.llamafactory.get(key):
                raise ValueError(
                    f"objective '{self.objective}' does not go with 'llamafactory.{key}'; remove it"
                )
        if self.launch.backend == "megatron":
            raise ValueError(
                f"objective '{self.objective}' does not go with Megatron; use backend 'deepspeed'"
            )

    def _check_retrieval(self) -> None:
        if self.objective != "sft":
            raise ValueError(
                f"objective '{self.objective}' does not go with retrieval: its answers were sampled"
                " without examples; remove one"
            )
        if self.shared_schema:
            raise ValueError(
                "shared_schema does not go with retrieval: the examples of each question stand"
                " before the schema; remove one"
            )

    def _check_liger(self) -> None:
        """Its fused loss reads the output layer's weights without asking who holds them."""
        if self.launch.backend == "megatron":
            raise ValueError("enable_liger_kernel has no effect under Megatron; remove it")
        if self.zero_stage == 3 or self.tensor_parallel > 1:
            raise ValueError(
                "enable_liger_kernel needs whole weights on every GPU; train without DeepSpeed or"
                " with configs/deepspeed/zero2.json"
            )

    def _check_shared_schema(self) -> None:
        keys = self.llamafactory
        if self.launch.backend == "megatron":
            raise ValueError("shared_schema does not go with Megatron, which takes no mask of ours")
        for key in NOT_WITH_SHARED_SCHEMA:
            if keys.get(key):
                raise ValueError(f"shared_schema does not go with 'llamafactory.{key}'; remove one")
        if keys.get("flash_attn", "auto") not in ("auto", "sdpa"):
            raise ValueError("shared_schema needs 'llamafactory.flash_attn: sdpa'")
        batches = ["per_device_train_batch_size"]
        if keys.get("val_size") or keys.get("eval_dataset"):
            batches.append("per_device_eval_batch_size")
        for key in batches:
            if keys.get(key) != 1:
                raise ValueError(
                    f"shared_schema needs 'llamafactory.{key}: 1': a sequence is a batch already;"
                    " use gradient_accumulation_steps for more"
                )

    def environment(self) -> dict[str, str]:
        """Variables by which LLaMA-Factory starts torchrun and Megatron."""
        variables = dict(self.launch.environment)
        if self.launch.backend != "single":
            variables |= {"FORCE_TORCHRUN": "1", "NPROC_PER_NODE": str(self.launch.processes)}
        if self.launch.backend == "megatron":
            variables["USE_MCA"] = "1"
        if self.shared_schema:
            variables[SHARED_SCHEMA_VARIABLE] = "1"
        return variables

    def source_files(self) -> tuple[Path, ...]:
        """Files besides the recipe that decide the result: DeepSpeed's config."""
        named = self.llamafactory.get("deepspeed")
        return (repository_root() / named,) if named else ()

    def changed(self, overrides: Mapping[str, Any], source: str = "recipe") -> Recipe:
        """Return this recipe with keys replaced; `source` names it where they do not agree.

        Raises:
            UserError: a value that does not go with the others.
        """
        values = self._replaced(overrides)
        if not BATCH_KEYS.isdisjoint(overrides):
            values.pop("effective_batch", None)  # whoever says how it is split says what it is
        return check_config(values, Recipe, source=f"{source} with {overrides_label(overrides)}")

    def laid_out(self, overrides: Mapping[str, Any]) -> Recipe:
        """Return this recipe with its batch split in another way; see `text2sql.train.layout`."""
        return check_config(self._replaced(overrides), Recipe, source="recipe for this machine")

    def _replaced(self, overrides: Mapping[str, Any]) -> dict[str, Any]:
        values = self.model_dump(mode="json")
        for key, value in overrides.items():
            section = values if key in OWN_KEYS else values[_section(key)]
            if value is None:
                section.pop(key, None)
            else:
                section[key] = value
        return values

    @property
    def kind(self) -> str:
        """The kind of stage that trains by this recipe, which is also its command."""
        return f"train-{self.method if self.objective == 'sft' else self.objective}"

    @property
    def sequences_of_row(self) -> int:
        """How many sequences a row becomes: DPO reads the right and the wrong answer."""
        return 2 if self.objective == "dpo" else 1

    @property
    def zero_stage(self) -> int:
        """DeepSpeed's ZeRO stage; 0 without DeepSpeed."""
        if self.launch.backend != "deepspeed":
            return 0
        return int(read_json(self.source_files()[0])["zero_optimization"]["stage"])

    @property
    def tensor_parallel(self) -> int:
        """How many processes share one copy of the layers (Megatron's or DeepSpeed's AutoTP)."""
        if self.launch.backend == "megatron":
            return int(self.llamafactory.get("tensor_model_parallel_size", 1))
        if self.launch.backend == "deepspeed":
            config = read_json(self.source_files()[0])
            return int(config.get("tensor_parallel", {}).get("autotp_size", 1))
        return 1

    @property
    def pipeline_parallel(self) -> int:
        """How many groups of processes hold consecutive layers (Megatron only)."""
        return int(self.llamafactory.get("pipeline_model_parallel_size", 1))

    @property
    def cutoff(self) -> int:
        """Most tokens of a sequence; here and below with LLaMA-Factory's defaults."""
        return int(self.llamafactory.get("cutoff_len", 2048))

    @property
    def batch(self) -> int:
        """Sequences of a micro-batch."""
        return int(self.llamafactory.get("per_device_train_batch_size", 8))

    @property
    def accumulation(self) -> int:
        """Micro-batches of a step."""
        return int(self.llamafactory.get("gradient_accumulation_steps", 1))

    @property
    def packed(self) -> bool:
        """Whether several rows make up a sequence."""
        return bool(self.llamafactory.get("packing") or self.llamafactory.get("neat_packing"))

    @property
    def seed(self) -> int:
        """The trainer's seed."""
        return int(self.llamafactory.get("seed", 42))


def _section(key: str) -> str:
    return "launch" if key in LAUNCH_KEYS else "llamafactory"


def recipes_for(model: str) -> list[str]:
    """Return the names of the shipped recipes that are named after a model."""
    names = sorted(path.stem for path in config_path("train", "any").parent.glob("*.yaml"))
    return [name for name in names if model.startswith(model_named_in(name))]


def model_named_in(recipe: str) -> str:
    """Return the beginning of a model's name that stands in the name of a shipped recipe."""
    return config_name(recipe).partition("_")[0]


def load_recipe(name: str, overrides: Mapping[str, Any] | None = None) -> Recipe:
    """Load a recipe, with some of LLaMA-Factory's keys replaced or added.

    Args:
        name: of a file in `configs/train/`, or the path of a YAML file.
        overrides: LLaMA-Factory keys and values; None as a value removes the key. The keys
            ``processes`` and ``backend`` are those of `Launch`, `OWN_KEYS` are of `Recipe` itself.

    Raises:
        UserError: no such file, or a wrong key or value.
    """
    path = config_path("train", name)
    recipe = load_config(path, Recipe)
    copies = recipe.launch.processes / (recipe.tensor_parallel * recipe.pipeline_parallel)
    total = recipe.batch * recipe.accumulation * copies
    if recipe.effective_batch not in (None, total):
        raise UserError(
            f"{path}: effective_batch {recipe.effective_batch} is not {recipe.batch} a device x"
            f" {recipe.accumulation} steps accumulated x {copies:g} replicas"
        )
    if not overrides:
        return recipe
    return recipe.changed(overrides, source=str(path))


def recipe_of(config: Mapping[str, Any]) -> Recipe:
    """Return the recipe in a training stage's config."""
    return Recipe.model_validate({k: v for k, v in config.items() if k != "template"})


def parse_overrides(assignments: Iterable[str]) -> dict[str, Any]:
    """Read ``key=value`` texts, each value as YAML would (``2e-4`` is a number here as well).

    Raises:
        UserError: a text without ``=``, or a value that is not YAML.
    """
    found: dict[str, Any] = {}
    for text in assignments:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise UserError(f"'{text}': expected key=value, such as learning_rate=1e-4")
        try:
            found[key.strip()] = _number(yaml.safe_load(value))
        except yaml.YAMLError:
            raise UserError(f"'{text}': the value is not YAML") from None
    return found


def _number(value: Any) -> Any:
    """YAML 1.1 reads 2e-4, which has no point, as a text."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value
