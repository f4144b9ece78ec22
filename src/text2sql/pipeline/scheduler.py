"""Bring stages up to date: run those that must be, side by side, and stop them cleanly."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from tqdm import tqdm

from text2sql.errors import UserError
from text2sql.files import exclusive, free_bytes
from text2sql.paths import repository_root
from text2sql.pipeline.keys import is_current
from text2sql.pipeline.outputs import LOG, partial_folder, prepare_partial
from text2sql.progress import read_notes, read_progress
from text2sql.run import Run
from text2sql.stage import Stage

POLL_SECONDS = 0.25
QUIET_REPORT_SECONDS = 60.0  # how often a line is printed where there is no terminal
STOP_GRACE_SECONDS = 10.0
ROOM_FOR_A_LINE = 64 * 1024  # bytes; below this a log cannot be relied upon
BAR = "{desc}: {percentage:3.0f}% {bar:20} {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}]"


@dataclass
class _Running:
    """A stage at work in a child process, with its bar on the terminal."""

    stage: Stage
    process: subprocess.Popen[bytes]
    log: IO[bytes]
    bar: Any
    started: float = field(default_factory=time.monotonic)
    notes_shown: int = 0


class Scheduler:
    """Runs stages of one run, at most `workers` at a time.

    Args:
        run: profile, dataset and limit; handed to each stage's process.
        workers: how many stages may run side by side.
    """

    def __init__(self, run: Run, workers: int) -> None:
        self.run_meant = run
        self.workers = workers
        self.running: dict[str, _Running] = {}
        self.done: set[str] = set()
        self._last_report = time.monotonic()

    def run(self, stages: list[Stage]) -> None:
        """Bring the given stages up to date; those that already are cost a look at a manifest.

        Args:
            stages: in an order in which each comes after all it needs.

        Raises:
            UserError: a stage failed (the message names its log), or another run is at work.
            KeyboardInterrupt: after every child has been stopped.
        """
        folder = self.run_meant.folder
        taken = f"{folder}: another run is at work here; wait for it or stop it"
        with exclusive(folder / ".lock", taken):
            try:
                self._run_all(stages)
            finally:
                self._stop_all()

    def _run_all(self, stages: list[Stage]) -> None:
        waiting = list(stages)
        while waiting or self.running:
            for stage in list(waiting):
                if len(self.running) >= self.workers:
                    break
                if not all(needed.name in self.done for needed in stage.inputs.values()):
                    continue
                if not self._has_room(stage):
                    continue
                waiting.remove(stage)
                if is_current(stage):
                    _say(f"{stage.name}: up to date")
                    self.done.add(stage.name)
                else:
                    self._start(stage)
            self._poll()
            if self.running:
                time.sleep(POLL_SECONDS)

    def _has_room(self, stage: Stage) -> bool:
        """Whether a stage may start beside those at work."""
        alone = stage.alone or any(job.stage.alone for job in self.running.values())
        return not (alone and self.running)

    def command(self, stage: Stage) -> list[str]:
        """Return the command that runs a stage in a process of its own."""
        program = [str(stage_python(stage)), "-m", "text2sql.pipeline.run_stage"]
        return [*program, stage.name, json.dumps(self.run_meant.choices())]

    def _start(self, stage: Stage) -> None:
        folder = prepare_partial(stage)
        log = (folder / LOG).open("ab")
        # A session of its own, so that the whole tree of a stage (torchrun and its children) can be
        # stopped together, and so that the terminal's Ctrl-C reaches only this process.
        process = subprocess.Popen(
            self.command(stage),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=stage_environment(stage),
        )
        bar = tqdm(
            total=None,
            desc=stage.name,
            leave=False,
            disable=None,
            bar_format=BAR,
        )
        self.running[stage.name] = _Running(stage, process, log, bar)
        _say(f"{stage.name}: started")

    def _poll(self) -> None:
        for name, job in list(self.running.items()):
            known = read_progress(partial_folder(job.stage))
            if known:
                job.bar.total = known[1]
                job.bar.n = known[0]
            job.bar.refresh()
            status = job.process.poll()
            notes = read_notes(partial_folder(job.stage) if status != 0 else job.stage.output)
            for note in notes[job.notes_shown :]:
                _say(f"{name}: {note}")
            job.notes_shown = max(job.notes_shown, len(notes))
            if status is None:
                continue
            job.bar.close()
            job.log.close()
            del self.running[name]
            if status != 0:
                raise UserError(_failure(job.stage, status))
            self.done.add(name)
            _say(f"{name}: done in {time.monotonic() - job.started:.0f} s")
        self._report_quietly()

    def _report_quietly(self) -> None:
        """Where bars are not shown (a log file), print a line about running stages now and then."""
        if sys.stderr.isatty() or time.monotonic() - self._last_report < QUIET_REPORT_SECONDS:
            return
        self._last_report = time.monotonic()
        for name, job in self.running.items():
            known = read_progress(partial_folder(job.stage))
            state = f"{known[0]}/{known[1]} {known[2]}" if known else "at work"
            _say(f"{name}: {state}, {time.monotonic() - job.started:.0f} s")

    def _stop_all(self) -> None:
        """Stop every child's process group: ask first, kill what is left after a grace time."""
        for job in self.running.values():
            _signal_group(job.process.pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_GRACE_SECONDS
        for job in self.running.values():
            with suppress(subprocess.TimeoutExpired):
                job.process.wait(timeout=max(0.1, deadline - time.monotonic()))
            _signal_group(job.process.pid, signal.SIGKILL)
            job.process.wait()
            job.bar.close()
            job.log.close()
        self.running.clear()


def stage_environment(stage: Stage) -> dict[str, str]:
    """Environment of a stage's process: thread limits, its Python's tools first, its settings'."""
    threads = str(stage.settings.get("threads", 1))
    return os.environ | {
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        # Threads that spin while they wait collapse when other processes want the cores too.
        "OMP_WAIT_POLICY": "passive",
        # Huge pages where the C library can: a training on a CPU, whose tensors of some MB come and
        # go with every operation, then takes a quarter less processor time.
        "GLIBC_TUNABLES": os.environ.get("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1"),
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONUNBUFFERED": "1",
        "PATH": f"{stage_python(stage).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        **stage.settings.get("variables", {}),
    }


def stage_python(stage: Stage) -> Path:
    """Return the interpreter for a stage: this one, or that of the environment it asks for.

    Raises:
        UserError: that environment has not been set up.
    """
    environment = stage.settings.get("environment")
    return Path(sys.executable) if environment is None else environment_python(environment)


def environment_python(environment: str) -> Path:
    """Return the interpreter of an environment; raise UserError where it has not been set up."""
    python = repository_root() / f".venv-{environment}" / "bin" / "python"
    if not python.is_file():
        target = "setup-grpo" if environment == "grpo" else "setup-gpu"
        raise UserError(f"{python}: no such environment; run: make {target}")
    return python


def _signal_group(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, number)


def _failure(stage: Stage, status: int) -> str:
    log = partial_folder(stage) / LOG
    lines = [
        line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line
    ]
    last = lines[-1].strip() if lines else "no output"
    if status == -signal.SIGKILL:  # the process could not say so itself
        last = (
            "it was killed, as the system does when memory runs out; the same command goes on from"
            " what is there"
        )
    if free_bytes(log.parent) < ROOM_FOR_A_LINE:  # the reason may not be in the log
        last = (
            f"the disk of {log.parent} is full; make room and run the same command again, it goes"
            " on from what is there"
        )
    return f"stage '{stage.name}' failed (status {status}): {last}; full log: {log}"


def _say(line: str) -> None:
    tqdm.write(line, file=sys.stderr)
