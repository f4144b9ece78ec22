"""Question/SQL pairs a second of training with shared schemas, against plain rows, at equal loss.

Usage: python benchmarks/shared_schema.py --profile qwen2.5-coder-0.5b_long --dataset spider \\
           --output benchmarks/shared_schema_qwen2.5-coder-0.5b.json

Needs the outputs of ``make data model`` for the profile and dataset. All rows about a few
databases, drawn at random, are trained for one epoch in one process: as sequences that share a
schema, and as plain rows with the same keys, batches of rows of like length and as many pairs a
step. Time is the trainer's own, from its first step to its last. Both take turns, twice each in
mirrored order, so that other work on the machine falls on both, and both through our entry, so that
what it spares adapters is spared in both. With ``--model`` the rows train another profile's base
model. docs/training.md shows the results that lie beside this file (make results).
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml
from common import load, surroundings

from text2sql import hardware
from text2sql.files import read_json, read_jsonl, write_json
from text2sql.pipeline.registry import build_graph
from text2sql.profile import load_profile
from text2sql.progress import Progress
from text2sql.prompt import shared_text
from text2sql.run import Run
from text2sql.stage import Job, Stage
from text2sql.train.lengths import measure_lengths, shared_sequences
from text2sql.train.llamafactory import run_llamafactory
from text2sql.train.recipe import Recipe, load_recipe
from text2sql.train.stage import training_arguments

ONCE = {"num_train_epochs": 1, "logging_steps": 1, "save_strategy": "no", "warmup_ratio": 0.1}
MICRO_BATCH = 4  # plain rows at a time


def rows_of_databases(data: Path, count: int, folder: Path) -> int:
    """Copy all rows about some schemas, drawn at random, in their order; return how many."""
    rows = read_json(data / "train.json")
    schemas = [shared_text(row["conversations"][0]["value"]) for row in rows]
    drawn = set(random.Random(0).sample(sorted(set(schemas)), count))
    kept = [row for row, schema in zip(rows, schemas, strict=True) if schema in drawn]
    folder.mkdir()
    write_json(folder / "train.json", kept)
    write_json(folder / "dataset_info.json", read_json(data / "dataset_info.json"))
    return len(kept)


def train(recipe: Recipe, inputs: dict[str, Path], template: str, folder: Path) -> dict[str, Any]:
    """Train once; return the trainer's time and its losses."""
    device = "cuda" if hardware.visible_gpus() else "cpu"
    config = recipe.model_dump(mode="json") | {"template": template}
    stage = Stage("train:benchmark", "train-lora", config, folder, settings={"device": device})
    job = Job(stage, inputs, folder, Progress(folder))
    run_llamafactory(
        "train",
        training_arguments(job, recipe, None) | {"plot_loss": False, "report_to": "none"},
        folder,
        recipe.environment(),
        program=[sys.executable, "-m", "text2sql.train.entry"],
    )
    results = read_json(folder / "train_results.json")
    losses = [row["loss"] for row in read_jsonl(folder / "trainer_log.jsonl") if row.get("loss")]
    last = losses[-max(1, len(losses) // 4) :]
    return {
        "seconds": round(results["train_runtime"], 1),
        "steps": len(losses),
        "mean_loss": round(results["train_loss"], 4),
        "loss_of_the_last_quarter": round(sum(last) / len(last), 4),
    }


def together(turns: list[dict[str, Any]], rows: int) -> dict[str, Any]:
    """Return the first turn's losses, the seconds of each, and the speed of all."""
    seconds = [turn["seconds"] for turn in turns]
    speed = round(rows * len(turns) / sum(seconds), 3)
    return turns[0] | {"seconds": seconds, "pairs_per_second": speed}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--profile", default="qwen2.5-coder-0.5b")
    parser.add_argument("--dataset", default="sample")
    parser.add_argument("--model", help="profile whose base model is trained instead")
    parser.add_argument("--recipe", default="qwen2.5-coder-0.5b_lora-long_cpu")
    parser.add_argument("--databases", type=int, default=3)
    parser.add_argument("--output", type=Path, help="JSON file for the figures")
    arguments = parser.parse_args()
    profile = load_profile(arguments.profile)
    data = build_graph(Run(profile, arguments.dataset))["data"].output
    profile = load_profile(arguments.model or arguments.profile)
    model = build_graph(Run(profile, arguments.dataset))["model"].output
    shared = load_recipe(arguments.recipe, ONCE)
    before = load()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = rows_of_databases(data, arguments.databases, folder / "data")
        inputs = {"model": model, "data": folder / "data"}
        template = profile.model.template
        lengths = measure_lengths(folder / "data", template, inputs["model"])
        sequences = shared_sequences(lengths, rows, shared.cutoff - 1)
        a_step = max(1, round(rows / len(sequences) * shared.accumulation / MICRO_BATCH))
        plain = shared.changed(
            {
                "shared_schema": False,
                "per_device_train_batch_size": MICRO_BATCH,
                "gradient_accumulation_steps": a_step,
                "train_sampling_strategy": "group_by_length",
            }
        )
        recipes = {"shared schemas": shared, "plain rows": plain}
        found_by_turn: dict[str, list[dict[str, Any]]] = {kind: [] for kind in recipes}
        for turn, kind in enumerate([*recipes, *reversed(recipes)]):
            output = folder / f"{turn} {kind}"
            output.mkdir()
            found_by_turn[kind].append(train(recipes[kind], inputs, template, output))
    runs = {kind: together(turns, rows) for kind, turns in found_by_turn.items()}
    runs["shared schemas"]["tokens"] = sum(sequences)
    runs["plain rows"]["tokens"] = sum(lengths.rows)
    speeds = [runs[kind]["pairs_per_second"] for kind in ("shared schemas", "plain rows")]
    found = {
        **surroundings(),
        "dataset": arguments.dataset,
        "model": profile.model.name,
        "recipe": arguments.recipe,
        "databases": arguments.databases,
        "rows": rows,
        "load_before": before,
        "load_after": load(),
        "runs": runs,
        "times_as_fast": round(speeds[0] / speeds[1], 2),
    }
    print(yaml.safe_dump(json.loads(json.dumps(found)), sort_keys=False))
    if arguments.output:
        write_json(arguments.output, found, indent=1)


if __name__ == "__main__":
    main()
