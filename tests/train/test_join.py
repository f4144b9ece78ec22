"""Nodes other than the first wait for it, and say so when it does not come."""

from __future__ import annotations

import json
import os
import time
from inspect import signature
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from text2sql.errors import UserError
from text2sql.pipeline import multinode as join
from text2sql.pipeline.command import run_command, select_run
from text2sql.pipeline.keys import stage_key
from text2sql.pipeline.outputs import KEY, partial_folder
from text2sql.pipeline.plan import describe_plan
from text2sql.stage import Stage
from text2sql.train.megatron_entry import go_on_in_place, position


def make_stage(folder: Path) -> Stage:
    return Stage("train:x", "train-full", {}, folder / "train" / "x")


def test_a_first_node_that_does_not_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(join, "PATIENCE_SECONDS", -1.0)
    with pytest.raises(UserError, match="node 0 has not started 'train:x'"):
        join.train_with_node_0(make_stage(tmp_path), [])


def test_what_is_up_to_date_is_not_trained_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = make_stage(tmp_path)
    stage.output.mkdir(parents=True)
    manifest = {"key": stage_key(stage), "output_hash": "x"}
    (stage.output / "manifest.json").write_text(json.dumps(manifest))
    join.train_with_node_0(stage, [])
    assert "up to date" in capsys.readouterr().err


def test_only_the_same_training_is_joined(tmp_path: Path) -> None:
    stage = make_stage(tmp_path)
    folder = partial_folder(stage)
    folder.mkdir(parents=True)
    (folder / KEY).write_text("another key")
    assert not join._has_begun(stage)
    (folder / KEY).write_text(str(stage_key(stage)))
    assert join._has_begun(stage)


def test_node_0_may_take_long_for_what_comes_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = make_stage(tmp_path)
    at_work = tmp_path / "data.partial" / "progress.json"
    at_work.parent.mkdir()
    at_work.touch()
    os.utime(at_work, (time.time() + 3600, time.time() + 3600))
    asked: list[int] = []

    def begun(_: Stage) -> bool:
        asked.append(len(asked))
        return len(asked) > 3

    monkeypatch.setattr(join, "PATIENCE_SECONDS", -1.0)
    monkeypatch.setattr(join, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(join, "_has_begun", begun)
    join.train_with_node_0(stage, ["true"])
    assert len(asked) == 4


def test_a_part_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(join, "_has_begun", lambda _: True)
    with pytest.raises(UserError, match=r"part failed \(status 3\).* start all nodes again"):
        join.train_with_node_0(make_stage(tmp_path), ["sh", "-c", "exit 3"])


@pytest.mark.parametrize("command", [("figures",), ("train-lora",)])
def test_other_nodes_join_every_training_in_its_environment(
    command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without RECIPE as well; what one process trains is left to node 0."""
    joined: list[tuple[str, str, str]] = []

    def note(stage: Stage, line: list[str]) -> None:
        joined.append((stage.name, line[0], line[-1]))

    monkeypatch.setattr(join, "train_with_node_0", note)
    monkeypatch.setattr(join, "require_ready", lambda *_: None)
    monkeypatch.setattr(
        "text2sql.pipeline.scheduler.stage_python", lambda s: s.settings["environment"]
    )
    for name, value in (("NNODES", "2"), ("NODE_RANK", "1"), ("MASTER_ADDR", "10.0.0.1")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MASTER_PORT", "29500")
    options: dict[str, Any] = dict.fromkeys(signature(select_run).parameters)
    options |= {"assignments": (), "more_types": ()}
    run_command(*command, **options | {"profile": "qwen3-1.7b", "machine": "8gpu-80gb"})
    expected = ["lora-r32_4gpu", "lora-r128_4gpu", "full-megatron-tp2_4gpu"]
    meant = [f"train:qwen3-1.7b_{name}" for name in expected[: 3 if command == ("figures",) else 2]]
    assert joined == [(name, "train", "--join") for name in meant]
    assert capsys.readouterr().out == ""


def test_the_plan_knows_the_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("NNODES", "2"), ("NODE_RANK", "0"), ("MASTER_ADDR", "10.0.0.1")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MASTER_PORT", "29500")
    graph = select_run("qwen3-1.7b", machine="8gpu-80gb")
    shown = describe_plan(graph, ["train:qwen3-1.7b_lora-r32_4gpu"])
    assert "NNODES=2 NODE_RANK=0 MASTER_ADDR=10.0.0.1 MASTER_PORT=29500" in shown
    assert "16 processes, ZeRO-3; batch 64 = 4 a device x 1 steps" in shown


@pytest.mark.parametrize(("step", "epochs_left"), [(11, 1), (12, 0), (13, 0)])
def test_megatron_trains_no_step_after_the_last(step: int, epochs_left: int) -> None:
    class Trainer:
        """Returns what mcore_adapter's does: epochs done, epochs there are, and the rest."""

        state = SimpleNamespace(global_step=step, max_steps=12)
        args = SimpleNamespace(ignore_data_skip=False, gradient_accumulation_steps=1)

        def _prepare_train_loop(self, batch: int) -> tuple[Any, ...]:
            return 2, 3, "dataloader", 4, 0, batch

    go_on_in_place(Trainer)
    first, last, loader, batches, skipped, *rest = Trainer()._prepare_train_loop(8)
    assert len(range(first, last)) == epochs_left
    assert (loader, batches, rest) == ("dataloader", 4, [8])
    assert skipped == step - 10  # two epochs of five steps


@pytest.mark.parametrize(
    ("step", "batches", "accumulation", "expected"),
    [
        (0, 16, 1, (0, 0)),
        (16, 16, 1, (0, 16)),
        (17, 16, 1, (1, 0)),  # took the first batch again
        (18, 16, 1, (1, 1)),
        (3, 17, 5, (0, 15)),
        (4, 17, 5, (1, 0)),  # took two batches and the first three again
        (1, 3, 5, (1, 0)),
    ],
)
def test_megatron_goes_on_with_the_batch_that_is_next(
    step: int, batches: int, accumulation: int, expected: tuple[int, int]
) -> None:
    assert position(step, batches, accumulation) == expected
