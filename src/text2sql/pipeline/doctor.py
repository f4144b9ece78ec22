"""Whether the stages of a run can run on this machine, found out before the first one starts."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tabulate import tabulate

from text2sql import hardware
from text2sql.data.stage import config_of
from text2sql.errors import UserError
from text2sql.paths import repository_root
from text2sql.pipeline.doctor_files import (
    check_disk,
    check_memory,
    check_models,
    check_sources,
    check_suites,
)
from text2sql.pipeline.keys import is_current
from text2sql.pipeline.needs import Needs, runs_on_gpu
from text2sql.pipeline.probe import MARK
from text2sql.run import Run
from text2sql.stage import Graph, Stage
from text2sql.train.checks import TRACKERS
from text2sql.train.dry_run import fit
from text2sql.train.megatron_setup import require_mcore_adapter
from text2sql.train.nodes import this_node
from text2sql.train.stage import is_training

PROBE_SECONDS = 600
DRIVER = "install NVIDIA's driver 580 or newer: sudo apt-get install -y nvidia-driver-580-server"
COMPILER = "sudo apt-get install -y gcc python3-dev"
MEGATRON = "make setup-megatron MCORE_ADAPTER=https://github.com/alibaba/ROLL"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        what: it.
        state: what was seen.
        fix: the command that mends it, or what else to do; empty where all is well.
    """

    what: str
    state: str
    fix: str = ""

    @property
    def failed(self) -> bool:
        """Whether a stage cannot run because of it."""
        return bool(self.fix)


def examine(graph: Graph, stages: Sequence[Stage], thorough: bool = True) -> list[Check]:
    """Return what the stages need, checked.

    Args:
        graph: of the run.
        stages: those that are to run, each after all it needs.
        thorough: whether to look at what takes seconds to work out although no GPU is paid for.
    """
    run = graph.run
    checks = [*_machine(run, stages), *_environments(stages)]
    sources = [check_sources(config_of(stage)) for stage in stages if stage.kind == "data"]
    models = check_models(run, stages)
    checks += [Check(*facts) for facts in (*sources, *check_suites(stages), *models)]
    checks += _trainings(run, stages)
    if thorough or any(map(runs_on_gpu, stages)):
        checks += [Check(*check_memory(run, stages)), Check(*check_disk(run, stages))]
    return [*checks, *_network(stages)]


def waiting(stages: Iterable[Stage]) -> list[Stage]:
    """Return the stages that are not up to date, or need one that is not."""
    to_run: dict[str, Stage] = {}
    for stage in stages:
        needs = any(needed.name in to_run for needed in stage.inputs.values())
        if needs or not _is_current(stage):
            to_run[stage.name] = stage
    return list(to_run.values())


def _is_current(stage: Stage) -> bool:
    try:
        return is_current(stage)
    except UserError:  # a source is missing, which has a check of its own
        return False


def require_ready(graph: Graph, stages: Sequence[Stage]) -> None:
    """Raise UserError where one of the stages cannot run, with the first reason and what to do.

    Args:
        graph: of the run.
        stages: those wanted and all they need; what is up to date asks for nothing.
    """
    run, to_run = graph.run, waiting(stages)
    if not to_run:
        return
    if any(map(runs_on_gpu, to_run)):
        hardware.require(run.machine, run.profile.name)
    failed = [check for check in examine(graph, to_run, thorough=False) if check.failed]
    if not failed:
        return
    more = f" ({len(failed) - 1} more)" if len(failed) > 1 else ""
    first = failed[0]
    raise UserError(
        f"nothing was started: {first.what}: {first.state}; {first.fix}{more}; all checks:"
        f" make doctor PROFILE={run.source or run.profile.name}"
    )


def describe(checks: Sequence[Check]) -> str:
    """Return the checks as a table."""
    rows = [
        ("FAILS" if check.failed else "ok", check.what, check.state, check.fix) for check in checks
    ]
    return tabulate(
        rows, ("", "check", "state", "what to do"), "simple", maxcolwidths=[None, 28, 48, 60]
    )


def _machine(run: Run, stages: Sequence[Stage]) -> Iterator[Check]:
    """Driver and cards, for stages that run on GPUs."""
    if not any(map(runs_on_gpu, stages)):
        return
    version, why = hardware.driver()
    yield Check("NVIDIA driver", version or why, "" if version else DRIVER)
    shown = ", ".join(f"{name} {memory:.1f} GiB" for name, memory in hardware.visible_gpus())
    try:
        hardware.require(run.machine, run.profile.name)
        yield Check("GPUs", shown)
    except UserError as error:
        yield Check("GPUs", *_split(error))


