"""Start LLaMA-Factory as the separate program it is, with a checked argument file."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from text2sql.errors import UserError
from text2sql.files import write_text

ARGUMENTS = "llamafactory.yaml"
POLL_SECONDS = 0.5


def run_llamafactory(
    command: str,
    arguments: dict[str, Any],
    folder: Path,
    environment: dict[str, str] | None = None,
    watch: Callable[[], None] = lambda: None,
) -> None:
    """Run ``llamafactory-cli <command>`` and wait for it.

    Args:
        command: ``train`` or ``export``.
        arguments: LLaMA-Factory's own keys and values.
        folder: where the argument file is kept, as part of the record of the run.
        environment: variables added to this process's own.
        watch: called every half second while the program runs, to report progress.

    Raises:
        UserError: the program ended with an error (its output went to the stage's log).
    """
    path = folder / ARGUMENTS
    write_text(path, yaml.safe_dump(arguments, sort_keys=False, allow_unicode=True))
    process = subprocess.Popen(
        [sys.executable, "-m", "llamafactory.cli", command, str(path)],
        env=os.environ | {"DISABLE_VERSION_CHECK": "1"} | (environment or {}),
    )
    while True:
        try:
            status = process.wait(timeout=POLL_SECONDS)
            break
        except subprocess.TimeoutExpired:
            watch()
    watch()
    if status != 0:
        raise UserError(f"llamafactory-cli {command} ended with status {status}")


def unknown_keys(arguments: dict[str, Any]) -> list[str]:
    """Return the keys that no LLaMA-Factory training argument has (imports torch: seconds)."""
    import dataclasses

    from llamafactory.hparams import (
        DataArguments,
        FinetuningArguments,
        GeneratingArguments,
        ModelArguments,
        TrainingArguments,
    )

    known: set[str] = set()
    for group in (
        ModelArguments,
        DataArguments,
        TrainingArguments,
        FinetuningArguments,
        GeneratingArguments,
    ):
        known |= {field.name for field in dataclasses.fields(group)}
    return sorted(arguments.keys() - known)
