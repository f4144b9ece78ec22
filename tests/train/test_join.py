"""Nodes other than the first wait for it, and say so when it does not come."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from text2sql.errors import UserError
from text2sql.pipeline import multinode as join
from text2sql.pipeline.keys import stage_key
from text2sql.pipeline.outputs import KEY, partial_folder
from text2sql.stage import Stage


def make_stage(folder: Path) -> Stage:
    return Stage("train:x", "train-full", {}, folder / "train" / "x")


def test_a_first_node_that_does_not_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(join, "PATIENCE_SECONDS", -1.0)
    with pytest.raises(UserError, match="node 0 has not started 'train:x'"):
        join.train_with_node_0(make_stage(tmp_path))


def test_what_is_up_to_date_is_not_trained_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = make_stage(tmp_path)
    stage.output.mkdir(parents=True)
    manifest = {"key": stage_key(stage), "output_hash": "x"}
    (stage.output / "manifest.json").write_text(json.dumps(manifest))
    join.train_with_node_0(stage)
    assert "up to date" in capsys.readouterr().err


def test_only_the_same_training_is_joined(tmp_path: Path) -> None:
    stage = make_stage(tmp_path)
    folder = partial_folder(stage)
    folder.mkdir(parents=True)
    (folder / KEY).write_text("another key")
    assert not join._has_begun(stage)
    (folder / KEY).write_text(str(stage_key(stage)))
    assert join._has_begun(stage)
