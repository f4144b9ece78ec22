"""The benchmark for a first GPU, as far as it goes without one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gpu_first_run
import pytest

from text2sql import hardware
from text2sql.errors import UserError
from text2sql.train.recipe import load_recipe


def test_the_share_of_the_peak() -> None:
    assert gpu_first_run.utilization(165e12 * 6, 20, 165e12) == 0.3
    assert gpu_first_run.utilization(1.0, 1, None) is None


def test_answers_are_compared_by_question(tmp_path: Path) -> None:
    def write(name: str, texts: dict[int, str]) -> Path:
        path = tmp_path / name
        path.write_text(
            "".join(json.dumps({"id": i, "texts": [t]}) + "\n" for i, t in texts.items())
        )
        return path

    first = write("a", {0: "SELECT 1", 1: " SELECT 2\n", 2: "SELECT 3"})
    second = write("b", {1: "SELECT 2", 0: "SELECT 10", 5: "x"})
    assert gpu_first_run.same_answers(first, second) == {"questions": 2, "same": 1}


def test_its_recipes_and_profile_are_there() -> None:
    for name in gpu_first_run.RECIPES.values():
        assert load_recipe(name).shared_schema


def test_each_part_is_written_as_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: int) -> dict[str, Any]:
        raise UserError("the card was taken away")

    monkeypatch.setattr(hardware, "visible_gpus", lambda: (("NVIDIA H200", 139.8),))
    monkeypatch.setattr(gpu_first_run, "infer_part", lambda: {"seconds": 9.0})
    monkeypatch.setattr(gpu_first_run, "gguf_part", broken)
    output = tmp_path / "record.json"
    with pytest.raises(UserError, match="taken away"):
        gpu_first_run.measure(("infer", "gguf"), 1, 1, output)
    record = json.loads(output.read_text())
    assert record["infer"] == {"seconds": 9.0}
    assert record["peak_tflops"] == 989
    assert "gguf" not in record


def test_without_a_gpu_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "visible_gpus", lambda: ())
    with pytest.raises(UserError, match="no GPU here; make doctor"):
        gpu_first_run.measure(("infer",), 1, 1, tmp_path / "x.json")
    assert not list(tmp_path.iterdir())
