"""What a command that runs stages does: from its options to a run, and the run up to date."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import click

from text2sql import hardware
from text2sql.config import load_config
from text2sql.errors import UserError
from text2sql.hardware import MachineConfig
from text2sql.paths import config_name, config_path
from text2sql.pipeline.doctor import require_ready
from text2sql.pipeline.multinode import join_trainings
from text2sql.pipeline.registry import build_graph, commands, stage_kinds
from text2sql.pipeline.scheduler import Scheduler
from text2sql.profile import Profile, load_profile
from text2sql.run import ALL_ROWS, Run
from text2sql.stage import Graph, Stage
from text2sql.train.dry_run import model_sizes
from text2sql.train.layout import describe, fits_as_written, layout
from text2sql.train.nodes import this_node
from text2sql.train.recipe import (
    load_recipe,
    model_named_in,
    parse_overrides,
    recipe_of,
    recipes_for,
)
from text2sql.train.stage import KIND_NAMES, is_training


def select_run(
    profile: str,
    dataset: str | None = None,
    limit: int | None = None,
    recipe: str | None = None,
    row: str | None = None,
    rows: str | None = None,
    assignments: tuple[str, ...] = (),
    machine: str | None = None,
    gguf_row: str | None = None,
    more_types: Sequence[str] = (),
) -> Graph:
    """Return the graph of the run that a command's options mean.

    Args:
        profile: name or YAML file of a profile.
        dataset: name or YAML file of a dataset; by default the profile's.
        limit: at most so many rows and questions.
        recipe: a training recipe besides those of the profile.
        row: a row of the table, which may be an optional one.
        rows: names of optional rows, with commas, or ``all``.
        assignments: ``key=value`` texts that replace keys of `recipe`.
        machine: name or YAML file of a machine; by default the profile's, with the cards here.
        gguf_row: the row whose model becomes GGUF files; by default the profile's.
        more_types: quantization types besides those of the profile.

    Raises:
        UserError: an option is wrong, or a config.
    """
    overrides = parse_overrides(assignments)
    if overrides and not recipe:
        raise UserError("--set changes keys of a recipe; name it with --recipe (make: RECIPE=)")
    optional = [name.strip() for name in (rows or "").split(",") if name.strip()]
    loaded = load_profile(profile)
    if recipe:
        require_recipe_of(loaded, recipe)
    for asked in (row, gguf_row):
        if asked in [one.name for one in loaded.optional_rows]:
            optional.append(str(asked))
    dataset = dataset or loaded.dataset
    run = Run(
        loaded,
        dataset,
        limit,
        recipe,
        profile,
        overrides,
        tuple(optional),
        gguf_row=gguf_row,
        more_types=tuple(more_types),
    )
    return build_graph(on_machine(run, machine))


def require_recipe_of(profile: Profile, recipe: str) -> None:
    """Raise UserError where a recipe is by its name one for another model than the profile's.

    A recipe in `configs/train/` is named after its model; those elsewhere may have any name.
    """
    path = config_path("train", recipe)
    if not path.is_file() or path.resolve().parent != config_path("train", "any").parent:
        return  # loading it says what is not there
    model, own = model_named_in(recipe), recipes_for(profile.model.name)
    if config_name(recipe) in own:
        return
    for_it = f"recipes for it: {', '.join(own)}" if own else "there is none for it"
    raise UserError(
        f"recipe '{recipe}' is for {model}, and the model of profile {profile.name} is"
        f" {profile.model.name}: set PROFILE= (--profile) to one of {model}, or copy the recipe to"
        f" a file of your own and give its path; {for_it}"
    )


def on_machine(run: Run, machine: str | None) -> Run:
    """Return a run with its trainings laid out for a machine.

    Args:
        run: one that names no machine yet.
        machine: see `select_run`.

    Raises:
        UserError: the machine's config is wrong, or a recipe.
    """
    if machine:
        there = load_config(config_path("machines", machine), MachineConfig)
    else:
        there = hardware.machine_here(run.profile.machine)
    if there == run.profile.machine:
        return run if there.gpus == 0 else replace(run, layouts=_layouts(run, there))
    return replace(
        run,
        machine_name=machine,
        hardware=there.model_dump(mode="json"),
        layouts=_layouts(run, there),
    )


def _layouts(run: Run, machine: MachineConfig) -> dict[str, dict[str, Any]]:
    """Return by each training's name the keys that a machine changes."""
    nodes = this_node().count
    changed: dict[str, dict[str, Any]] = {}
    recipes = {}
    for row in run.rows:
        if row.recipe:
            name, overrides = run.training(row)
            recipes[name] = load_recipe(row.recipe, overrides)
    for name, recipe in recipes.items():
        if machine.gpus and fits_as_written(recipe, machine.gpus, nodes):
            continue
        size = model_sizes(run.profile) if machine.gpus else None
        keys = layout(recipe, machine.gpus, machine.gpu_memory_gb, nodes, size)
        if keys:
            changed[name] = keys
    return changed


