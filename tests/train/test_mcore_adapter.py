"""LLaMA-Factory over Megatron through ROLL's MCoreAdapter, on gloo with the CPU shim.

Run with ``make test-megatron`` after ``make setup-megatron MCORE_ADAPTER=<ROLL> VENV=.venv``.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE

from text2sql.errors import UserError
from text2sql.train.megatron_setup import require_mcore_adapter
from text2sql.train.stage import complete_checkpoints

try:
    require_mcore_adapter()
    MISSING = ""
except UserError as error:
    MISSING = str(error)

pytestmark = [
    pytest.mark.megatron,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(bool(MISSING), reason=MISSING),
]

STEPS = 6
WAYS = {
    "tp1": (1, {}),
    "tp2": (2, {"tensor_model_parallel_size": 2}),
    "tp2-sp": (
        2,
        {
            "tensor_model_parallel_size": 2,
            "sequence_parallel": True,
            "use_distributed_optimizer": True,
            "overlap_grad_reduce": True,
            "overlap_param_gather": True,
        },
    ),
    "pp2": (2, {"pipeline_model_parallel_size": 2}),
}


@pytest.fixture(scope="module")
def alone(tiny: Any, recipe: Any, train: Callable[..., Any], tmp_path_factory: Any) -> Any:
    """The same training by Hugging Face."""
    return train(tmp_path_factory.mktemp("alone"), recipe(max_steps=STEPS), tiny.inputs)


@pytest.mark.parametrize("way", WAYS)
def test_training_equals_hugging_face(
    tiny: Any,
    recipe: Any,
    train_megatron: Callable[..., Any],
    run_stage: Callable[..., Any],
    alone: Any,
    tmp_path: Path,
    way: str,
) -> None:
    processes, sizes = WAYS[way]
    keys = {"max_steps": STEPS, "calculate_per_token_loss": True, **sizes}
    launch = {"backend": "megatron", "processes": processes}
    trained = train_megatron(tmp_path / "train", recipe(launch=launch, **keys), tiny.inputs)
    assert trained.losses == pytest.approx(alone.losses, abs=1e-3)

    inputs = {"train": trained.output, "model": tiny.model}
    converted = run_stage(
        tmp_path / "hf", {}, inputs, module="text2sql.convert.megatron", kind="mg2hf"
    )
    assert converted.details["tensor_parallel"] == sizes.get("tensor_model_parallel_size", 1)
    ours, theirs = converted.weights(), alone.weights()
    for name, tensor in theirs.items():
        assert (ours[name] - tensor).abs().max() < 1e-3, name


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("model", ["tiny", "tiny_untied"])
def test_hf_to_megatron_to_hf_is_bit_exact(
    model: str,
    ranks: int,
    request: pytest.FixtureRequest,
    run_stage: Callable[..., Any],
    tmp_path: Path,
) -> None:
    import torch
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

    source = request.getfixturevalue(model).model
    there = run_stage(
        tmp_path / "mg",
        {"tensor_parallel": ranks, "pipeline_parallel": 1, "bf16": False},
        {"model": source},
        module="text2sql.convert.megatron",
        kind="hf2mg",
    )
    back = run_stage(
        tmp_path / "hf",
        {},
        {"train": there.output, "model": source},
        module="text2sql.convert.megatron",
        kind="mg2hf",
    )
    ours = AutoModelForCausalLM.from_pretrained(back.output).state_dict()
    theirs = AutoModelForCausalLM.from_pretrained(source).state_dict()
    assert ours.keys() == theirs.keys()
    for name, tensor in theirs.items():
        assert torch.equal(ours[name], tensor), name
    assert load_file(source / "model.safetensors").keys() <= back.weights().keys()
    before, after = (AutoTokenizer.from_pretrained(p) for p in (source, back.output))
    assert after.get_vocab() == before.get_vocab()
    assert after.chat_template == before.chat_template
    assert GenerationConfig.from_pretrained(back.output).temperature == 0.7


def test_llamafactory_knows_every_key_of_the_published_recipe(
    without_kernels: dict[str, Any], tiny: Any, run_stage: Callable[..., Any], tmp_path: Path
) -> None:
    """The shipped recipe itself, scaled down: one step of the published batch's shape."""
    from text2sql.train.recipe import load_recipe

    shipped = load_recipe("qwen3-1.7b_full-megatron-tp2_4gpu")
    small = shipped.changed(
        {
            "processes": 2,
            "max_steps": 2,
            "save_strategy": "no",
            "per_device_train_batch_size": 2,
            "gradient_accumulation_steps": 2,
            "preprocessing_num_workers": 1,
            "logging_steps": 1,
            **without_kernels,
        }
    )
    config = {**small.model_dump(mode="json"), "template": "qwen3"}
    trained = run_stage(tmp_path, config, tiny.inputs)
    assert trained.details["steps"] == 2
    assert len(trained.losses) == 2


