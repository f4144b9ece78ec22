"""``text2sql release``: a tuned model for others, its card and the way to the hub."""

from __future__ import annotations

from typing import Any

import click

from text2sql.cli.options import run_options
from text2sql.paths import shown
from text2sql.pipeline.command import select_run
from text2sql.release.contents import CARD, Release, load_release


@click.group()
def release() -> None:
    """A tuned model for others: its card, and sending it to the hub."""


@release.command()
@run_options
def card(**options: Any) -> None:
    """Write the card of a tuned row (--row) from the run's record."""
    from text2sql.release.card import write_card  # loads the hub's client

    chosen = _release(options)
    write_card(chosen)
    click.echo(f"card: {shown(chosen.folder / CARD)}")


@release.command()
@run_options
@click.option("--repo", help="The model's name on the hub: owner/name.")
@click.option("--public", is_flag=True, help="Where it is made, make it public.")
@click.option("--yes", is_flag=True, help="Send without asking.")
def push(repo: str | None, public: bool, yes: bool, **options: Any) -> None:
    """Send model, adapter, GGUF files, record and card of a tuned row to the hub."""
    from text2sql.release import push as hub
    from text2sql.release.card import write_card

    repository, token = hub.require_repository(repo), hub.require_token()
    chosen = _release(options)
    hub.require_repeatable(chosen)
    write_card(chosen, repository)
    click.echo(hub.describe(chosen, repository, public))
    hub.agree(yes)
    click.echo(f"sent: {hub.push(chosen, repository, token, public)}")


def _release(options: dict[str, Any]) -> Release:
    return load_release(select_run(**options), options["row"])