def bring_up_to_date(wanted: Sequence[str], **options: Any) -> Run:
    """Run the stages wanted, and all they need, that are not up to date; return the run.

    Args:
        wanted: names of stages, or kinds.
        options: see `select_run`.

    Raises:
        UserError: an option is wrong, the machine lacks what the profile needs, or a stage failed.
    """
    graph = select_run(**options)
    run, stages = graph.run, graph.select(wanted)
    for stage in stages:
        if stage.name.partition(":")[2] in run.layouts and is_training(stage):
            click.echo(f"{stage.name}: {describe(recipe_of(stage.config), this_node().count)}")
    require_ready(graph, stages)
    machine = run.machine
    workers = hardware.affordable_workers(machine.workers, machine.worker_memory_gb)
    if workers < machine.workers:
        click.echo(f"little memory: {workers} stages at a time instead of {machine.workers}")
    borrowed = graph.borrowed(stages)
    if graph.lender is not None and borrowed:
        Scheduler(graph.lender.run, workers).run(borrowed)
    Scheduler(run, workers).run(stages)
    return run


def run_command(name: str, **options: Any) -> None:
    """Do what the command of a kind of stage does, and print what the kind shows at its end.

    On another node than the first, the trainings among what it runs are joined, no more.

    Args:
        name: of the command.
        options: see `select_run`.
    """
    kinds = commands()[name]
    if name in ("knowledge-base", "retrieve"):
        options = options | {"rows": options["rows"] or ALL_ROWS}
    wanted = [kind.name for kind in kinds]
    if name in KIND_NAMES:
        wanted = trainings(name, select_run(**options))
    if options["row"]:
        if name not in ("infer", "eval"):
            raise UserError("--row goes with infer and eval; a table has all rows of its profile")
        wanted = [f"{kind}:{options['row']}" for kind in wanted]
    if this_node().rank > 0:
        graph = select_run(**options)
        join_trainings(graph, graph.select(wanted))
        return
    run = bring_up_to_date(wanted, **options)
    for stage in select_run(**options).select(wanted):
        if stage.name in wanted or stage.kind in wanted:
            show_result(stage)
    for kind in kinds:
        if kind.show:
            click.echo(kind.show(run))


def show_result(stage: Stage) -> None:
    """Print the line with the result of a stage that is up to date, if its kind has one."""
    result = stage_kinds()[stage.kind].result
    if result:
        click.echo(result(stage))


def trainings(kind: str, graph: Graph) -> list[str]:
    """Return the training stages that ``train-lora`` and its like mean: of the recipe, or all."""
    if not graph.run.recipe:
        return [kind]
    stage = graph[f"train:{graph.run.recipe_name}"]
    if stage.kind != kind:
        raise UserError(f"recipe '{graph.run.recipe}' is for {stage.kind}; run: make {stage.kind}")
    return [stage.name]
