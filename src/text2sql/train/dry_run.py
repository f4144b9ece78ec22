"""The dry run of a training: config, batch, steps, tokens, memory and time, before any GPU is paid.

It refuses a recipe that cannot fit, and names a change with which it would.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from textwrap import indent
from typing import Any

import yaml

from text2sql import hardware
from text2sql.errors import UserError
from text2sql.files import GIB, read_json
from text2sql.models.hub import hub_config
from text2sql.paths import local_model, shown
from text2sql.profile import Profile
from text2sql.records import read_manifest
from text2sql.stage import Stage
from text2sql.train.architecture import Architecture
from text2sql.train.launch import launch_line
from text2sql.train.lengths import Lengths, count_cut, measure_lengths
from text2sql.train.memory import Memory, estimate_memory, trained_parameters
from text2sql.train.nodes import this_node
from text2sql.train.recipe import Recipe, overrides_label, recipe_of
from text2sql.train.schedule import GPUS, UTILIZATION, Schedule, plan_schedule, replicas

ASSUMED_ROWS = 10_000
ASSUMED_PROMPT, ASSUMED_ANSWER = 280, 40  # tokens; about what the public sets have
NO_SHORTER_THAN_ANY_CUTOFF = 1_000_000
CPU_PROBE_SECONDS = 0.3
# Of the speed of one large matrix product, what training on a CPU reaches; see docs/training.md.
CPU_UTILIZATION = (0.3, 0.9)


@dataclass(frozen=True)
class Machine:
    """What a recipe is to run on: devices of one kind."""

    name: str
    memory: float  # bytes of one device
    peak: float  # floating-point operations a second of one device
    utilization: tuple[float, float]


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
        UserError: the recipe cannot run so: it does not fit, or its processes cannot be split.
    """
    recipe = recipe_of(stage.config)
    nodes = this_node()
    lengths, source = _lengths(stage, rows)
    schedule = plan_schedule(recipe, lengths, nodes.count)
    model = architecture_of(stage, profile)
    machine = _machine(profile, gpu)
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
    lines += _fit_lines(recipe, model, lengths, machine, nodes.count)
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
    recipe, nodes = recipe_of(stage.config), this_node().count
    lengths, _ = _lengths(stage, None)
    model = architecture_of(stage, profile)
    (line,) = _fit_lines(recipe, model, lengths, _machine(profile, gpu), nodes)
    return " ".join(line.split())


def changes(recipe: Recipe) -> Iterator[dict[str, Any]]:
    """Yield overrides by which a recipe needs less memory; first what changes its result least."""
    keys, batch, accumulation = recipe.llamafactory, recipe.batch, recipe.accumulation
    smaller: list[dict[str, Any]] = [{}]
    while batch % 2 == 0:
        batch, accumulation = batch // 2, accumulation * 2
        smaller.append(
            {"per_device_train_batch_size": batch, "gradient_accumulation_steps": accumulation}
        )
    ways: list[dict[str, Any]] = [{}]
    if keys.get("disable_gradient_checkpointing"):
        ways.append({"disable_gradient_checkpointing": False})
    if recipe.method == "full" and not str(keys.get("optim", "")).endswith("8bit"):
        ways += [way | {"optim": "adamw_8bit"} for way in list(ways)]
    if recipe.zero_stage == 2 and recipe.tensor_parallel == 1:
        ways.append({"deepspeed": "configs/deepspeed/zero3.json"})
    if recipe.launch.backend != "single":
        ways += [way | {"processes": recipe.launch.processes * 2} for way in list(ways)]
    yield from (way | change for way in ways for change in smaller if way or change)


def _fit_lines(
    recipe: Recipe, model: Architecture, lengths: Lengths, machine: Machine, nodes: int
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
    tried = [(change, needs(recipe.changed(change))) for change in changes(recipe)]
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
    if recipe.method == "full":
        return "train LoRA adapters instead (make train-lora), or use more or larger GPUs"
    if recipe.method == "lora":
        return "load the base in 4 bits instead (make train-qlora), or use a larger GPU"
    return "lower cutoff_len, or use a larger GPU"


def _lengths(stage: Stage, rows: int | None) -> tuple[Lengths, str]:
    data, model = stage.inputs["data"].output, stage.inputs["model"].output
    if rows is None and read_manifest(data) is not None:
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
    folders = (stage.inputs["model"].output, local_model(profile.model.path_or_hub_id))
    configs = [folder / "config.json" for folder in folders if folder]
    there = [path for path in configs if path.is_file()]
    if there:
        return Architecture.from_config(read_json(there[0]))
    if profile.model.architecture:
        return Architecture.from_config(profile.model.architecture)
    from_hub = hub_config(profile.model.path_or_hub_id, profile.model.revision)
    if from_hub:
        return Architecture.from_config(from_hub)
    raise UserError(
        f"the size of model '{profile.model.name}' is not known: neither the model nor the hub is"
        " at hand; run: make model, or set the model's architecture"
    )


def _machine(profile: Profile, gpu: str | None) -> Machine:
    if gpu is not None and gpu not in GPUS:
        raise UserError(f"no GPU '{gpu}' in our table; there are: {', '.join(GPUS)}")
    if gpu is None and profile.machine.device == "cpu":
        memory = hardware.memory_gb() * GIB
        return Machine("CPU", memory, _cpu_speed(profile.machine.threads), CPU_UTILIZATION)
    if gpu is None:
        gpu = _gpu_here()
    if gpu is None:
        large = [name for name in GPUS if GPUS[name][1] >= profile.machine.gpu_memory_gb]
        gpu = min(large, key=lambda name: GPUS[name][1], default="h200")
    peak, memory_gib = GPUS[gpu]
    return Machine(gpu, memory_gib * GIB, peak * 1e12, UTILIZATION)


def _gpu_here() -> str | None:
    """The key in `GPUS` of the first GPU of this machine."""
    for name, memory in hardware.visible_gpus()[:1]:
        plain = name.lower().replace(" ", "-")
        fitting = [key for key in GPUS if key.split("-")[-1 if "rtx" in key else 0] in plain]
        return min(fitting, key=lambda key: abs(GPUS[key][1] - memory), default=None)
    return None


def _cpu_speed(threads: int) -> float:
    """Measure one matrix product here, in floating-point operations a second."""
    import torch

    torch.set_num_threads(threads)
    size = 768
    a, b = (torch.randn(size, size, dtype=torch.bfloat16) for _ in range(2))
    a @ b
    started, products = time.perf_counter(), 0
    while (spent := time.perf_counter() - started) < CPU_PROBE_SECONDS:
        a @ b
        products += 1
    return products * 2 * size**3 / spent


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
