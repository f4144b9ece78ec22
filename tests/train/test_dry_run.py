"""The dry run: its counts against the frameworks', its refusals, its words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from text2sql.errors import UserError
from text2sql.files import GIB
from text2sql.paths import config_path
from text2sql.pipeline.command import select_run
from text2sql.pipeline.registry import build_graph
from text2sql.profile import load_profile
from text2sql.run import Run
from text2sql.train.architecture import Architecture
from text2sql.train.dry_run import dry_run
from text2sql.train.launch import launch_line
from text2sql.train.lengths import Lengths, count_cut
from text2sql.train.memory import deepspeed_states, estimate_memory
from text2sql.train.nodes import Nodes
from text2sql.train.recipe import Recipe, load_recipe, parse_overrides
from text2sql.train.schedule import plan_schedule

PROFILES = ("qwen3-1.7b", "qwen3-4b", "qwen2.5-coder-7b", "deepseek-coder-6.7b", "smollm2-135m")
PROFILES += ("qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b_gpu")
# Published sizes, in parameters, of the models' own cards.
BILLIONS = (1.72, 4.02, 7.62, 6.74, 0.1345, 0.494, 1.54)
ROOT = Path(__file__).resolve().parents[2]
RECIPES = sorted(path.stem for path in (ROOT / "configs" / "train").glob("*.yaml"))


def describe(
    recipe: str, profile: str = "qwen3-1.7b", overrides: Any = None, **options: Any
) -> str:
    loaded = load_profile(profile)
    selection = Run(loaded, loaded.dataset, None, recipe, overrides=overrides or {})
    stage = build_graph(selection)[f"train:{selection.recipe_name}"]
    return dry_run(stage, loaded, **options)


def line(text: str, name: str) -> str:
    return next(row for row in text.splitlines() if row.startswith(f"{name}:")).split(":", 1)[1]


@pytest.mark.parametrize(("profile", "billions"), [*zip(PROFILES, BILLIONS, strict=True)])
def test_parameters_are_those_of_the_model_cards(profile: str, billions: float) -> None:
    model = Architecture.from_config(load_profile(profile).model.architecture)
    assert model.parameters / 1e9 == pytest.approx(billions, rel=0.003)


@pytest.mark.parametrize("kind", ["llama", "qwen2", "qwen3"])
@pytest.mark.parametrize("tied", [True, False])
def test_parameters_are_those_of_a_sum_by_hand(kind: str, tied: bool) -> None:
    """4 heads of queries and 2 of keys and values; Qwen3's are 32 wide, the others' 16."""
    model = Architecture.from_config(
        {
            "model_type": kind,
            "hidden_size": 64,
            "intermediate_size": 96,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "vocab_size": 128,
            "tie_word_embeddings": tied,
        }
        | ({"head_dim": 32} if kind == "qwen3" else {})
    )
    queries, keys = (128, 64) if kind == "qwen3" else (64, 32)
    extra = {"llama": 0, "qwen2": queries + 2 * keys, "qwen3": 2 * 32}  # biases; norms of heads
    layer = 2 * 64 * queries + 2 * 64 * keys + 3 * 64 * 96 + 2 * 64 + extra[kind]
    assert (model.query_width, model.key_width) == (queries, keys)
    assert model.decoder_parameters == 3 * layer
    assert model.parameters == 3 * layer + (1 if tied else 2) * 128 * 64 + 64
    assert model.largest_layer == max(128 * 64, 64 * queries)
    adapters = 8 * ((64 + queries) + (64 + keys) + (96 + 64))
    assert model.adapter_parameters(8, "q_proj,v_proj,down_proj") == 3 * adapters
    everything = 8 * (2 * (64 + queries) + 2 * (64 + keys) + 3 * (96 + 64))
    assert model.adapter_parameters(8, "all") == 3 * everything
    with pytest.raises(UserError, match="lora_target 'c_attn' is none of q_proj, k_proj"):
        model.adapter_parameters(8, "q_proj,c_attn")


def test_a_config_without_a_size_is_not_filled_with_another_models() -> None:
    with pytest.raises(UserError, match="config has no key 'hidden_size'"):
        Architecture.from_config({"model_type": "llama"})


@pytest.mark.parametrize("processes", [1, 4, 8])
def test_states_are_those_of_deepspeeds_estimators(processes: int) -> None:
    from deepspeed.runtime.zero.stage3 import estimate_zero3_model_states_mem_needs
    from deepspeed.runtime.zero.stage_1_and_2 import estimate_zero2_model_states_mem_needs

    total, largest = 1_720_574_976, 311_164_928
    _, two = estimate_zero2_model_states_mem_needs(total, processes, 1, cpu_offload=False)
    _, three, _ = estimate_zero3_model_states_mem_needs(
        total, largest, processes, 1, cpu_offload=False, cpu_offload_params=False
    )
    assert deepspeed_states(2, total, largest, processes) == pytest.approx(two, abs=1)
    assert deepspeed_states(3, total, largest, processes) == pytest.approx(three, abs=1)


def test_share_of_rows_cut_is_told() -> None:
    cut = count_cut(Lengths([100, 90, 40, 10], [10, 10, 10, 80], counted=True), 100)
    assert (cut.prompts, cut.answers, cut.rows) == (1, 0, 4)
    assert "25.00% of the rows" in (cut.describe(100) or "")
    assert count_cut(Lengths([10], [10], counted=True), 100).describe(100) is None


@pytest.mark.parametrize("name", RECIPES)
def test_every_shipped_recipe_fits_its_profile(name: str) -> None:
    profile = name.split("_")[0]
    if load_recipe(name).objective != "sft":
        profile = f"{profile}_learning"
    on_gpu = f"{profile}_gpu"
    if name.endswith("_1gpu") and config_path("profiles", on_gpu).is_file():
        profile = on_gpu
    text = describe(name, profile)
    assert "fits:" in text or "fits with rows of usual length" in text


@pytest.mark.parametrize("objective", ["rft", "dpo", "kto"])
@pytest.mark.parametrize(("machine", "processes"), [("1gpu-24gb", 1), ("4gpu-24gb", 4)])
def test_learning_keeps_its_batch_on_one_gpu_and_on_four(
    objective: str, machine: str, processes: int
) -> None:
    graph = select_run("qwen3-1.7b_learning", machine=machine)
    text = dry_run(graph[f"train:qwen3-1.7b_{objective}_4gpu"], graph.run.profile)
    assert line(text, "batch").split(" =")[0].strip() == "32"
    assert f"{processes} x rtx-4090" in line(text, "machine")
    assert "fits:" in text or "fits with rows of usual length" in text


def test_dpo_reads_two_answers_a_row() -> None:
    lengths = Lengths([60] * 8, [40] * 8, counted=True)
    model = Architecture.from_config(load_profile("qwen3-1.7b").model.architecture)
    one, two = (load_recipe(f"qwen3-1.7b_{name}_4gpu") for name in ("rft", "dpo"))
    same = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 1}
    first, second = (plan_schedule(recipe.changed(same), lengths) for recipe in (one, two))
    assert (first.micro_batch_tokens, second.micro_batch_tokens) == (200, 400)
    assert second.tokens == 2 * first.tokens
    full = {"objective": "dpo", "method": "full", "llamafactory": {"finetuning_type": "full"}}
    alone = Recipe.model_validate(full | {"objective": "sft"})
    weights = [estimate_memory(r, model, 100).weights for r in (Recipe.model_validate(full), alone)]
    assert weights[0] - weights[1] == 2 * model.parameters  # of the model it is held against


def test_what_it_prints() -> None:
    text = describe("qwen3-1.7b_lora-r32_4gpu", rows=126_641)
    assert line(text, "batch").split(" =")[0].strip() == "64"
    assert line(text, "steps").split()[0] == "5937"
    assert "1.721e9 parameters, 6.4e6 trained" in line(text, "model")
    assert "4 x rtx-4090 (24 GiB each)" in line(text, "machine")
    assert "FORCE_TORCHRUN=1 NPROC_PER_NODE=4 llamafactory-cli train" in line(text, "launch")
    assert "  lora_target: q_proj,v_proj" in text
    # Published: 2 h 55 to 3 h 22 for these rows.
    assert "80 min to 5 h" in line(text, "time")


def test_overrides_change_what_it_prints() -> None:
    changes = parse_overrides(["per_device_train_batch_size=2", "learning_rate=1e-4"])
    text = describe("qwen3-1.7b_lora-r32_4gpu", overrides=changes)
    assert line(text, "batch").split(" =")[0].strip() == "16"
    assert "  learning_rate: 0.0001" in text
    assert "+learning_rate=0.0001,per_device_train_batch_size=2" in line(text, "launch")


def test_what_cannot_fit_is_refused_with_a_change_that_does() -> None:
    with pytest.raises(UserError) as caught:
        describe("qwen3-1.7b_full-zero2_4gpu", overrides={"processes": 1, "optim": "adamw_torch"})
    shown = str(caught.value)
    assert "\n" not in shown
    assert "rtx-4090 has 24 GiB" in shown
    proposed = parse_overrides(shown.split('SET="')[1].split('"')[0].split())
    again = {"processes": 1, "optim": "adamw_torch"} | proposed
    assert "GiB left" in describe("qwen3-1.7b_full-zero2_4gpu", overrides=again)


def test_what_no_setting_helps_names_another_method() -> None:
    with pytest.raises(UserError, match="train-qlora"):
        describe(
            "deepseek-coder-6.7b_lora-r16_1gpu",
            "deepseek-coder-6.7b",
            overrides={"per_device_train_batch_size": 1, "lora_rank": 1024},
        )


def test_more_memory_for_more() -> None:
    """Every part of the estimate grows with what it holds."""
    model = Architecture.from_config(load_profile("qwen3-1.7b").model.architecture)
    lora = load_recipe("qwen3-1.7b_lora-r32_4gpu")
    full = load_recipe("qwen3-1.7b_full-zero2_4gpu")
    wide = load_recipe("qwen3-1.7b_lora-r128_4gpu")

    def total(recipe: Recipe, tokens: int = 1024) -> float:
        return estimate_memory(recipe, model, tokens).total / GIB

    assert total(lora) < total(wide) < total(full)
    assert total(lora) < total(lora, 4096)
    assert total(full) > total(full.changed({"processes": 8}))
    assert total(full) < total(full.changed({"optim": "adamw_torch"}))
    assert total(full) > total(full.changed({"deepspeed": "configs/deepspeed/zero3.json"}))


@pytest.mark.parametrize(
    ("rows", "steps"),
    [(64, 1), (65, 2), (640, 10), (641, 11)],
)
def test_steps_are_counted_as_the_trainer_does(rows: int, steps: int) -> None:
    recipe = load_recipe("qwen3-1.7b_lora-r32_4gpu", {"num_train_epochs": 1})
    lengths = Lengths([50] * rows, [10] * rows, counted=True)
    assert plan_schedule(recipe, lengths).steps == steps


def test_processes_that_tensor_parallelism_cannot_split() -> None:
    recipe = load_recipe("qwen3-1.7b_full-zero2-autotp2_4gpu", {"processes": 3})
    with pytest.raises(UserError, match="set processes=2"):
        plan_schedule(recipe, Lengths([5], [5], counted=True))


def test_several_nodes() -> None:
    environment = {"NNODES": "2", "NODE_RANK": "1", "MASTER_ADDR": "a", "MASTER_PORT": "29500"}
    nodes = Nodes.from_environment(environment)
    profile = load_profile("qwen3-1.7b")
    graph = build_graph(Run(profile, profile.dataset))
    text = launch_line(graph["train:qwen3-1.7b_lora-r32_4gpu"], nodes)
    assert "NNODES=2 NODE_RANK=1 MASTER_ADDR=a MASTER_PORT=29500" in text
    lengths = Lengths([50] * 1280, [10] * 1280, counted=True)
    recipe = load_recipe("qwen3-1.7b_lora-r32_4gpu", {"num_train_epochs": 1})
    assert plan_schedule(recipe, lengths, nodes.count).effective_batch == 128


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"NNODES": "two"}, "expected a number"),
        ({"NNODES": "2", "NODE_RANK": "2"}, "ranks go from 0 to NNODES - 1"),
        ({"NNODES": "2", "NODE_RANK": "1"}, "needs MASTER_ADDR"),
        ({"NNODES": "2", "MASTER_ADDR": "a", "MASTER_PORT": "1"}, "needs NODE_RANK"),
    ],
)
def test_nodes_that_are_named_wrongly(environment: dict[str, str], expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        Nodes.from_environment(environment)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["learning_rate=2e-4"], {"learning_rate": 2e-4}),
        (["bf16=false", "lora_target=all"], {"bf16": False, "lora_target": "all"}),
        (["max_steps="], {"max_steps": None}),
    ],
)
def test_overrides(texts: list[str], expected: dict[str, Any]) -> None:
    assert parse_overrides(texts) == expected


def test_an_override_that_does_not_go_with_the_recipe() -> None:
    with pytest.raises(UserError, match=r"qwen3-1\.7b_lora.*finetuning_type: lora"):
        load_recipe("qwen3-1.7b_lora-r32_4gpu", {"finetuning_type": "full"})
    with pytest.raises(UserError, match="expected key=value"):
        parse_overrides(["learning_rate"])


def test_an_unknown_gpu_and_an_unknown_model() -> None:
    with pytest.raises(UserError, match="no GPU 'gtx-970' in our table; there are: rtx-4090"):
        describe("qwen3-1.7b_lora-r32_4gpu", gpu="gtx-970")
    with pytest.raises(UserError, match="model type 'mamba' has no estimate"):
        Architecture.from_config({"model_type": "mamba"})


def test_prepared_data_is_counted(build_folder: Path, tiny_data: Path, tmp_path: Path) -> None:
    """Rows of the data stage are read where they are, and the cutoff's share is told."""
    import shutil

    profile = load_profile("smollm2-135m")
    graph = build_graph(Run(profile, "sample", None, "smollm2-135m_lora_cpu"))
    stage = graph["train:smollm2-135m_lora_cpu"]
    output = stage.inputs["data"].output
    shutil.copytree(tiny_data, output)
    (output / "manifest.json").write_text(json.dumps({"key": "x", "output_hash": "y"}))
    text = dry_run(stage, profile, gpu="rtx-4090")
    assert "64 rows of" in line(text, "data")
    assert "lengths estimated" in line(text, "data")


@pytest.mark.parametrize("keys", [{"nosuchkey": 1}, {"learning_rate": "abc"}])
def test_a_key_or_value_that_llamafactory_does_not_take_is_refused(keys: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="LLaMA-Factory"):
        describe("smollm2-135m_lora_cpu", "smollm2-135m", keys)
