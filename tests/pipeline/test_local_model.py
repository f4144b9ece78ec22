"""A profile's model may be a local folder: it is linked, never looked for on a hub."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from text2sql.convert.model import run
from text2sql.errors import UserError
from text2sql.pipeline.keys import stage_key
from text2sql.pipeline.registry import build_graph
from text2sql.profile import Profile, load_profile
from text2sql.progress import Progress
from text2sql.run import Run
from text2sql.stage import Job, Stage


def profile(path: str) -> Profile:
    values = load_profile("smollm2-135m").model_dump()
    values["model"] |= {"name": "mine", "path_or_hub_id": path, "packaged_gguf": None}
    return Profile.model_validate(values)


def model_stage(path: str) -> Stage:
    return build_graph(Run(profile(path), "sample"))["model"]


def run_stage(stage: Stage) -> dict[str, Any]:
    stage.output.mkdir(parents=True, exist_ok=True)
    return run(Job(stage, {}, stage.output, Progress(stage.output)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "a-model"
    made.mkdir()
    for name in ("config.json", "tokenizer.json", "manifest.json"):
        (made / name).write_text(name)
    save_file({"weight": np.zeros(8)}, made / "model.safetensors")
    return made


@pytest.fixture(autouse=True)
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("the hub was asked")

    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)


def test_a_local_folder_is_linked_without_its_run_records(folder: Path, build_folder: Path) -> None:
    stage = model_stage(str(folder))
    assert run_stage(stage) == {"source": str(folder), "files": 3}
    assert sorted(path.name for path in stage.output.iterdir()) == [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    ]
    assert (stage.output / "model.safetensors").samefile(folder / "model.safetensors")
    assert run_stage(stage)["files"] == 3  # what an interrupted run left is no obstacle


def test_other_weights_in_the_folder_make_the_stage_run_again(
    folder: Path, build_folder: Path
) -> None:
    before = stage_key(model_stage(str(folder)))
    assert stage_key(model_stage(str(folder))) == before
    weights = folder / "model.safetensors"
    os.utime(weights, ns=(1, 1))
    assert stage_key(model_stage(str(folder))) != before


def test_a_relative_path_counts_from_the_checkout(
    repository: Path, folder: Path, build_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    path = os.path.relpath(folder, repository)
    assert run_stage(model_stage(path)) == {"source": path, "files": 3}


@pytest.mark.parametrize("path", ["/no/such/model", "./no-such-model", "~/no-such-model"])
def test_a_folder_that_is_not_there_is_said(path: str, build_folder: Path) -> None:
    with pytest.raises(UserError, match=r"no such model folder; set model\.path_or_hub_id"):
        run_stage(model_stage(path))


def test_a_folder_without_weights_is_said(folder: Path, build_folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"a-model: no \*\.safetensors in it"):
        run_stage(model_stage(str(folder)))


def test_anything_else_is_a_name_on_the_hub(
    build_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(
        "huggingface_hub.snapshot_download", lambda name, **_: asked.append(name) or ""
    )
    run_stage(model_stage("organisation/model"))
    assert asked == ["organisation/model"]


def test_weights_that_are_cut_short(folder: Path, build_folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(UserError, match="incomplete safetensors file"):
        run_stage(model_stage(str(folder)))
