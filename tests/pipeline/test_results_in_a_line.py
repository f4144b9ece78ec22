"""Every target ends with its result in a line, and says what to type where it has none."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from text2sql.artifacts import SCORES
from text2sql.errors import UserError
from text2sql.files import write_json
from text2sql.pipeline.command import select_run, show_result
from text2sql.pipeline.registry import commands
from text2sql.stage import Graph


@pytest.fixture
def graph(build_folder: Path) -> Graph:
    return select_run("smollm2-135m", rows="all")


def line(graph: Graph, name: str, capsys: pytest.CaptureFixture[str]) -> str:
    show_result(graph[name])
    told = capsys.readouterr().out
    assert told.count("\n") == 1
    return told


def finished(graph: Graph, name: str, **details: Any) -> None:
    write_json(graph[name].output / "manifest.json", {"details": details})


def test_every_command_prints_a_result() -> None:
    for name, kinds in commands().items():
        assert any(kind.result or kind.show for kind in kinds), name


def test_eval_ends_with_accuracy_by_level(graph: Graph, capsys: pytest.CaptureFixture[str]) -> None:
    shares = {"easy": 0.859, "medium": 0.587, "hard": 0.431, "extra": 0.151, "all": 0.556}
    scores: dict[str, Any] = {k: {"count": 10, "exec": share} for k, share in shares.items()}
    scores |= {"joint_all": {"count": 1, "exec": 0.0}, "turn 1": {"count": 10, "exec": 0.5}}
    report = {"scores": scores, "metrics": {"errors": {"timeout": 2}}}
    write_json(graph["eval:baseline"].output / SCORES, report)
    told = line(graph, "eval:baseline", capsys)
    assert "55.6 % of 10 questions (easy 85.9, medium 58.7, hard 43.1, extra 15.1)" in told
    assert "stopped by the limit of steps: 2; in " in told


def test_train_ends_with_loss_and_path(graph: Graph, capsys: pytest.CaptureFixture[str]) -> None:
    name = "train:smollm2-135m_lora_cpu"
    finished(graph, name, first_loss=3.0, last_loss=0.3, steps=400, train_seconds=90.0)
    told = line(graph, name, capsys)
    assert "loss 3.0 to 0.3 over 400 steps in 1.5 minutes" in told
    assert str(graph[name].output) in told


def test_retrieve_ends_with_recall(graph: Graph, capsys: pytest.CaptureFixture[str]) -> None:
    stage = next(stage for stage in graph.values() if stage.kind == "retrieve")
    recall = {"first_search": {"4": 0.169}, "reranked": {"4": 0.2}, "examples": {"4": 0.144}}
    report = {"recall_of_same_skeleton": recall, "without_examples": 3, "questions": 9}
    write_json(stage.output / "report.json", report)
    told = line(graph, stage.name, capsys)
    assert "first search @4 16.9 %; examples @4 14.4 %; 3 of 9 questions without" in told


def test_quantize_ends_with_size(graph: Graph, capsys: pytest.CaptureFixture[str]) -> None:
    finished(graph, "quantize:Q4_K_M", megabytes=98.9, bits_per_weight=5.2, perplexity=1.4)
    assert "98.9 MB, 5.2 bits a weight" in line(graph, "quantize:Q4_K_M", capsys)


@pytest.mark.parametrize(
    ("profile", "kind", "words"),
    [
        ("qwen2.5-coder-0.5b", "train-qlora", "RECIPE= (--recipe): qwen2.5-coder-0.5b_qlora_1gpu"),
        ("qwen3-4b", "train-qlora", "none of qwen3-4b is here; give the path of your own"),
        ("qwen2.5-coder-0.5b", "mg2hf", "PROFILE=qwen3-1.7b has one"),
        ("qwen2.5-coder-7b", "retrieve", "the key 'retrieval'"),
        ("qwen2.5-coder-1.5b", "merge", "name a LoRA recipe with RECIPE="),
        ("qwen2.5-coder-1.5b", "quantize", "make serve-openai serves it"),
        ("qwen2.5-coder-0.5b", "eval:none", "of kind eval there are: baseline, lora, full"),
    ],
)
def test_a_missing_stage_says_what_to_type(
    build_folder: Path, profile: str, kind: str, words: str
) -> None:
    with pytest.raises(UserError, match=r"in this profile; ") as refused:
        select_run(profile).select([kind])
    assert words in str(refused.value)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("profile", ["qwen2.5-coder-0.5b", "smollm2-135m"])
def test_a_recipe_for_another_model_is_refused(build_folder: Path, profile: str) -> None:
    with pytest.raises(UserError, match=r"is for qwen2\.5-coder-7b, and the model") as no:
        select_run(profile, recipe="qwen2.5-coder-7b_qlora_1gpu")
    assert f"recipes for it: {profile}_" in str(no.value)


def test_a_recipe_of_ones_own_may_have_any_name(
    build_folder: Path, repository: Path, tmp_path: Path
) -> None:
    own = tmp_path / "qwen2.5-coder-7b_lora.yaml"
    own.write_bytes((repository / "configs/train/smollm2-135m_lora_cpu.yaml").read_bytes())
    assert "train:qwen2.5-coder-7b_lora" in select_run("smollm2-135m", recipe=str(own))


def test_make_help_has_every_option(repository: Path) -> None:
    text = (repository / "Makefile").read_text(encoding="utf-8")
    rules = text[: text.index("define OPTION_HELP")] + text[text.index("endef") :]
    used = set(re.findall(r"\$\((?:if|or) \$\(([A-Z_]+)\)", rules))
    used |= set(re.findall(r"\$\(foreach \w+,\$\(([A-Z_]+)\)", rules))
    used |= {"DB_URL", "SPIDER_DIR", "NNODES", "NODE_RANK", "MASTER_ADDR", "MASTER_PORT"}
    assert len(used) > 30
    command = ["make", "help"]
    shown = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True)
    assert [name for name in sorted(used) if f"{name}=" not in shown.stdout] == []


def test_make_quantize_refuses_before_it_compiles(repository: Path) -> None:
    for target in ("quantize", "serve-openai"):
        command = ["make", "--dry-run", target, "MODEL=/none"]
        shown = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True)
        lines = shown.stdout.splitlines()
        checks = next(n for n, line in enumerate(lines) if "--check" in line)
        assert checks < next(n for n, line in enumerate(lines) if "setup_gguf" in line)
