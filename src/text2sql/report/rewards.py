"""The curve of a training by reinforcement: mean reward by step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from text2sql.artifacts import RECORD, REWARDS
from text2sql.files import read_json, read_jsonl, write_json
from text2sql.records import read_manifest
from text2sql.report.chart_style import chart, legend
from text2sql.run import Run
from text2sql.stage import ONE, Graph, Job, Stage, StageKind

FOLDER, CURVE = "rewards", "rewards.png"
WINDOW = 5  # steps of the moving average


def run(job: Job) -> dict[str, Any]:
    """Draw the curve and write the record: rewards by step, settings, what it cost."""
    training = job.inputs["training"]
    steps = list(read_jsonl(training / REWARDS))
    manifest = read_manifest(training) or {}
    kept = ("config", "details", "seconds", "peak_memory_mb", "hardware", "git", "versions")
    record = {**job.config, "steps": steps, **{key: manifest.get(key) for key in kept}}
    record["earlier_attempts"] = manifest.get("earlier_attempts", [])
    write_json(job.output / RECORD, record)
    draw(record, job.output / CURVE)
    return {"steps": len(steps)}


def draw(record: dict[str, Any], path: Path) -> None:
    """Draw mean reward by step, and its moving average."""
    numbers = [step["step"] for step in record["steps"]]
    rewards = [step["reward"] for step in record["steps"]]
    smooth = [
        sum(rewards[max(0, end - WINDOW) : end]) / min(end, WINDOW)
        for end in range(1, len(rewards) + 1)
    ]
    with chart(record, path, 4.0) as (figure, axes):
        axes.plot(numbers, rewards, color="#56B4E9", label="of a step")
        axes.plot(numbers, smooth, color="#0072B2", label=f"mean of {WINDOW} steps")
        axes.set_ylim(bottom=0)
        axes.set_xlabel("Step")
        axes.set_ylabel("Mean reward")
        legend(figure)


def show(run: Run) -> str:
    """Return what the training gained, in a line."""
    record = read_json(run.folder / FOLDER / RECORD)
    details = record["details"]
    return (
        f"{details['steps']} steps on {details['questions']} questions: mean reward"
        f" {details['first_reward']} in the first tenth, {details['last_reward']} in the last;"
        f" curve: {run.folder / 'rewards' / CURVE}"
    )


def _keys(graph: Graph) -> tuple[str, ...]:
    learning = graph.run.profile.learning
    return ONE if learning and learning.grpo else ()


def _stage(graph: Graph, key: str) -> Stage:
    run = graph.run
    return Stage(
        "reward-curve",
        "reward-curve",
        {"title": run.profile.title, "profile": run.profile.name, "dataset": run.dataset_label},
        run.folder / FOLDER,
        inputs={"training": graph.stage("train-grpo")},
    )


KINDS = (
    StageKind(
        "reward-curve",
        "draw the mean reward of a training by reinforcement",
        run,
        _stage,
        _keys,
        command="train-grpo",
        show=show,
    ),
)
