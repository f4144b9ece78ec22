"""Commands that run stages: ``reproduce``, ``plan`` and ``stage``."""

from __future__ import annotations

from typing import Any

import click

from text2sql.cli.options import run_options
from text2sql.errors import UserError
from text2sql.pipeline.command import run_command, select_run, trainings
from text2sql.pipeline.doctor import describe, examine, waiting
from text2sql.pipeline.downloads import download_all
from text2sql.pipeline.plan import describe_plan
from text2sql.pipeline.registry import commands
from text2sql.train.dry_run import dry_run as describe_training
from text2sql.train.stage import KIND_NAMES

LAST_STAGE = "figures"  # of what `reproduce` runs


@click.command()
@run_options
def reproduce(**options: Any) -> None:
    """Run the whole chain of a profile: data to results table and chart."""
    run_command(LAST_STAGE, **options)


@click.command()
@click.argument("stages", nargs=-1)
@run_options
def plan(stages: tuple[str, ...], **options: Any) -> None:
    """Print what `reproduce`, or bringing STAGES up to date, would run; run nothing.

    STAGES are kinds or names of stages. Each stage is shown with its state, inputs, output and
    launch line.
    """
    click.echo(describe_plan(select_run(**options), list(stages) or [LAST_STAGE]))


@click.command()
@click.argument("stages", nargs=-1)
@run_options
def doctor(stages: tuple[str, ...], **options: Any) -> None:
    """Check what `reproduce`, or bringing STAGES up to date, needs of this machine; run nothing.

    Environments, GPUs, memory, disk, data, models, compilers: a table, in which each failure has
    the command that mends it. Stages that are up to date need nothing.
    """
    graph = select_run(**options)
    to_run = waiting(graph.select(list(stages) or [LAST_STAGE]))
    checks = examine(graph, to_run)
    click.echo(describe(checks))
    failed = sum(check.failed for check in checks)
    if failed:
        raise UserError(f"{failed} of {len(checks)} checks failed; the table says what to do")
    click.echo(f"all {len(checks)} checks are good; {len(to_run)} stages are to run")


@click.command()
@run_options
def download(**options: Any) -> None:
    """Get the data sets and models that a profile needs; run it again to go on.

    Data sets, the base model, and where rows retrieve examples the embedding model and reranker.
    Sizes are printed first; each is checked, and appears whole or not at all.
    """
    download_all(**options)


class _StageCommands(click.Group):
    """One command for each kind of stage that has one; see `text2sql.pipeline.registry`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(commands())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        kinds = commands().get(cmd_name)
        if kinds is None:
            return None
        text = next(kind.help for kind in kinds if kind.name == cmd_name)
        make = _train_command if cmd_name in KIND_NAMES else _stage_command
        return make(cmd_name, f"{text[0].upper()}{text[1:]}.")


@click.group(cls=_StageCommands)
def stage() -> None:
    """Bring stages of one kind up to date, with all they need."""


def _stage_command(name: str, text: str) -> click.Command:
    @click.command(name, help=text)
    @run_options
    def command(**options: Any) -> None:
        run_command(name, **options)

    return command


def _train_command(name: str, text: str) -> click.Command:
    @click.command(name, help=text)
    @run_options
    @click.option("--dry-run", is_flag=True, help="Print batch, steps, memory, time; run nothing.")
    @click.option("--gpu", help="With --dry-run: the GPU to plan for, such as rtx-4090 or h100.")
    @click.option(
        "--assume-rows", type=click.IntRange(min=1), help="With --dry-run: rows of the dataset."
    )
    def command(dry_run: bool, gpu: str | None, assume_rows: int | None, **options: Any) -> None:
        graph = select_run(**options)
        if dry_run:
            for training in graph.select(trainings(name, graph)):
                if training.kind == name:
                    profile = graph.run.profile
                    click.echo(describe_training(training, profile, gpu, assume_rows))
        else:
            run_command(name, **options)

    return command
