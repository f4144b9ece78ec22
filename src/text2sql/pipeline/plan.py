"""Print what a run would do, without doing it."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from text2sql import hardware
from text2sql.errors import UserError
from text2sql.paths import shown
from text2sql.pipeline.keys import is_current
from text2sql.run import Run
from text2sql.stage import Graph, Stage
from text2sql.train.launch import launch_line as training_line
from text2sql.train.layout import describe
from text2sql.train.nodes import this_node
from text2sql.train.recipe import recipe_of
from text2sql.train.stage import is_training


def describe_plan(graph: Graph, wanted: list[str]) -> str:
    """Return the stages that would be brought up to date, each with state, folders, launch line.

    Args:
        graph: of the run.
        wanted: names of stages, or kinds.
    """
    run, nodes = graph.run, this_node()
    lines = [
        f"{run.profile.title}: profile {run.profile.name}, dataset {run.dataset_label}",
        f"machine: {_machine(run.machine)}",
        "",
    ]
    for number, stage in enumerate(graph.select(wanted), start=1):
        lines.append(f"{number:2}. {stage.name}  [{_state(stage)}]")
        for name, needed in stage.inputs.items():
            lines.append(f"      {name + ':':<16}{shown(needed.output)}")
        for source in stage.sources:
            lines.append(f"      {'reads:':<16}{shown(source)}")
        lines.append(f"      {'writes:':<16}{shown(stage.output)}")
        lines.append(f"      {'launch:':<16}{launch_line(graph, stage)}")
        if is_training(stage):
            recipe = recipe_of(stage.config)
            lines.append(f"      {'layout:':<16}{describe(recipe, nodes.count)}")
            lines.append(f"      {'which starts:':<16}{training_line(stage, nodes)}")
    return "\n".join(lines)


def launch_line(graph: Graph, stage: Stage) -> str:
    """Return the command that brings a stage up to date, as one would type it."""
    command = graph.kinds[stage.kind].command_name
    options = run_options(graph.run)
    key = stage.name.partition(":")[2]
    if command in ("infer", "eval"):
        options += ["--row", key]
    return shlex.join([shown(Path(sys.executable)), "-m", "text2sql", "stage", command, *options])


def run_options(run: Run) -> list[str]:
    """Return the options of a command that mean a run."""
    options = ["--profile", run.source or run.profile.name]
    if run.dataset != run.profile.dataset:
        options += ["--dataset", run.dataset]
    if run.limit:
        options += ["--limit", str(run.limit)]
    if run.recipe:
        options += ["--recipe", run.recipe]
    for key, value in run.overrides.items():
        options += ["--set", f"{key}={value}"]
    if run.machine_name:
        options += ["--machine", run.machine_name]
    if run.optional:
        options += ["--rows", ",".join(run.optional)]
    return options


def _state(stage: Stage) -> str:
    try:
        return "up to date" if is_current(stage) else "to run"
    except UserError as error:
        return f"cannot run: {error}"


def _machine(needed: hardware.MachineConfig) -> str:
    if not needed.gpus:
        return "no GPU needed"
    found = len(hardware.visible_gpus())
    return f"{needed.gpus} CUDA GPUs of {needed.gpu_memory_gb:.0f} GB needed, {found} here"
