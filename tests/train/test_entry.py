"""What is set right in a training's process, and which trainings go through it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from text2sql.train.llamafactory import training_program
from text2sql.train.nodes import Nodes
from text2sql.train.recipe import load_recipe

torch: Any = pytest.importorskip("torch", reason="torch is not installed; run: make setup")
peft: Any = pytest.importorskip("peft", reason="peft is not installed; run: make setup")


@pytest.fixture
def model() -> Any:
    """A bfloat16 layer with a float32 adapter that does something."""
    torch.manual_seed(0)
    layers = torch.nn.Sequential(torch.nn.Linear(24, 40), torch.nn.Linear(40, 8)).bfloat16()
    config = peft.LoraConfig(r=4, target_modules=["0", "1"], init_lora_weights=False)
    adapted = peft.get_peft_model(layers, config)
    assert {p.dtype for p in adapted.parameters() if p.requires_grad} == {torch.float32}
    return adapted


def results(model: Any) -> list[Any]:
    """Output and gradients of a step under autocast."""
    torch.manual_seed(1)
    inputs = torch.randn(6, 24, dtype=torch.bfloat16)
    model.zero_grad()
    with torch.autocast("cpu", torch.bfloat16):
        output = model(inputs)
    output.float().square().sum().backward()
    return [output, *(p.grad for p in model.parameters() if p.requires_grad)]


def arguments(**changed: Any) -> Any:
    return SimpleNamespace(**{"bf16": True, "fp16": False, "deepspeed": None} | changed)


def inputs_seen(model: Any) -> set[Any]:
    """What types of numbers reach the adapters."""
    seen = set()
    for module in model.modules():
        if isinstance(module, torch.nn.Linear) and module.weight.dtype == torch.float32:
            module.register_forward_pre_hook(lambda _, given: seen.add(given[0].dtype))
    results(model)
    return seen


def test_under_autocast_adapters_take_their_input_as_it_is_and_give_the_same(model: Any) -> None:
    from text2sql.train.entry import taking_input_as_it_is

    before = results(model)
    callback = taking_input_as_it_is()
    callback.on_train_begin(arguments(), None, None, model=model)
    during = results(model)
    assert all(torch.equal(one, other) for one, other in zip(during, before, strict=True))
    assert len(during) == 5 and all(one.abs().sum() > 0 for one in during)
    assert inputs_seen(model) == {torch.bfloat16}
    callback.on_train_end(arguments(), None, None)
    assert torch.float32 in inputs_seen(model)


@pytest.mark.parametrize("changed", [{"bf16": False}, {"deepspeed": "zero2.json"}])
def test_without_autocast_their_input_becomes_what_their_weights_are(
    model: Any, changed: dict[str, Any]
) -> None:
    from text2sql.train.entry import taking_input_as_it_is

    callback = taking_input_as_it_is()
    callback.on_train_begin(arguments(**changed), None, None, model=model)
    assert torch.float32 in inputs_seen(model)
    callback.on_train_end(arguments(**changed), None, None)


@pytest.mark.parametrize(
    ("name", "changed", "on_cpu", "starts"),
    [
        ("smollm2-135m_lora_cpu", {}, True, "text2sql.train.entry"),
        ("qwen2.5-coder-0.5b_lora_cpu", {}, True, "text2sql.train.entry"),
        ("qwen2.5-coder-0.5b_qlora_1gpu", {"shared_schema": False}, False, "text2sql.train.entry"),
        ("qwen3-1.7b_full-zero2_4gpu", {}, False, None),
        ("qwen3-1.7b_full-zero2_4gpu", {}, True, "text2sql.train.entry"),
        ("qwen3-1.7b_full-megatron-tp2_4gpu", {}, False, "text2sql.train.megatron_entry"),
    ],
)
def test_all_start_through_it_but_those_that_llamafactory_spreads_over_gpus(
    name: str, changed: dict[str, Any], on_cpu: bool, starts: str | None
) -> None:
    program = training_program(load_recipe(name).changed(changed), Nodes(), on_cpu)
    assert (program[-1] if program else None) == starts
