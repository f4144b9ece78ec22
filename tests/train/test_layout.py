"""A recipe's batch on any number of cards, and the memory of it by hand."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from text2sql import hardware
from text2sql.config import load_config
from text2sql.errors import UserError
from text2sql.files import GIB
from text2sql.hardware import MachineConfig, machine_here
from text2sql.pipeline.command import select_run
from text2sql.pipeline.run_stage import build_graph, load_run
from text2sql.pipeline.scheduler import stage_environment
from text2sql.profile import load_profile
from text2sql.train.architecture import Architecture
from text2sql.train.layout import layout, layouts
from text2sql.train.memory import estimate_memory
from text2sql.train.recipe import Recipe, load_recipe
from text2sql.train.schedule import gpu_key

ROOT = Path(__file__).resolve().parents[2]
RECIPES = sorted(path.stem for path in (ROOT / "configs" / "train").glob("*gpu.yaml"))
SPREAD = [name for name in RECIPES if name.endswith("_4gpu")]
MACHINES = ("1gpu-24gb", "2gpu-24gb", "4gpu-24gb", "1gpu-80gb", "8gpu-80gb")


def replicas(recipe: Recipe) -> int:
    return recipe.launch.processes // (recipe.tensor_parallel * recipe.pipeline_parallel)


@pytest.fixture(autouse=True)
def no_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "visible_gpus", lambda: ())


@pytest.mark.parametrize("name", RECIPES)
def test_every_gpu_recipe_says_its_effective_batch(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.effective_batch == recipe.batch * recipe.accumulation * replicas(recipe)


def test_a_recipe_that_says_another_batch_than_it_has_is_refused(tmp_path: Path) -> None:
    text = (ROOT / "configs/train/qwen3-1.7b_lora-r32_4gpu.yaml").read_text()
    path = tmp_path / "r.yaml"
    path.write_text(text.replace("effective_batch: 64", "effective_batch: 60"))
    with pytest.raises(UserError, match="effective_batch 60 is not 8 a device x 2 steps"):
        load_recipe(str(path))


def test_a_cpu_recipe_keeps_its_config() -> None:
    assert "effective_batch" not in load_recipe("qwen2.5-coder-0.5b_lora_cpu").model_dump()


def test_who_sets_the_split_sets_the_batch() -> None:
    recipe = load_recipe("qwen3-1.7b_lora-r32_4gpu", {"per_device_train_batch_size": 2})
    assert recipe.effective_batch is None
    assert load_recipe("qwen3-1.7b_lora-r32_4gpu", {"learning_rate": 1e-4}).effective_batch == 64


@cache
def sizes() -> Architecture:
    return Architecture.from_config(load_profile("qwen3-1.7b").model.architecture)


def laid_out(name: str, machine: str) -> Recipe:
    there = load_config(ROOT / f"configs/machines/{machine}.yaml", MachineConfig)
    recipe = load_recipe(name)
    return recipe.laid_out(layout(recipe, there.gpus, there.gpu_memory_gb, 1, sizes()))


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("name", SPREAD)
def test_the_batch_stays_on_any_machine(name: str, machine: str) -> None:
    recipe, written = laid_out(name, machine), load_recipe(name)
    assert recipe.batch * recipe.accumulation * replicas(recipe) == written.effective_batch
    assert recipe.batch <= written.batch
    assert recipe.launch.processes <= int(machine[0])
    same = {"learning_rate", "optim", "cutoff_len", "num_train_epochs", "seed", "lora_rank"}
    for key in same & written.llamafactory.keys():
        assert recipe.llamafactory[key] == written.llamafactory[key]
    if machine == "4gpu-24gb":
        assert recipe == written


# Recipe and machine: processes, rows a device, steps accumulated, ZeRO, tensor parallel, liger.
SPLITS = [
    ("lora-r32", "1gpu-24gb", (1, 8, 8, 0, 1, False)),
    ("lora-r32", "2gpu-24gb", (2, 8, 4, 3, 1, False)),
    ("lora-r32", "8gpu-80gb", (8, 8, 1, 3, 1, False)),
    ("full-zero2", "1gpu-24gb", (1, 3, 20, 0, 1, True)),
    ("full-zero2", "1gpu-80gb", (1, 3, 20, 0, 1, False)),
    ("full-megatron-tp2", "1gpu-80gb", (1, 6, 10, 0, 1, False)),
    ("full-megatron-tp2", "8gpu-80gb", (8, 5, 3, 0, 2, False)),
    ("full-zero2-autotp2", "1gpu-80gb", (1, 3, 20, 0, 1, False)),
]


@pytest.mark.parametrize(("name", "machine", "expected"), SPLITS)
def test_splits(name: str, machine: str, expected: tuple[Any, ...]) -> None:
    recipe = laid_out(f"qwen3-1.7b_{name}_4gpu", machine)
    assert (
        recipe.launch.processes,
        recipe.batch,
        recipe.accumulation,
        recipe.zero_stage,
        recipe.tensor_parallel,
        bool(recipe.llamafactory.get("enable_liger_kernel")),
    ) == expected
    assert ("deepspeed" in recipe.llamafactory) == (recipe.launch.backend == "deepspeed")
    if recipe.launch.backend == "megatron":
        assert recipe.llamafactory["sequence_parallel"] == (recipe.tensor_parallel > 1)


def test_two_nodes_of_eight() -> None:
    recipe = load_recipe("qwen3-1.7b_lora-r32_4gpu")
    first = next(layouts(recipe, gpus=8, nodes=2))
    assert (first["processes"], first["per_device_train_batch_size"]) == (8, 4)
    assert first["gradient_accumulation_steps"] == 1


def test_cards_that_do_not_divide_the_batch_are_left_out() -> None:
    assert next(layouts(load_recipe("qwen3-1.7b_lora-r32_4gpu"), gpus=3))["processes"] == 2
    assert next(layouts(load_recipe("qwen3-1.7b_full-zero2_4gpu"), gpus=7))["processes"] == 6


def test_a_stages_process_gets_the_layout_from_the_command() -> None:
    """It does not look at the cards again: all processes of a run mean the same trainings."""
    graph = select_run("qwen3-1.7b", machine="1gpu-80gb")
    again = build_graph(load_run(**graph.run.choices()))
    assert {n: s.config for n, s in again.items()} == {n: s.config for n, s in graph.items()}


# The machine.

FOUR = MachineConfig(gpus=4, gpu_memory_gb=24, variables={"NCCL_P2P_DISABLE": "1", "X": "y"})


@pytest.mark.parametrize(
    ("cards", "gpus", "memory", "peer_to_peer_off"),
    [
        ((("NVIDIA GeForce RTX 4090", 23.99),) * 4, 4, 24, True),
        ((("NVIDIA GeForce RTX 4090", 23.99),) * 2, 2, 24.0, True),
        ((("NVIDIA GeForce RTX 4090", 23.99),), 1, 24.0, False),
        ((("NVIDIA H100 80GB HBM3", 79.64),) * 8, 8, 79.6, False),
        ((("NVIDIA A10", 22.49),) * 4, 4, 24, False),
        ((("Tesla T4", 15.0),) * 4, 4, 24, True),  # none is good enough: as the profile says
        ((), 4, 24, True),
    ],
)
def test_the_machine_that_is_here(
    cards: Any, gpus: int, memory: float, peer_to_peer_off: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "visible_gpus", lambda: cards)
    here = machine_here(FOUR)
    assert (here.gpus, here.gpu_memory_gb) == (gpus, memory)
    assert ("NCCL_P2P_DISABLE" in here.variables) == peer_to_peer_off
    assert here.variables["X"] == "y"


def test_a_profile_for_cpus_stays_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "visible_gpus", lambda: (("NVIDIA H100 PCIe", 79.6),))
    assert select_run("smollm2-135m").run.machine == load_profile("smollm2-135m").machine


def test_no_recipe_sets_what_is_the_machines() -> None:
    for name in RECIPES:
        assert not [key for key in load_recipe(name).environment() if key.startswith("NCCL_")]


def test_the_users_variable_wins_over_the_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NCCL_P2P_DISABLE", "0")
    stage = select_run("qwen3-1.7b")["train:qwen3-1.7b_lora-r32_4gpu"]
    assert stage.settings["variables"] == {"NCCL_P2P_DISABLE": "0"}


@pytest.mark.parametrize(
    ("visible", "first"),
    [(None, "0"), ("2,3", "2"), ("GPU-ab,GPU-cd", "GPU-ab")],
)
def test_a_single_process_sees_a_single_card(
    visible: str | None, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    monkeypatch.setattr("text2sql.pipeline.scheduler.stage_python", lambda _: Path("python"))
    name = "qwen3-1.7b_lora-all-packed_1gpu"
    graph = select_run("qwen3-1.7b", recipe=name, machine="4gpu-24gb")
    assert stage_environment(graph[f"train:{name}"])["CUDA_VISIBLE_DEVICES"] == first
    spread = stage_environment(graph["train:qwen3-1.7b_lora-r32_4gpu"])
    assert spread.get("CUDA_VISIBLE_DEVICES") == visible


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("NVIDIA GeForce RTX 4090", "rtx-4090"),
        ("NVIDIA GeForce RTX 4090 D", None),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", None),
        ("NVIDIA GeForce RTX 5090", "rtx-5090"),
        ("NVIDIA L4", "l4"),
        ("NVIDIA L40S", "l40s"),
        ("NVIDIA L40", None),
        ("NVIDIA RTX A6000", "rtx-a6000"),
        ("NVIDIA A10", "a10"),
        ("NVIDIA A10G", None),
        ("NVIDIA A100-SXM4-40GB", "a100-40gb"),
        ("NVIDIA A100-SXM4-80GB", "a100-80gb"),
        ("NVIDIA A100 80GB PCIe", "a100-80gb"),
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("NVIDIA H100 NVL", None),
        ("NVIDIA H200", "h200"),
        ("Tesla T4", None),
    ],
)
def test_cards_go_by_their_whole_name(name: str, key: str | None) -> None:
    assert gpu_key(name) == key


# The memory. Qwen3-1.7B: 1.7206e9 parameters, 0.3112e9 of them the shared embedding (151,936 x
# 2,048), 28 layers of 2,048 with heads of 2,048 and 1,024 and 6,144 within.

P, VOCABULARY, HIDDEN, LAYERS, INNER = 1.7206e9, 151_936, 2048, 28, 6144
CONTEXT = 1.5 * GIB


def activations(tokens: int) -> float:
    """2 bytes: the input of every layer, and the inside of one, twice for its gradients."""
    inside = 8 * HIDDEN + 2 * (2048 + 1024) + 4 * INNER
    return 2 * tokens * (LAYERS * HIDDEN + 2 * inside)


def hand(name: str, **keys: Any) -> tuple[float, float]:
    """What the code says of a recipe at the tokens of its longest micro-batch."""
    recipe = load_recipe(f"qwen3-1.7b_{name}").changed(keys)
    tokens = recipe.cutoff * recipe.batch
    return estimate_memory(recipe, sizes(), tokens).total, tokens


def test_memory_of_lora_on_one_card_by_hand() -> None:
    total, tokens = hand("lora-all-packed_1gpu")
    adapters = LAYERS * 32 * (2 * (2048 + 2048) + 2 * (2048 + 1024) + 3 * (2048 + 6144))
    by_hand = 2 * P + 16 * adapters + 12 * tokens * VOCABULARY + activations(int(tokens)) + CONTEXT
    assert total == pytest.approx(by_hand, rel=0.1)


def test_memory_of_full_fine_tuning_on_one_card_by_hand() -> None:
    """float32 weights and their bf16 copy, float32 gradients, two moments of a byte."""
    keys = {"processes": 1, "backend": "single", "deepspeed": None}
    total, tokens = hand("full-zero2_4gpu", **keys)
    by_hand = (4 + 2 + 4 + 2) * P + 12 * tokens * VOCABULARY + activations(int(tokens)) + CONTEXT
    assert total == pytest.approx(by_hand, rel=0.1)
    with_liger, _ = hand("full-zero2_4gpu", **keys, enable_liger_kernel=True)
    # Gradients of the hidden states and the output layer, logits of a 64th of 3,072 tokens.
    fused = 2 * (tokens * HIDDEN + VOCABULARY * HIDDEN + 64 * VOCABULARY)
    by_hand = 12 * P + fused + activations(int(tokens)) + CONTEXT
    assert with_liger == pytest.approx(by_hand, rel=0.1)
    assert with_liger < 0.85 * total


def test_memory_of_zero_2_by_hand() -> None:
    """bf16 weights and gradients whole, a quarter of float32 weights and moments, two buckets."""
    total, tokens = hand("full-zero2_4gpu")
    states = 2 * P + (2 + 4 + 2 * 1 + 4) * P / 4  # gradients are kept in shards, in float32 too
    by_hand = states + 2 * 2 * 5e8 + 12 * tokens * VOCABULARY + activations(int(tokens)) + CONTEXT
    assert total == pytest.approx(by_hand, rel=0.1)


def test_memory_of_megatron_by_hand() -> None:
    """Tensor parallel 2 on four cards: half of the weights, of their optimizer a quarter."""
    total, tokens = hand("full-megatron-tp2_4gpu")
    half = P / 2
    states = (2 + 4) * half + 12 * half / 2
    inside = 8 * HIDDEN + 2 * (2048 + 1024) + 4 * INNER
    kept = 2 * tokens * LAYERS * (HIDDEN + inside) / 2
    by_hand = states + kept + 12 * tokens * VOCABULARY / 2 + CONTEXT
    assert total == pytest.approx(by_hand, rel=0.1)


def test_liger_goes_neither_with_zero_3_nor_with_megatron() -> None:
    for name, reason in (
        ("qwen3-1.7b_lora-r32_4gpu", "whole weights on every GPU"),
        ("qwen3-1.7b_full-zero2-autotp2_4gpu", "whole weights on every GPU"),
        ("qwen3-1.7b_full-megatron-tp2_4gpu", "no effect under Megatron"),
    ):
        with pytest.raises(UserError, match=reason):
            load_recipe(name, {"enable_liger_kernel": True})
