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
from text2sql.files import write_failure
from text2sql.paths import build_root

# Each command or group: what it is for, and the module that has it ("-" is "_" there).
COMMANDS = {
    "reproduce": ("Run the whole chain of a profile: data to results table.", "run"),
    "plan": ("Print what that would run; run nothing.", "run"),
    "doctor": ("Check that this machine has what that needs; run nothing.", "run"),
    "download": ("Get the data sets and models that a profile needs.", "run"),
    "stage": ("Bring stages of one kind up to date, with all they need.", "run"),
    "dataset": ("Check, download, decontaminate, describe, translate.", "dataset"),
    "database": ("Training data from a private database; judge answers on it.", "database"),
    "quantize": ("GGUF files of a model and their quantization.", "models"),
    "serve": ("The web service: ask a live database.", "models"),
    "token": ("A token for a caller of the web service.", "models"),
    "mcp": ("The same for agents: a Model Context Protocol server.", "models"),
    "serve-openai": ("A model behind an OpenAI-compatible endpoint.", "models"),
    "release": ("A tuned model for others: its card, and sending it to the hub.", "release"),
    "results": ("Published records: update, check, publish, compare, rescore.", "results"),
}


class UsersMistake(click.ClickException):
    """One line on stderr and the exit status of a wrong call."""

    exit_code = 2

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the line."""
        click.echo(f"error: {self.message}", file=file, err=True)


class _Commands(click.Group):
    """The commands of `COMMANDS`; a user's mistake or a full disk is shown as one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *self.commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return self.commands.get(cmd_name)
        module = import_module(f"text2sql.cli.{COMMANDS[cmd_name][1]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without loading any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (text, _) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except UserError as error:
            raise UsersMistake(str(error)) from None
        except OSError as error:
            reason = write_failure(error, build_root())
            if reason is None and error.filename is None:
                raise
            raise UsersMistake(reason or f"{error.filename}: {error.strerror}") from None


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
        if isinstance(error, click.MissingParameter) and error.param and error.param.name:
            click.echo(f"with make: {error.param.name.upper()}=...", err=True)
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped; run the same command again to go on", err=True)
        sys.exit(130)
