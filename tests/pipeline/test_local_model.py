"""A profile's model may be a local folder: it is linked, never looked for on a hub."""

from __future__ import annotations

import json
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


def hub(monkeypatch: pytest.MonkeyPatch, *names: str) -> list[str]:
    """Let the hub's library leave these files, as it does; return what it is asked for."""
    asked: list[str] = []

    def give(name: str, local_dir: Path, **_: Any) -> str:
        asked.append(name)
        for file in names:
            if file.endswith(".safetensors"):
                save_file({"weight": np.zeros(8)}, local_dir / file)
            else:
                (local_dir / file).write_text("{}")
        (local_dir / ".cache" / "huggingface").mkdir(parents=True)
        return str(local_dir)

    monkeypatch.setattr("huggingface_hub.snapshot_download", give)
    monkeypatch.setattr("text2sql.convert.model.hub_bytes", lambda *_: 5 * 10**9)
    return asked


def test_anything_else_is_a_name_on_the_hub(
    build_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = hub(monkeypatch, "config.json", "tokenizer.json", "model.safetensors")
    stage = model_stage("organisation/model")
    run_stage(stage)
    assert asked == ["organisation/model"]
    assert not (stage.output / ".cache").exists()
    assert "5.0 GB on the hub" in (stage.output / "notes.txt").read_text()


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        ((), "no config.json"),  # what the library leaves where the hub is not reached
        (("config.json", "tokenizer.json"), r"no \*.safetensors"),
        (("config.json", "model.safetensors"), "no tokenizer"),
    ],
)
def test_a_model_that_did_not_come_whole_is_not_published(
    build_folder: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], missing: str
) -> None:
    hub(monkeypatch, *names)
    with pytest.raises(UserError, match=rf"'organisation/model' did not come whole \({missing}"):
        run_stage(model_stage("organisation/model"))


def test_half_of_the_weights_are_not_published(
    build_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = model_stage("organisation/model")
    first, second = (f"model-0000{part}-of-00002.safetensors" for part in (1, 2))
    stage.output.mkdir(parents=True)
    index = {"weight_map": {"a": first, "b": second}}
    (stage.output / "model.safetensors.index.json").write_text(json.dumps(index))
    hub(monkeypatch, "config.json", "tokenizer.json", first)
    with pytest.raises(UserError, match=f"weights are missing: {second}"):
        run_stage(stage)


def test_weights_that_are_cut_short(folder: Path, build_folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(UserError, match="incomplete safetensors file"):
        run_stage(model_stage(str(folder)))
