"""Published trainings by reinforcement, as docs/ shows them."""

from __future__ import annotations

from typing import Any

from text2sql.files import read_json
from text2sql.paths import repository_root
from text2sql.report.figure import chart_name
from text2sql.report.record import commits
from text2sql.report.result_blocks import record_name

RESULTS = "results/rewards"


def published_rewards() -> list[dict[str, Any]]:
    """Return the records of published trainings by reinforcement."""
    return [read_json(path) for path in sorted((repository_root() / RESULTS).glob("*.json"))]


def chart_of(record: dict[str, Any]) -> str:
    """File name of a published training's curve in figs/."""
    return chart_name(record["profile"], f"{record['dataset']}_grpo")


def rewards_block() -> str:
    """Return what each published training by reinforcement gained, with its curve, for docs/."""
    parts = []
    for record in published_rewards():
        details, config, hardware = record["details"], record["config"], record["hardware"]
        path = f"{RESULTS}/{record_name(record)}"
        parts.append(
            f"**{record['title']}, dataset {record['dataset']}**: {details['steps']} steps of"
            f" {config['questions_per_step']} questions, {config['generations']} answers each, on"
            f" {details['questions']} questions that the tuned model answered both right and wrong."
            f" Mean reward {details['first_reward']:.2f} in the first tenth of the steps,"
            f" {details['last_reward']:.2f} in the last. {record['seconds'] / 60:.0f} minutes,"
            f" {record['peak_memory_mb'] / 1024:.1f} GB of memory, {hardware['cores']} cores of"
            f" {hardware['cpu']}; commit {', '.join(commits(record))}.\n\n"
            f"![Mean reward of each step](../figs/{chart_of(record)})\n\n"
            f"Record: [{path}](../{path})"
        )
    return "\n\n".join(parts) or "No such training is published."
