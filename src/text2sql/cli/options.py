"""The options that say which run is meant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from text2sql.profile import DEFAULT_PROFILE

PATH = click.Path(path_type=Path)


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of `text2sql.pipeline.command.select_run` to a command."""
    options = [
        click.option(
            "--profile", default=DEFAULT_PROFILE, show_default=True, help="Name or YAML file."
        ),
        click.option("--dataset", help="Name or YAML file; default: the profile's."),
        click.option(
            "--limit", type=click.IntRange(min=1), help="At most so many rows and questions."
        ),
        click.option("--recipe", help="A training recipe besides those of the profile."),
        click.option(
            "--set",
            "assignments",
            multiple=True,
            metavar="KEY=VALUE",
            help="Replace a LLaMA-Factory key of --recipe; gives a row of its own.",
        ),
        click.option(
            "--machine", help="Name or YAML file; default: the profile's, with the GPUs here."
        ),
        click.option("--row", help="With infer and eval: only this row of the table."),
        click.option("--rows", help="Optional rows of the profile: names with commas, or all."),
    ]
    for option in reversed(options):
        command = option(command)
    return command
