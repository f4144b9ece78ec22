"""Reinforcement learning: settings, what is asked, its stage, and a run in which reward rises."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from scripted_answers import graph_of

from text2sql.errors import UserError
from text2sql.files import read_json, write_json, write_jsonl
from text2sql.learn.config import load_grpo_config
from text2sql.learn.grpo import compare_ends, learnable
from text2sql.pipeline.scheduler import environment_python
from text2sql.progress import Progress
from text2sql.question import Question
from text2sql.report import rewards
from text2sql.stage import Job

PROGRAM = Path(__file__).resolve().parents[2] / "benchmarks" / "grpo_tiny.py"


def test_a_step_is_split_evenly(tmp_path: Path) -> None:
    path = tmp_path / "g.yaml"
    values = {"steps": 1, "learning_rate": 1e-4, "questions_per_step": 3, "generations": 4}
    path.write_text(yaml.safe_dump(values | {"micro_batch": 8}))
    with pytest.raises(UserError, match="micro_batch 8 does not divide the 12 answers of a step"):
        load_grpo_config(str(path))
    path.write_text(yaml.safe_dump(values | {"micro_batch": 6}))
    assert load_grpo_config(str(path)).answers_per_step == 12


def test_only_questions_with_right_and_wrong_answers_teach() -> None:
    questions = [Question(number, "d", "", "", []) for number in range(3)]
    record = [
        {"id": 0, "chosen": [1], "rejected": []},
        {"id": 1, "chosen": [1], "rejected": [1]},
        {"id": 2, "chosen": [], "rejected": [1]},
    ]
    assert [each.id for each in learnable(questions, record)] == [1]
    with pytest.raises(UserError, match="no question was answered both right and wrong"):
        learnable(questions, record[:1])


def test_the_ends_of_a_run_are_compared() -> None:
    assert compare_ends([0.25]) == {"steps": 1, "first_reward": 0.25, "last_reward": 0.25}
    values = [0.0, 0.5, *[0.5] * 16, 0.75, 1.0]
    assert compare_ends(values) == {"steps": 20, "first_reward": 0.25, "last_reward": 0.875}


def test_the_stage_begins_with_the_sampled_model_in_an_environment_of_its_own(
    profile: dict[str, Any], tmp_path: Path
) -> None:
    assert "train-grpo" not in graph_of(profile, tmp_path)
    profile["learning"]["grpo"] = "smollm2-135m_cpu"
    graph = graph_of(profile, tmp_path)
    stage = graph["train-grpo"]
    assert stage.inputs["model"] == graph["sample-answers"].inputs["model"]
    assert stage.inputs["questions"] == graph["sample-questions"]
    assert stage.inputs["samples"] == graph["sample"]
    assert stage.settings["environment"] == "grpo"
    assert [s.name for s in graph.select(["reward-curve"])][-2:] == ["train-grpo", "reward-curve"]


def test_a_missing_environment_names_its_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "configs").mkdir()
    monkeypatch.setenv("TEXT2SQL_ROOT", str(tmp_path))
    with pytest.raises(UserError, match="no such environment; run: make setup-grpo"):
        environment_python("grpo")


def test_the_curve_is_drawn_and_recorded(profile: dict[str, Any], tmp_path: Path) -> None:
    profile["learning"]["grpo"] = "smollm2-135m_cpu"
    stage = graph_of(profile, tmp_path)["reward-curve"]
    training, output = tmp_path / "training", tmp_path / "output"
    steps = [{"step": n, "reward": n / 10, "deviation": 0.1} for n in range(1, 8)]
    write_jsonl(training / "rewards.jsonl", steps)
    details = {"questions": 2, "steps": 7, "first_reward": 0.1, "last_reward": 0.7}
    write_json(training / "manifest.json", {"details": details, "config": {"steps": 7}})
    output.mkdir()
    assert rewards.run(Job(stage, {"training": training}, output, Progress(output))) == {"steps": 7}
    assert (output / rewards.CURVE).stat().st_size > 10_000
    record = read_json(output / "record.json")
    assert record["steps"] == steps
    assert record["details"] == details


@pytest.mark.slow
def test_mean_reward_rises_where_a_model_wavers(tmp_path: Path) -> None:
    """A model tuned to give a right and a wrong query as often ends giving the right one."""
    try:
        python = environment_python("grpo")
    except UserError as error:
        pytest.skip(str(error))
    output = tmp_path / "out"
    output.mkdir()
    done = subprocess.run(
        [python, str(PROGRAM), str(output)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["steps"] == 30
    assert 0.2 < said["first_reward"] < 0.8
    assert said["last_reward"] > said["first_reward"] + 0.2
    assert (output / "trained" / "model.safetensors").is_file()
