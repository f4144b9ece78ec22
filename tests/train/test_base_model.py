"""The base model from a folder of the user's own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from text2sql.convert.local import folder_state, local_folder
from text2sql.convert.model import run
from text2sql.errors import UserError
from text2sql.files import sha256_file
from text2sql.graph import Selection, Stage, build_graph
from text2sql.profile import load_profile
from text2sql.progress import Progress
from text2sql.worker import Job


def fetch(name: Path | str, output: Path) -> dict[str, Any]:
    output.mkdir()
    config = {"path_or_hub_id": str(name), "revision": None, "packaged_gguf": None}
    return run(Job(Stage("model", "model", config, output), {}, output, Progress(output)))


def test_a_local_folder_is_copied(tiny: Any, tmp_path: Path) -> None:
    source = tmp_path / "mine"
    shutil.copytree(tiny.model, source)
    for other in ("pytorch_model.bin", "manifest.json", "notes.md"):
        (source / other).write_text("{}")
    assert fetch(source, tmp_path / "out") == {"source": str(source)}
    for path in tiny.model.iterdir():
        assert sha256_file(tmp_path / "out" / path.name) == sha256_file(path)
    names = {path.name for path in tmp_path.joinpath("out").iterdir()}
    assert names == {path.name for path in tiny.model.iterdir()} | {"progress.json"}


@pytest.mark.parametrize(
    ("lost", "expected"),
    [
        ("config.json", r"no config\.json there"),
        ("model.safetensors", r"no \*\.safetensors file there"),
        ("tokenizer*", "no tokenizer there"),
    ],
)
def test_a_folder_that_is_no_model(tiny: Any, tmp_path: Path, lost: str, expected: str) -> None:
    source = tmp_path / "mine"
    shutil.copytree(tiny.model, source, ignore=shutil.ignore_patterns(lost))
    with pytest.raises(UserError, match=expected):
        fetch(source, tmp_path / "out")


def test_weights_that_are_cut_short_or_missing(tiny: Any, tmp_path: Path) -> None:
    source = tmp_path / "mine"
    shutil.copytree(tiny.model, source)
    weights = source / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(UserError, match="incomplete safetensors file"):
        fetch(source, tmp_path / "a")
    index = {"weight_map": {"x": "model-00001-of-00002.safetensors"}}
    (source / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(UserError, match=r"model-00001-of-00002\.safetensors: missing"):
        fetch(source, tmp_path / "b")


def test_a_path_without_a_folder_is_not_asked_of_the_hub(tmp_path: Path) -> None:
    for name in (str(tmp_path / "none"), "./none", "~/no/such", "a/b/c"):
        with pytest.raises(UserError, match="there is no folder"):
            local_folder(name)
    assert local_folder("Qwen/Qwen3-1.7B") is None


def test_a_changed_folder_is_another_input(tiny: Any, tmp_path: Path) -> None:
    source = tmp_path / "mine"
    shutil.copytree(tiny.model, source)
    before = folder_state(source)
    assert folder_state(source) == before
    profile = load_profile("qwen3-1.7b")
    model = profile.model.model_copy(update={"path_or_hub_id": str(source)})
    profile = profile.model_copy(update={"model": model})
    graph = build_graph(Selection(profile, "sample"))
    assert graph["model"].config["files"] == before
    (source / "config.json").write_text("{}")
    assert folder_state(source) != before
