"""Megatron-core from PyPI on two gloo processes trains as Hugging Face does, and converts back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE

PROGRAM = Path(__file__).parent / "programs" / "plain_megatron.py"
needs_megatron = pytest.mark.skipif(
    find_spec("megatron") is None, reason="megatron-core is not installed; run: make setup"
)


def train(model: Path, result: Path, steps: int, *options: str) -> dict[str, Any]:
    root = Path(__file__).resolve().parents[2]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(root / "src"), str(root / "tests" / "helpers")]),
        "OMP_NUM_THREADS": "1",
        "PYTHONUTF8": "1",  # torch reads files of its own in the locale's encoding
        "CUDA_VISIBLE_DEVICES": "",
    }
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    done = subprocess.run(
        [*command, str(PROGRAM), str(model), str(result), str(steps), *options],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr[-5000:]
    found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    return found


@needs_megatron
def test_tensor_parallel_2_equals_hugging_face(tiny: Any, tmp_path: Path) -> None:
    """Tensor parallel 2, sequence parallel, distributed optimizer, tied embeddings, 12 steps."""
    found = train(tiny.model, tmp_path / "result.json", 12, "sequence-parallel")
    assert found["round_trip"] == 0.0
    assert len(found["megatron"]) == 12
    assert found["megatron"] == pytest.approx(found["hugging_face"], abs=1e-4)
    assert found["hugging_face"][-1] < found["hugging_face"][0] - 0.5
    for ours, theirs in found["norms"]:
        assert ours == pytest.approx(theirs, rel=1e-3)
    assert found["trained"] < 1e-3


@needs_megatron
@pytest.mark.slow
def test_untied_and_without_sequence_parallel(tiny_untied: Any, tmp_path: Path) -> None:
    found = train(tiny_untied.model, tmp_path / "result.json", 4)
    assert found["round_trip"] == 0.0
    assert found["megatron"] == pytest.approx(found["hugging_face"], abs=1e-3)
    assert found["trained"] < 1e-3


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("model", ["tiny", "tiny_untied"])
def test_layout_round_trip_is_exact(model: str, ranks: int, request: pytest.FixtureRequest) -> None:
    import torch
    from megatron_layout import to_hugging_face, to_megatron
    from transformers import AutoModelForCausalLM

    loaded = AutoModelForCausalLM.from_pretrained(request.getfixturevalue(model).model)
    weights = loaded.state_dict()
    shares = [to_megatron(weights, loaded.config, rank, ranks) for rank in range(ranks)]
    back = to_hugging_face(shares, loaded.config)
    assert back.keys() == weights.keys()
    for name, tensor in weights.items():
        assert torch.equal(back[name], tensor), name


def test_heads_that_cannot_be_divided_are_refused(tiny: Any) -> None:
    from megatron_layout import to_megatron
    from transformers import AutoConfig

    with pytest.raises(ValueError, match="2 key-value heads cannot be divided among 4 ranks"):
        to_megatron({}, AutoConfig.from_pretrained(tiny.model), 0, 4)
