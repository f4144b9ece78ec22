"""Stages declare themselves: one file and one line give a stage its target, command and plan."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from copies import copy_checkout, in_copy

from text2sql.pipeline.command import select_run
from text2sql.pipeline.plan import launch_line
from text2sql.pipeline.registry import MODULES, stage_kinds

TOY = '''
"""The toy stage: how many questions there are."""

from typing import Any

from text2sql.artifacts import QUESTIONS
from text2sql.files import read_jsonl, write_json
from text2sql.run import Run
from text2sql.stage import Graph, Job, Stage, StageKind


def run(job: Job) -> dict[str, Any]:
    """Count the questions."""
    counts = {"questions": len(list(read_jsonl(job.inputs["data"] / QUESTIONS)))}
    write_json(job.output / "counts.json", counts)
    return counts


def _stage(graph: Graph, key: str) -> Stage:
    inputs = {"data": graph.stage("data")}
    return Stage("toy", "toy", {}, graph.run.folder / "toy", inputs=inputs)


def _show(run: Run) -> str:
    return (run.folder / "toy" / "counts.json").read_text()


KINDS = (StageKind("toy", "count the evaluation questions", run, _stage, show=_show),)
'''


@pytest.fixture
def checkout(repository: Path, tmp_path: Path) -> Path:
    """A copy of this repository with one more stage: its file, and its line in the registry."""
    copy = copy_checkout(repository, tmp_path / "copy")
    (copy / "src/text2sql/toy.py").write_text(TOY)
    registry = copy / "src/text2sql/pipeline/registry.py"
    text = registry.read_text()
    line = '    "text2sql.report.quantization",\n'
    assert text.count(line) == 1
    registry.write_text(text.replace(line, f'{line}    "text2sql.toy",\n'))
    return copy


def test_a_stage_is_one_file_and_one_line(checkout: Path) -> None:
    program = [sys.executable, "-m", "text2sql"]
    assert "count the evaluation questions" in in_copy(checkout, "make", "help")
    assert "stage toy --profile" in in_copy(checkout, "make", "--dry-run", "toy")
    assert "Count the evaluation questions." in in_copy(checkout, *program, "stage", "--help")
    planned = in_copy(checkout, *program, "plan", "toy")
    assert "1. data  [to run]" in planned and "2. toy  [to run]" in planned
    assert '"questions": 5' in in_copy(checkout, *program, "stage", "toy", "--limit", "5")
    again = in_copy(checkout, *program, "plan", "toy", "--limit", "5")
    assert "1. data  [up to date]" in again and "2. toy  [up to date]" in again


def test_every_kind_is_declared_once_and_says_what_it_does() -> None:
    kinds = stage_kinds()
    assert len(MODULES) <= len(kinds)
    for name, kind in kinds.items():
        assert name == kind.name
        assert kind.help and not kind.help.endswith(".")
        assert kind.command_name in kinds


def test_make_help_knows_the_stages_without_an_environment(repository: Path) -> None:
    command = ["/usr/bin/env", "-i", sys.executable, "-S", str(repository / "scripts/stages.py")]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    with_command = [k for k in stage_kinds().values() if k.command_name == k.name]
    assert dict(line.split("\t") for line in listed.splitlines()) == {
        kind.name: kind.help for kind in with_command
    }


@pytest.mark.parametrize("name", ["data", "train:smollm2-135m_lora_cpu", "infer:lora", "figures"])
def test_a_plan_prints_commands_that_are_there(name: str) -> None:
    graph = select_run("smollm2-135m", limit=3)
    line = launch_line(graph, graph[name])
    assert "--limit 3" in line
    arguments = line.split()[1:]
    shown = subprocess.run(
        [sys.executable, *arguments[:4], "--help"], capture_output=True, text=True, check=True
    ).stdout
    for option in arguments[4:]:
        assert not option.startswith("--") or option in shown
