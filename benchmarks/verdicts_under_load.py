#!/usr/bin/env python
"""Judge prediction files without and with busy processes beside: does any verdict change?

    python benchmarks/verdicts_under_load.py --predictions FOLDER_OF_PREDICTIONS \
        --spider FOLDER_OF_SPIDER --verdicts FOLDER --output benchmarks/verdicts_under_load.json

Every file is judged with plain EX and with --plug_value, on the plain databases. The verdicts are
written to FOLDER/idle and FOLDER/busy, one JSON object a question, without the seconds it took; all
else of a verdict is compared. docs/REPRODUCING.md shows the result (make results).
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from common import load, surroundings
from test_suite_sql_eval.api import Settings
from test_suite_sql_eval.settings import DEFAULT_MAX_STEPS, DEFAULT_TIMEOUT

from text2sql.files import write_json, write_jsonl
from text2sql.report.rescore import judge, progress_bar

MODES: dict[str, dict[str, Any]] = {"EX": {}, "EX + plug_value": {"plug_value": True}}
# Ends by itself where its parent is gone, so that nothing stays busy behind a broken-off run.
BUSY = "import os, sys\nwhile os.getppid() == int(sys.argv[1]): pass"

Verdicts = dict[str, list[dict[str, Any]]]


@click.command()
@click.option("--predictions", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--spider", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--verdicts", type=click.Path(path_type=Path), required=True)
@click.option("--busy", default=16, help="Processes that keep the machine busy.")
@click.option("--jobs", default=2, help="Processes that judge.")
@click.option("--output", type=click.Path(path_type=Path), required=True)
def main(
    predictions: Path, spider: Path, verdicts: Path, busy: int, jobs: int, output: Path
) -> None:
    """Judge twice, compare, and write the record."""
    files = sorted(path for path in predictions.glob("*.txt") if path.name != "gold.txt")
    if not files:
        raise click.UsageError(f"{predictions}: no prediction files (*.txt) here")
    around = surroundings()  # of the code that judges, whatever becomes of the checkout meanwhile
    runs, measured = {}, {}
    for name, processes in (("idle", 0), ("busy", busy)):
        before, started = load(), time.monotonic()
        with busy_machine(processes):
            runs[name] = judge_files(files, predictions / "gold.txt", spider, jobs)
            measured[name] = {
                "busy_processes": processes,
                "seconds": round(time.monotonic() - started, 1),
                "load_before": before,
                "load_after": load(),
            }
        for key, rows in runs[name].items():
            write_jsonl(verdicts / name / f"{key}.jsonl", rows)
    differing = differences(runs["idle"], runs["busy"])
    result = {
        "files": [path.stem for path in files],
        "modes": list(MODES),
        "verdicts": sum(map(len, runs["idle"].values())),
        "differing": differing,
        "stopped": stopped(runs["idle"]),
        "max_steps": DEFAULT_MAX_STEPS,
        "timeout_seconds": DEFAULT_TIMEOUT,
        "jobs": jobs,
        "runs": measured,
    }
    write_json(output, result | around)
    click.echo(f"{len(differing)} of {result['verdicts']} verdicts differ; wrote {output}")


@contextmanager
def busy_machine(processes: int) -> Iterator[None]:
    """Keep so many processes busy at normal priority meanwhile."""
    command = [sys.executable, "-c", BUSY, str(os.getpid())]
    started = [subprocess.Popen(command) for _ in range(processes)]
    try:
        yield
    finally:
        for process in started:
            process.terminate()
            process.wait()


def judge_files(files: list[Path], gold: Path, spider: Path, jobs: int) -> Verdicts:
    """Return the verdicts on each file in each mode, nothing kept between them."""
    found: Verdicts = {}
    for file in files:
        for mode, flags in MODES.items():
            settings = Settings(jobs=jobs, **flags)
            with progress_bar(f"{file.stem}, {mode}", "question") as tell:
                report = judge(gold, file, spider / "database", None, settings, tell)
            found[f"{file.stem}, {mode}"] = [
                {key: value for key, value in verdict.items() if key != "seconds"}
                for verdict in report.verdicts
            ]
    return found


def differences(one: Verdicts, other: Verdicts) -> list[dict[str, Any]]:
    """Return what differs: file and mode, question, and the keys of the verdict."""
    return [
        {"verdicts": name, "index": a["index"], "keys": [key for key in a if a[key] != b[key]]}
        for name in one
        for a, b in zip(one[name], other[name], strict=True)
        if a != b
    ]


def stopped(verdicts: Verdicts) -> int:
    """Return how many verdicts are on answers that a limit stopped."""
    return sum(verdict["error"] == "timeout" for rows in verdicts.values() for verdict in rows)


if __name__ == "__main__":
    main()