def test_killed_training_goes_on(
    tiny: Any,
    recipe: Any,
    train_megatron: Callable[..., Any],
    run_stage: Callable[..., Any],
    start_stage: Callable[..., Any],
    tmp_path: Path,
) -> None:
    """With the plain optimizer; the distributed one does not on a CPU (see `check_resume`)."""
    keys = {
        "tensor_model_parallel_size": 2,
        "calculate_per_token_loss": True,
        "save_strategy": "steps",
        "save_steps": 3,
    }
    config = recipe(launch={"backend": "megatron", "processes": 2}, **keys)
    whole = train_megatron(tmp_path / "whole", config, tiny.inputs)
    cut = tmp_path / "cut"
    process = start_stage(cut, config, tiny.inputs)
    deadline = time.monotonic() + PATIENCE
    while not complete_checkpoints(cut):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    resumed = run_stage(cut, config, tiny.inputs)
    assert "going on from checkpoint-" in resumed.text
    assert resumed.details["steps"] == 12
    assert by_step(resumed) == pytest.approx(by_step(whole), abs=1e-3)


LAST = 20
GOING_ON = {"max_steps": LAST, "save_strategy": "steps", "save_steps": 2}


@pytest.fixture(scope="module")
def stopped(
    tiny: Any, recipe: Any, train_megatron: Callable[..., Any], tmp_path_factory: Any
) -> Any:
    """A training that was stopped after its last step, before its stage was done."""
    config = recipe(launch={"backend": "megatron", "processes": 1}, **GOING_ON)
    trained = train_megatron(tmp_path_factory.mktemp("stopped"), config, tiny.inputs)
    assert trained.details["steps"] == LAST
    return trained


# The first epoch takes 17 steps: its 16 batches, and one for which it begins again.
@pytest.mark.parametrize("step", [16, 18, LAST])
def test_going_on_ends_at_the_last_step(
    stopped: Any,
    tiny: Any,
    recipe: Any,
    run_stage: Callable[..., Any],
    tmp_path: Path,
    step: int,
) -> None:
    """As the unbroken training does; from the checkpoint of the last step it trains nothing."""
    config = recipe(launch={"backend": "megatron", "processes": 1}, **GOING_ON)
    resumed = run_stage(left_at(step, stopped.output, tmp_path), config, tiny.inputs)
    assert f"going on from checkpoint-{step}" in resumed.text
    assert resumed.details["steps"] == LAST
    assert by_step(resumed) == by_step(stopped)
    ours, theirs = megatron_weights(resumed.output), megatron_weights(stopped.output)
    assert ours.keys() == theirs.keys()
    for name, tensor in theirs.items():
        assert ours[name].equal(tensor), name


def test_mcore_adapter_alone_trains_a_step_after_the_last(
    stopped: Any, tiny: Any, recipe: Any, train_megatron: Callable[..., Any], tmp_path: Path
) -> None:
    """What `text2sql.train.megatron_entry`, which this training does not go through, is for."""
    config = recipe(launch={"backend": "megatron", "processes": 1}, **GOING_ON)
    resumed = train_megatron(left_at(LAST, stopped.output, tmp_path), config, tiny.inputs)
    assert resumed.details["steps"] == LAST + 1


def left_at(step: int, training: Path, folder: Path) -> Path:
    """Copy what a training that is killed after the checkpoint of a step leaves."""
    for number, checkpoint in complete_checkpoints(training).items():
        if number <= step:
            shutil.copytree(checkpoint, folder / "cut" / checkpoint.name)
    shutil.copy(training / "trainer_log.jsonl", folder / "cut")
    return folder / "cut"


def megatron_weights(folder: Path) -> dict[str, Any]:
    """All tensors of a model that one process saved in Megatron's form."""
    import torch

    (path,) = folder.glob("iter_*/mp_rank_*/model_optim_rng.pt")
    saved = torch.load(path, weights_only=False)["model"]
    found = {name: value for name, value in saved.items() if isinstance(value, torch.Tensor)}
    assert found
    return found


def by_step(trained: Any) -> dict[int, float]:
    """Loss of each step; those between the last checkpoint and the kill were logged twice."""
    rows = [json.loads(line) for line in (trained.output / "trainer_log.jsonl").open()]
    return {row["current_steps"]: row["loss"] for row in rows if row.get("loss") is not None}
