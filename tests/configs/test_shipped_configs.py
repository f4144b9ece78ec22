"""Every shipped config loads, is named as the house style says, and opens with its comment."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from text2sql.config import load_config, read_yaml
from text2sql.data.config import DataConfig
from text2sql.hardware import MachineConfig
from text2sql.infer.config import load_infer_config
from text2sql.learn.config import load_grpo_config
from text2sql.pipeline.registry import build_graph
from text2sql.profile import ModelConfig, load_profile
from text2sql.rag.config import load_knowledge_base_config, load_retrieval_config
from text2sql.run import Run
from text2sql.train.recipe import load_recipe

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
LOADERS: dict[str, Callable[[str], Any]] = {
    "profiles": load_profile,
    "models": lambda name: load_config(CONFIGS / "models" / f"{name}.yaml", ModelConfig),
    "machines": lambda name: load_config(CONFIGS / "machines" / f"{name}.yaml", MachineConfig),
    "train": load_recipe,
    "infer": load_infer_config,
    "knowledge-base": load_knowledge_base_config,
    "rag": load_retrieval_config,
    "grpo": load_grpo_config,
    "data": lambda name: load_config(CONFIGS / "data" / f"{name}.yaml", DataConfig),
    # Other programs' keys, which tests/learn/test_trainer_configs.py holds against theirs.
    "verl": lambda name: read_yaml(CONFIGS / "verl" / f"{name}.yaml"),
    "roll": lambda name: read_yaml(CONFIGS / "roll" / f"{name}.yaml"),
}
SHIPPED = sorted(CONFIGS.rglob("*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.relative_to(CONFIGS).as_posix())
def test_loads(path: Path) -> None:
    LOADERS[path.parent.name](path.stem)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.relative_to(CONFIGS).as_posix())
def test_opens_with_a_comment(path: Path) -> None:
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("# ")
    assert len(first) > 20


@pytest.mark.parametrize("path", sorted((CONFIGS / "train").glob("*.yaml")), ids=lambda p: p.stem)
def test_recipe_comment_says_how_to_launch_and_what_it_costs(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for word in ("# Launch: make train-", "# Cost: ", "# Values: "):
        assert word in text


@pytest.mark.parametrize(
    "path", sorted((CONFIGS / "profiles").glob("*.yaml")), ids=lambda p: p.stem
)
def test_every_profile_makes_a_graph(path: Path) -> None:
    profile = load_profile(path.stem)
    assert profile.name == path.stem
    run = Run(profile, profile.dataset)
    graph = build_graph(run)
    assert [name for name in graph if name.startswith("eval:")] == [
        f"eval:{row.name}" for row in profile.rows
    ]
    trainings = {run.training(row)[0] for row in profile.rows if row.recipe}
    assert {n for n in graph if n.startswith("train:")} == {f"train:{name}" for name in trainings}


@pytest.mark.parametrize("path", sorted((CONFIGS / "train").glob("*.yaml")), ids=lambda p: p.stem)
def test_llamafactory_knows_every_key(path: Path) -> None:
    recipe = load_recipe(path.stem)
    if recipe.launch.backend == "megatron":
        pytest.skip("Megatron's keys live in ROLL's mcore_adapter; tests marked megatron hold them")
    from text2sql.train.llamafactory import unknown_keys

    assert unknown_keys(recipe.llamafactory) == []


@pytest.mark.parametrize("path", sorted((CONFIGS / "train").glob("*.yaml")), ids=lambda p: p.stem)
def test_llamafactory_takes_every_value(path: Path) -> None:
    recipe = load_recipe(path.stem)
    if recipe.launch.backend == "megatron":
        pytest.skip("Megatron's keys live in ROLL's mcore_adapter; tests marked megatron hold them")
    from text2sql.train.llamafactory import wrong_value

    assert wrong_value(recipe.llamafactory) is None


@pytest.mark.parametrize(
    ("name", "steps", "time"),
    [
        ("lora-r32", 5920, "2:55:26"),
        ("lora-r128", 7893, "3:22:08"),
        ("full-megatron-tp2", 6315, "2 h 58"),
    ],
)
def test_published_recipes_say_log_steps_and_time(name: str, steps: int, time: str) -> None:
    text = (CONFIGS / "train" / f"qwen3-1.7b_{name}_4gpu.yaml").read_text(encoding="utf-8")
    recipe = load_recipe(f"qwen3-1.7b_{name}_4gpu")
    assert f"published: {time} on 4 x RTX 4090" in text
    assert "# Log:    as published: 126,285 rows" in text
    assert f"{steps:,} steps in 3 epochs" in text
    assert recipe.effective_batch
    assert abs(steps - 3 * 126_285 / recipe.effective_batch) < 3


def test_rank_128_is_as_its_log_says() -> None:
    recipe = load_recipe("qwen3-1.7b_lora-r128_4gpu")
    keys = recipe.llamafactory
    assert (keys["lora_rank"], keys["lora_alpha"]) == (128, 256)
    assert (recipe.batch, recipe.accumulation, recipe.effective_batch) == (6, 2, 48)


def test_published_rows_are_judged_as_published() -> None:
    for name in ("qwen3-1.7b", "qwen3-1.7b_published-rag"):
        profile = load_profile(name)
        assert profile.evaluation.plug_value and profile.evaluation.test_suite
        assert profile.joint_all
    assert load_profile("qwen2.5-coder-7b").evaluation.plug_value


def test_published_rows_with_examples_are_as_published() -> None:
    profile = load_profile("qwen3-1.7b_published-rag")
    assert profile.data == {"system": "p3"}
    plain, untrained, ours = (load_retrieval_config(str(row.retrieval)) for row in profile.rows)
    assert load_knowledge_base_config(plain.knowledge_base).embedding.query_prompt == ""
    assert untrained.rerank and untrained.rerank.kind == "random"
    assert ours.rerank and ours.rerank.kind == "qwen3"
    assert {each.candidates for each in (plain, untrained, ours)} == {30}


def test_deepspeed_configs_are_json_and_used() -> None:
    used = {load_recipe(p.stem).llamafactory.get("deepspeed") for p in CONFIGS.glob("train/*.yaml")}
    for path in (CONFIGS / "deepspeed").glob("*.json"):
        json.loads(path.read_text(encoding="utf-8"))
        assert f"configs/deepspeed/{path.name}" in used


def test_models_and_machines_are_used() -> None:
    profiles = [yaml.safe_load(p.read_text()) for p in (CONFIGS / "profiles").glob("*.yaml")]
    assert {p["model"] for p in profiles} == {p.stem for p in (CONFIGS / "models").glob("*.yaml")}
    named = {p["machine"] for p in profiles}
    assert named <= {p.stem for p in (CONFIGS / "machines").glob("*.yaml")}
    for path in (CONFIGS / "machines").glob("*.yaml"):
        # One that no profile is written for is there to be given instead.
        text = path.read_text()
        assert path.stem in named or (f"MACHINE={path.stem}" in text and "\ngpus: " in text)


def test_no_config_lies_where_nothing_loads_it() -> None:
    assert {path.parent.name for path in SHIPPED} <= LOADERS.keys()
    for path in SHIPPED:
        assert isinstance(yaml.safe_load(path.read_text(encoding="utf-8")), dict)
