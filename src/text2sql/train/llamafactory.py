"""Start LLaMA-Factory as the separate program it is, with a checked argument file."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from argparse import ArgumentError
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import IO, Any

import yaml

from text2sql.errors import UserError
from text2sql.files import write_text
from text2sql.train.explain_failure import explain
from text2sql.train.nodes import Nodes
from text2sql.train.recipe import Recipe

ARGUMENTS = "llamafactory.yaml"
POLL_SECONDS = 0.5
LINES_KEPT = 2000  # of the output, to find what went wrong; DeepSpeed says thousands at the end


def run_llamafactory(
    command: str,
    arguments: dict[str, Any],
    folder: Path,
    environment: dict[str, str] | None = None,
    watch: Callable[[], None] = lambda: None,
    arguments_name: str = ARGUMENTS,
    program: list[str] | None = None,
) -> None:
    """Run ``llamafactory-cli <command>`` and wait for it.

    Args:
        command: ``train`` or ``export``.
        arguments: LLaMA-Factory's own keys and values.
        folder: where the argument file is kept, as part of the record of the run.
        environment: variables added to this process's own.
        watch: called every half second while the program runs, to report progress.
        arguments_name: name of the argument file.
        program: what to run in place of ``llamafactory-cli <command>``.

    Raises:
        UserError: the program ended with an error; the message says what it was about (its whole
            output went to the stage's log).
    """
    path = folder / arguments_name
    write_text(path, yaml.safe_dump(arguments, sort_keys=False, allow_unicode=True))
    process = subprocess.Popen(
        [*(program or [sys.executable, "-m", "llamafactory.cli", command]), str(path)],
        env=os.environ | {"DISABLE_VERSION_CHECK": "1"} | (environment or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    lines: deque[str] = deque(maxlen=LINES_KEPT)
    assert process.stdout is not None
    reader = threading.Thread(target=_pass_on, args=(process.stdout, lines))
    reader.start()
    try:
        status = _wait(process, watch)
    except BaseException:
        process.kill()  # never leave a training behind that nobody waits for
        raise
    finally:
        reader.join()
    watch()
    if status != 0:
        raise UserError(explain(f"llamafactory-cli {command}", list(lines), status, folder))


def training_program(recipe: Recipe, nodes: Nodes, on_cpu: bool) -> list[str] | None:
    """Return the program to start in place of LLaMA-Factory's launcher; None where that will do.

    It is `text2sql.train.megatron_entry` for Megatron, and `text2sql.train.entry` for the rest but
    DeepSpeed's plain rows on GPUs; torchrun starts it where there are several processes.
    """
    backend = recipe.launch.backend
    entry = ["-m", f"text2sql.train.{'megatron_entry' if backend == 'megatron' else 'entry'}"]
    if backend == "single":
        return [sys.executable, *entry]
    if backend == "deepspeed" and not on_cpu and not recipe.shared_schema:
        return None
    launcher = [sys.executable, "-m", "torch.distributed.run"]
    return [*launcher, *torchrun_arguments(recipe, nodes), *entry]


def torchrun_arguments(recipe: Recipe, nodes: Nodes) -> list[str]:
    """Return torchrun's arguments for one node."""
    network = ["--standalone"]
    if nodes.count > 1:
        network = [f"--nnodes={nodes.count}", f"--node_rank={nodes.rank}"]
        network += [f"--master_addr={nodes.master}", f"--master_port={nodes.port}"]
    return [*network, f"--nproc_per_node={recipe.launch.processes}"]


def _wait(process: subprocess.Popen[str], watch: Callable[[], None]) -> int:
    """Return the exit status of a program, calling `watch` until there is one."""
    while True:
        try:
            return process.wait(timeout=POLL_SECONDS)
        except subprocess.TimeoutExpired:
            watch()


def _pass_on(stream: IO[str], lines: deque[str]) -> None:
    for line in stream:
        lines.append(line.rstrip())
        # Where the log's disk is full, go on reading: the program would wait for us for ever.
        with suppress(OSError):
            print(line, end="", flush=True)


def unknown_keys(arguments: dict[str, Any]) -> list[str]:
    """Return the keys that no LLaMA-Factory training argument has (imports torch: seconds)."""
    names = {field.name for group in _argument_groups() for field in fields(group)}
    return sorted(arguments.keys() - names)


def wrong_value(arguments: dict[str, Any]) -> str | None:
    """Return what LLaMA-Factory's own parser says of the first value it does not take.

    Args:
        arguments: keys that it knows; lists and mappings are not looked into.
    """
    from transformers import HfArgumentParser

    plain = {k: v for k, v in arguments.items() if isinstance(v, str | int | float)}
    words = [word for key, value in plain.items() for word in (f"--{key}", str(value))]
    parser = HfArgumentParser(_argument_groups())
    parser.exit_on_error = False
    for action in parser._actions:
        action.required = False  # model, output folder and the like are the stage's to fill in
    try:
        parser.parse_known_args(words)
    except ArgumentError as error:
        # Each option has two spellings, with lines and with dashes.
        return re.sub(r"^argument (?:--)?([^/:]+)(?:/--[^:]+)?", r"\1", str(error))
    return None


def _argument_groups() -> list[Any]:
    from llamafactory import hparams

    kinds = ("Model", "Data", "Training", "Finetuning", "Generating")
    return [getattr(hparams, f"{kind}Arguments") for kind in kinds]
