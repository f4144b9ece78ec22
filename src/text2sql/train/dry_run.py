"""The dry run of a training: config, batch, steps, tokens, memory and time, before any GPU is paid.

It refuses a recipe that cannot fit, and names a change with which it would.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from textwrap import indent
from typing import Any

import yaml

from text2sql.errors import UserError
from text2sql.files import GIB, read_json
from text2sql.models.hub import hub_config
from text2sql.paths import local_model, shown
from text2sql.profile import Profile
from text2sql.records import read_manifest
from text2sql.stage import Stage
from text2sql.train.architecture import Architecture
from text2sql.train.checks import check_keys
from text2sql.train.device import Machine, machine_for
from text2sql.train.launch import launch_line
from text2sql.train.lengths import Lengths, count_cut, measure_lengths
from text2sql.train.memory import Memory, estimate_memory, trained_parameters
from text2sql.train.nodes import Nodes, this_node
from text2sql.train.objectives import data_folder
from text2sql.train.recipe import Recipe, overrides_label, recipe_of
from text2sql.train.schedule import Schedule, plan_schedule, replicas

ASSUMED_ROWS = 10_000
ASSUMED_PROMPT, ASSUMED_ANSWER = 280, 40  # tokens; about what the public sets have
NO_SHORTER_THAN_ANY_CUTOFF = 1_000_000


def dry_run(
    stage: Stage,
    profile: Profile,
    gpu: str | None = None,
    rows: int | None = None,
) -> str:
    """Describe a training stage.

    Args:
        stage: of kind ``train-...``.
        profile: the profile it belongs to.
        gpu: a key of `GPUS`; by default the GPU that is here, else one with the profile's memory.
        rows: rows of the dataset; by default those of the prepared data, and where there are none
            a round number that the output names as assumed.

    Returns:
        Lines to print.

    Raises:
        UserError: the recipe cannot run so: LLaMA-Factory does not take a key or value, it does not
            fit, or its processes cannot be split.
    """
    recipe = recipe_of(stage.config)
    nodes = this_node() if recipe.launch.backend != "single" else Nodes()
    # Megatron's keys are LLaMA-Factory's only with mcore_adapter, where the training itself asks.
    if recipe.launch.backend != "megatron":
        check_keys(recipe, stage.name)
    lengths, source = _lengths(stage, rows)
    schedule = plan_schedule(recipe, lengths, nodes.count)
    model = architecture_of(stage, profile)
    machine = machine_for(profile.machine, gpu)
    memory = estimate_memory(recipe, model, schedule.micro_batch_tokens, nodes.count)
    lines = [
        f"{stage.name}: dry run, nothing is started",
        f"launch:     {launch_line(stage, nodes)}",
        f"model:      {profile.model.name}, {model.parameters / 1e9:.3f}e9 parameters,"
        f" {trained_parameters(recipe, model) / 1e6:.1f}e6 trained",
        f"machine:    {nodes.count * recipe.launch.processes} x {machine.name}"
        f" ({machine.memory / GIB:.0f} GiB each)",
        f"data:       {source}",
        *_batch_lines(recipe, schedule, nodes.count),
        f"memory:     {memory.describe()} a device, with every row as long as the longest",
        f"time:       {_time_line(recipe, model, schedule, machine, nodes.count)}",
        "keys:",
        indent(yaml.safe_dump(recipe.llamafactory, sort_keys=False).rstrip(), "  "),
    ]
    cut = count_cut(lengths, recipe.cutoff).describe(recipe.cutoff)
    if cut and "ssumed" not in source:
        lines.append(f"warning:    {cut}")
    lines += _fit_lines(recipe, model, lengths, machine, nodes.count, profile.machine.gpus)
    return "\n".join(lines)


def fit(stage: Stage, profile: Profile, gpu: str | None = None) -> str:
    """Return in a line whether a training fits the memory of a device.

    Args:
        stage: of kind ``train-...``.
        profile: the profile it belongs to.
        gpu: see `dry_run`.

    Raises:
        UserError: it does not, or its processes cannot be split; the message names a change.
    """
    recipe = recipe_of(stage.config)
    nodes = this_node().count if recipe.launch.backend != "single" else 1
    lengths, _ = _lengths(stage, None)
    model = architecture_of(stage, profile)
    machine, gpus = machine_for(profile.machine, gpu), profile.machine.gpus
    (line,) = _fit_lines(recipe, model, lengths, machine, nodes, gpus)
    return " ".join(line.split())


def changes(recipe: Recipe, gpus: int) -> Iterator[dict[str, Any]]:
    """Yield overrides by which a recipe needs less memory; first what changes its result least.

    Args:
        recipe: the recipe.
        gpus: how many of each machine it may use.
    """
    keys, batch, accumulation = recipe.llamafactory, recipe.batch, recipe.accumulation
    liger = bool(keys.get("enable_liger_kernel"))
    smaller: list[dict[str, Any]] = [{}]
    while batch % 2 == 0:
        batch, accumulation = batch // 2, accumulation * 2
        smaller.append(
            {"per_device_train_batch_size": batch, "gradient_accumulation_steps": accumulation}
        )
    ways: list[dict[str, Any]] = [{}]
    if keys.get("disable_gradient_checkpointing"):
        ways.append({"disable_gradient_checkpointing": False})
    megatron = recipe.launch.backend == "megatron"  # which reads no optim
    if recipe.method == "full" and not (megatron or str(keys.get("optim", "")).endswith("8bit")):
        ways += [way | {"optim": "adamw_8bit"} for way in list(ways)]
    if recipe.zero_stage == 2 and recipe.tensor_parallel == 1 and not liger:
        ways.append({"deepspeed": "configs/deepspeed/zero3.json"})
    if not (megatron or liger or recipe.zero_stage == 3 or recipe.tensor_parallel > 1):
        ways += [
            way | {"enable_liger_kernel": True} for way in list(ways) if "deepspeed" not in way
        ]
    if recipe.launch.backend != "single" and recipe.launch.processes * 2 <= gpus:
        ways += [way | {"processes": recipe.launch.processes * 2} for way in list(ways)]
    yield from (way | change for way in ways for change in smaller if way or change)


def _fit_lines(
    recipe: Recipe, model: Architecture, lengths: Lengths, machine: Machine, nodes: int, gpus: int
) -> list[str]:
    """Say whether it fits; raise UserError where it does not even with rows of usual length."""

    def needs(tried: Recipe) -> tuple[Memory, Memory]:
        """With the longest rows, and with rows of usual length."""
        schedule = plan_schedule(tried, lengths, nodes)
        tokens = (schedule.micro_batch_tokens, schedule.usual_tokens)
        most, usual = (estimate_memory(tried, model, count, nodes) for count in tokens)
        return most, usual

    most, usual = needs(recipe)
    if most.total <= machine.memory:
        return [f"fits:       yes, {(machine.memory - most.total) / GIB:.1f} GiB left"]
    tried = [(change, needs(recipe.changed(change))) for change in changes(recipe, gpus)]
    fitting = [
        (change, memory[kind])
        for kind in (0, 1)  # rather one with which the longest rows fit as well
        for change, memory in tried
        if memory[kind].total <= machine.memory
    ]
    hint = f"no change of batch, optimizer or sharding does; {_other_method(recipe)}"
    if fitting:
        label = overrides_label(fitting[0][0]).replace(",", " ")
        hint = f'SET="{label}" would ({fitting[0][1].total / GIB:.1f} GiB)'
    if usual.total > machine.memory:
        raise UserError(
            f"recipe needs about {usual.describe()} on each device and {machine.name} has"
            f" {machine.memory / GIB:.0f} GiB; {hint}"
        )
    return [
        f"warning:    fits with rows of usual length ({usual.total / GIB:.1f} GiB), but a batch"
        f" of the longest rows may not; {hint}"
    ]


def _other_method(recipe: Recipe) -> str:
    if recipe.method == "full" and recipe.launch.backend == "megatron":
        return (
            "Megatron keeps its optimizer in float32: take a recipe for DeepSpeed with optim"
            " adamw_8bit (of this model with 'full-zero2' in its name, if there is one), or more or"
            " larger GPUs"
        )
    if recipe.method == "full":
        return "train LoRA adapters instead (make train-lora), or use more or larger GPUs"
    if recipe.method == "lora":
        return "load the base in 4 bits instead (make train-qlora), or use a larger GPU"
    return "lower cutoff_len, or use a larger GPU"


def _lengths(stage: Stage, rows: int | None) -> tuple[Lengths, str]:
    prepared, model = stage.inputs["data"].output, stage.inputs["model"].output
    if rows is None and read_manifest(prepared) is not None:
        data = data_folder(recipe_of(stage.config), prepared)
        lengths = measure_lengths(data, stage.config["template"], model)
        how = "counted by the model's tokenizer" if lengths.counted else "lengths estimated"
        return lengths, f"{len(lengths.prompts)} rows of {shown(data)}, {how}"
    count = rows or ASSUMED_ROWS
    # One row as long as the cutoff allows, for the memory at the worst.
    prompts = [*[ASSUMED_PROMPT] * (count - 1), NO_SHORTER_THAN_ANY_CUTOFF]
    lengths = Lengths(prompts, [ASSUMED_ANSWER] * count, counted=False)
    what = (
        "as given"
        if rows
        else "ASSUMED: the data is not prepared; run make data, or set ASSUME_ROWS="
    )
    return lengths, (
        f"{count} rows ({what}) of {ASSUMED_PROMPT} + {ASSUMED_ANSWER} tokens (assumed)"
    )


def architecture_of(stage: Stage, profile: Profile) -> Architecture:
    """Return the sizes of the model that a stage reads.

    Args:
        stage: one with the base model among its inputs.
        profile: the profile it belongs to.

    Raises:
        UserError: the model is not known, neither here, nor in the profile, nor on the hub.
    """
    path = stage.inputs["model"].output / "config.json"
    known = Architecture.from_config(read_json(path)) if path.is_file() else model_sizes(profile)
    if known:
        return known
    from_hub = hub_config(profile.model.path_or_hub_id, profile.model.revision)
    if from_hub:
        return Architecture.from_config(from_hub)
    raise UserError(
        f"the size of model '{profile.model.name}' is not known: neither the model nor the hub is"
        " at hand; run: make model, or set the model's architecture"
    )


def model_sizes(profile: Profile) -> Architecture | None:
    """Return the sizes of a profile's model, as far as files here tell them."""
    folder = local_model(profile.model.path_or_hub_id)
    if folder and (folder / "config.json").is_file():
        return Architecture.from_config(read_json(folder / "config.json"))
    if profile.model.architecture:
        return _sizes(json.dumps(profile.model.architecture))
    return None


