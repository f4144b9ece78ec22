"""The dry run of a training: config, batch, steps, tokens, memory and time, before any GPU is paid.

It refuses a recipe that cannot fit, and names a change with which it would.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from text2sql import hardware
from text2sql.errors import UserError
from text2sql.files import read_json
from text2sql.models.hub import hub_config
from text2sql.paths import local_model, shown
from text2sql.profile import Profile
from text2sql.records import read_manifest
from text2sql.stage import Stage
from text2sql.train.architecture import Architecture
from text2sql.train.launch import launch_line
from text2sql.train.lengths import Lengths, count_cut, measure_lengths
from text2sql.train.memory import GIB, Memory, estimate_memory
from text2sql.train.nodes import this_node
from text2sql.train.recipe import Recipe, overrides_label, recipe_of
from text2sql.train.schedule import GPUS, UTILIZATION, Schedule, plan_schedule, replicas

ASSUMED_ROWS = 10_000
ASSUMED_PROMPT, ASSUMED_ANSWER = 280, 40  # tokens; about what the public sets have
NO_SHORTER_THAN_ANY_CUTOFF = 1_000_000
TYPICAL_QUANTILE = 0.9  # of the lengths, for the memory that a recipe needs at the least
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
    model = _architecture(stage, profile)
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
        *_indented(yaml.safe_dump(recipe.llamafactory, sort_keys=False)),
    ]
    cutoff = int(recipe.llamafactory.get("cutoff_len", 2048))
    cut = count_cut(lengths, cutoff).describe(cutoff)
    if cut and "ssumed" not in source:
        lines.append(f"warning:    {cut}")
    lines += _fit_lines(recipe, model, lengths, schedule, machine, nodes.count)
    return "\n".join(lines)


def trained_parameters(recipe: Recipe, model: Architecture) -> int:
    """Return how many parameters get gradients."""
    if recipe.method == "full":
        return model.parameters
    keys = recipe.llamafactory
    return model.adapter_parameters(int(keys.get("lora_rank", 8)), str(keys.get("lora_target")))


def changes_that_fit(
    recipe: Recipe, model: Architecture, tokens_of: Any, limit: float, nodes: int
) -> Iterator[tuple[dict[str, Any], Memory]]:
    """Yield overrides with which a recipe fits, those that change the result least first.

    Args:
        recipe: the recipe that does not fit.
        model: the model's sizes.
        tokens_of: gives the tokens of a micro-batch of a recipe.
        limit: bytes of one device.
        nodes: machines that train together.
    """
    keys = recipe.llamafactory
    batch = int(keys.get("per_device_train_batch_size", 8))
    accumulation = int(keys.get("gradient_accumulation_steps", 1))
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
    for way in ways:
        for change in smaller:
            if not (changed := way | change):
                continue
            tried = recipe.changed(changed)
            memory = estimate_memory(tried, model, tokens_of(tried), nodes)
            if memory.total <= limit:
                yield changed, memory


def _fit_lines(
    recipe: Recipe,
    model: Architecture,
    lengths: Lengths,
    schedule: Schedule,
    machine: Machine,
    nodes: int,
) -> list[str]:
    """Say whether it fits; raise UserError where it does not even with rows of usual length."""

    def usual(tried: Recipe) -> int:
        planned = plan_schedule(tried, lengths, nodes)
        packed = tried.llamafactory.get("packing") or tried.llamafactory.get("neat_packing")
        if packed:
            return planned.micro_batch_tokens
        cutoff = int(tried.llamafactory.get("cutoff_len", 2048))
        ordered = sorted(min(row, cutoff) for row in lengths.rows)
        per_device = int(tried.llamafactory.get("per_device_train_batch_size", 8))
        return ordered[int(TYPICAL_QUANTILE * (len(ordered) - 1))] * per_device

    def longest(tried: Recipe) -> int:
        return plan_schedule(tried, lengths, nodes).micro_batch_tokens

    least = estimate_memory(recipe, model, usual(recipe), nodes)
    most = estimate_memory(recipe, model, schedule.micro_batch_tokens, nodes)
    change = next(
        itertools.chain(
            changes_that_fit(recipe, model, longest, machine.memory, nodes),
            changes_that_fit(recipe, model, usual, machine.memory, nodes),
        ),
        None,
    )
    hint = (
        f'SET="{overrides_label(change[0]).replace(",", " ")}" would'
        f" ({change[1].total / GIB:.1f} GiB)"
        if change
        else f"no change of batch, optimizer or sharding does; {_other_method(recipe)}"
    )
    if least.total > machine.memory:
        raise UserError(
            f"recipe needs about {least.describe()} on each device and {machine.name} has"
            f" {machine.memory / GIB:.0f} GiB; {hint}"
        )
    if most.total > machine.memory:
        return [
            f"warning:    fits with rows of usual length ({least.total / GIB:.1f} GiB), but a batch"
            f" of the longest rows may not; {hint}"
        ]
    return [f"fits:       yes, {(machine.memory - most.total) / GIB:.1f} GiB left"]


def _other_method(recipe: Recipe) -> str:
    if recipe.method == "full":
        return "train LoRA adapters instead (make train-lora), or use more or larger GPUs"
    if recipe.method == "lora":
        return "load the base in 4 bits instead (make train-qlora), or use a larger GPU"
    return "lower cutoff_len, or use a larger GPU"


def _lengths(stage: Stage, rows: int | None) -> tuple[Lengths, str]:
    data, model = stage.inputs["data"].output, stage.inputs["model"].output
    if rows is None and read_manifest(data) is not None:
        found = measure_lengths(data, stage.config["template"], model)
        how = "counted by the model's tokenizer" if found.counted else "lengths estimated"
        return found, f"{len(found.prompts)} rows of {shown(data)}, {how}"
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


def _architecture(stage: Stage, profile: Profile) -> Architecture:
    config = stage.inputs["model"].output / "config.json"
    if config.is_file():
        return Architecture.from_config(read_json(config))
    if profile.model.architecture:
        return Architecture.from_config(profile.model.architecture)
    folder = local_model(profile.model.path_or_hub_id)
    if folder and (folder / "config.json").is_file():
        return Architecture.from_config(read_json(folder / "config.json"))
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
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
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
    keys = recipe.llamafactory
    per_device = int(keys.get("per_device_train_batch_size", 8))
    accumulation = int(keys.get("gradient_accumulation_steps", 1))
    return [
        f"batch:      {schedule.effective_batch} = {per_device} a device x {accumulation} steps"
        f" accumulated x {replicas(recipe, nodes)} replicas (tensor parallel"
        f" {recipe.tensor_parallel}, pipeline {recipe.pipeline_parallel},"
        f" ZeRO {recipe.zero_stage or 'none'})",
        f"steps:      {schedule.steps} over {keys.get('num_train_epochs', 3)} epochs of"
        f" {schedule.rows} sequences of {schedule.mean_length:.0f} tokens",
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


def _indented(text: str) -> list[str]:
    return [f"  {line}" for line in text.splitlines()]