def _environments(stages: Sequence[Stage]) -> Iterator[Check]:
    """Each environment, what is in it, and whether its torch reaches the GPUs."""
    needed: dict[str | None, Needs] = {}
    for stage in stages:
        needed.setdefault(stage.settings.get("environment"), Needs()).add(stage)
    for name, needs in needed.items():
        folder = f".venv-{name}" if name else Path(sys.prefix).name
        python = repository_root() / folder / "bin" / "python" if name else Path(sys.executable)
        setup = "make setup-gpu" if name else "make setup"
        if not python.is_file():
            yield Check(f"environment {folder}", f"not there, for {needs.stages[0]}", setup)
        elif name is None and not needs.cuda:
            yield from _here(folder, needs, setup)
        else:
            yield from _inside(folder, python, needs, setup)


def _here(folder: str, needs: Needs, setup: str) -> Iterator[Check]:
    """What is installed beside this program: looked up, since to import it takes seconds."""
    missing = [name for name in sorted(needs.modules) if find_spec(name) is None]
    for name in missing:
        yield Check(f"{name} in {folder}", "not installed", _install(name, folder, setup))
    if not missing:
        yield Check(f"environment {folder}", f"has {', '.join(sorted(needs.modules)) or 'all'}")
    if needs.megatron:
        try:
            require_mcore_adapter()
            yield Check(f"mcore_adapter in {folder}", "ROLL's")
        except UserError as error:
            yield Check(f"mcore_adapter in {folder}", str(error), MEGATRON)


def _inside(folder: str, python: Path, needs: Needs, setup: str) -> Iterator[Check]:
    request = asdict(needs)
    del request["stages"]
    answer = probe(python, request | {"modules": sorted(needs.modules)})
    if "error" in answer:
        yield Check(f"environment {folder}", str(answer["error"]), setup)
        return
    for module, reason in answer["modules"].items():
        yield Check(f"{module} in {folder}", reason, _install(module, folder, setup))
    if not answer["modules"]:
        yield Check(f"environment {folder}", f"imports {', '.join(sorted(needs.modules)) or 'all'}")
    if needs.cuda:
        yield Check(
            f"CUDA in {folder}", answer["cuda"] or "adds on every GPU", answer["cuda"] and DRIVER
        )
    if needs.compiler:
        missing = answer["compiler"]
        yield Check(
            f"compiler for {folder}",
            f"Triton finds no {missing}" if missing else "gcc and Python.h",
            missing and COMPILER,
        )
    if needs.megatron:
        reason = answer["megatron"]
        yield Check(f"mcore_adapter in {folder}", reason or "ROLL's", reason and MEGATRON)
    if needs.transformer_engine:
        reason = answer["transformer_engine"]
        yield Check(f"Transformer Engine in {folder}", reason or "there", reason and MEGATRON)


def _install(module: str, folder: str, setup: str) -> str:
    if module in (*TRACKERS, "flash_attn", "liger_kernel"):
        package = {"flash_attn": "flash-attn --no-build-isolation", "liger_kernel": "liger-kernel"}
        extra = " (or SET=use_swanlab=false)" if module == "swanlab" else ""
        return f"{folder}/bin/python -m pip install {package.get(module, module)}{extra}"
    return "make setup-gguf" if module == "llama_cpp" else setup


def probe(python: Path, request: dict[str, Any]) -> dict[str, Any]:
    """Return what an environment's interpreter says (see `text2sql.pipeline.probe`).

    Where it says nothing, the answer has the key ``error`` alone.
    """
    command = [str(python), "-m", "text2sql.pipeline.probe", json.dumps(request)]
    quiet = {"DISABLE_VERSION_CHECK": "1", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    path = f"{python.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    try:
        done = subprocess.run(
            command,
            env=os.environ | quiet | {"PATH": path},
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=PROBE_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return {"error": f"{python} does not answer ({type(error).__name__})"}
    for line in done.stdout.splitlines():
        if line.startswith(MARK):
            answer: dict[str, Any] = json.loads(line.removeprefix(MARK))
            return answer
    lines = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
    return {"error": f"{python.name} fails: {lines[-1][:200]}"}


def _trainings(run: Run, stages: Sequence[Stage]) -> Iterator[Check]:
    """The memory of a GPU that each training needs."""
    for stage in stages:
        if is_training(stage) and runs_on_gpu(stage):
            what = f"GPU memory for {stage.name.partition(':')[2]}"
            try:
                yield Check(what, fit(stage, run.profile))
            except UserError as error:
                yield Check(what, *_split(error))


def _split(error: UserError) -> tuple[str, str]:
    """Return what a message says is wrong, and what it says to do."""
    state, _, fix = str(error).partition("; ")
    return state, fix or "see docs/training.md"


def _network(stages: Sequence[Stage]) -> Iterator[Check]:
    """Where several machines train together: whether node 0 can listen."""
    if not any(is_training(stage) for stage in stages):
        return
    try:
        nodes = this_node()
    except UserError as error:
        yield Check("nodes", "NNODES is set", str(error))
        return
    if nodes.count == 1 or nodes.rank > 0:
        return
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("", int(nodes.port or 0)))
            yield Check(f"port {nodes.port}", "free")
        except (OSError, ValueError, OverflowError) as error:
            yield Check(f"port {nodes.port}", str(error), "set MASTER_PORT to a free port")