@cache
def _sizes(architecture: str) -> Architecture:
    """Return the sizes in a config's JSON; transformers takes a while to work them out."""
    return Architecture.from_config(json.loads(architecture))


def _batch_lines(recipe: Recipe, schedule: Schedule, nodes: int) -> list[str]:
    epochs = recipe.llamafactory.get("num_train_epochs", 3)
    return [
        f"batch:      {schedule.effective_batch} = {recipe.batch} a device x"
        f" {recipe.accumulation} steps accumulated x {replicas(recipe, nodes)} replicas (tensor"
        f" parallel {recipe.tensor_parallel}, pipeline {recipe.pipeline_parallel},"
        f" ZeRO {recipe.zero_stage or 'none'})",
        f"steps:      {schedule.steps} over {epochs} epochs of {schedule.rows} sequences of"
        f" {schedule.mean_length:.0f} tokens",
        f"tokens:     {schedule.tokens:,}",
    ]


def _time_line(
    recipe: Recipe, model: Architecture, schedule: Schedule, machine: Machine, nodes: int
) -> str:
    keys = recipe.llamafactory
    per_token = model.training_flops(
        round(schedule.mean_length),
        train_weights=recipe.method == "full",
        recompute=recipe.launch.backend != "megatron"
        and not keys.get("disable_gradient_checkpointing", False),
    )
    if machine.peak is None:
        return f"not known: no data sheet of {machine.name} in our table; give GPU="
    # Tensor-parallel processes share the work of a token, so every device counts.
    devices = recipe.launch.processes * nodes
    ideal = schedule.tokens * per_token / (machine.peak * devices)
    low, high = machine.utilization
    return (
        f"{_duration(ideal / high)} to {_duration(ideal / low)} (at {high:.0%} to {low:.0%} of"
        f" {machine.peak / 1e12:.3g} TFLOP/s a device)"
    )


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d} min"
