"""The command line: ``text2sql``, or ``python -m text2sql``.

Groups are loaded when they are asked for, so that ``--help`` stays quick.
"""

from __future__ import annotations

import signal
import sys
from importlib import import_module
from typing import IO, Any

import click

from text2sql import __version__
from text2sql.errors import UserError

# Each command or group, with the module that has it (its name there: "-" becomes "_").
COMMANDS = {
    "reproduce": "text2sql.cli.run",
    "plan": "text2sql.cli.run",
    "stage": "text2sql.cli.run",
    "dataset": "text2sql.cli.dataset",
    "database": "text2sql.cli.database",
    "quantize": "text2sql.cli.models",
    "serve": "text2sql.cli.models",
    "serve-openai": "text2sql.cli.models",
    "results": "text2sql.cli.results",
}


class UsersMistake(click.ClickException):
    """One line on stderr and the exit status of a wrong call."""

    exit_code = 2

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the line."""
        click.echo(f"error: {self.message}", file=file, err=True)


class _Commands(click.Group):
    """The commands of `COMMANDS`; a UserError of any is shown as one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *self.commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return self.commands.get(cmd_name)
        found: click.Command = getattr(
            import_module(COMMANDS[cmd_name]), cmd_name.replace("-", "_")
        )
        return found

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except UserError as error:
            raise UsersMistake(str(error)) from None


@click.group(cls=_Commands)
@click.version_option(__version__, prog_name="text2sql")
def cli() -> None:
    """Fine-tune, infer and evaluate text-to-SQL models. Every stage runs what it needs first."""


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """Entry point; a user's mistake is one line on stderr and exit status 2.

    Being told to end, or a closed terminal, counts as Ctrl-C, so that stages are stopped then too.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        cli(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped; run the same command again to go on", err=True)
        sys.exit(130)
