"""What one GPU does in a quarter of an hour: training, inference, and GGUF against both.

Usage: make setup-gpu setup-gguf && make download PROFILE=qwen2.5-coder-0.5b_gpu
       make doctor PROFILE=qwen2.5-coder-0.5b_gpu      # all good, or there is nothing to measure
       .venv/bin/python benchmarks/gpu_first_run.py --output benchmarks/gpu_first_run.json

Trains LoRA and full fine-tuning of Qwen2.5-Coder-0.5B with shared schemas on Spider for some steps
and takes seconds a step, tokens a second and the share of the card's bf16 peak (MFU); lets vLLM
answer all questions of Spider's dev set greedily and takes the seconds; converts the model to a
GGUF file of 16 bits and counts how many of its answers are vLLM's, word for word. Each part is
written down as it ends, so that a card that is taken away leaves what was measured. `--parts`
chooses some.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml
from common import surroundings

from text2sql import hardware
from text2sql.artifacts import ANSWERS
from text2sql.errors import UserError
from text2sql.files import read_json, read_jsonl, write_json
from text2sql.paths import build_root
from text2sql.pipeline.command import select_run
from text2sql.profile import load_profile
from text2sql.records import read_manifest
from text2sql.stage import Graph
from text2sql.train.architecture import Architecture
from text2sql.train.lengths import measure_lengths
from text2sql.train.recipe import Recipe, recipe_of
from text2sql.train.schedule import GPUS, gpu_key, plan_schedule

PROFILE = "qwen2.5-coder-0.5b_gpu"
RECIPES = {
    "lora": "qwen2.5-coder-0.5b_lora-all_1gpu",
    "full": "qwen2.5-coder-0.5b_full_1gpu",
}
LLAMA_CPP = "qwen2.5-coder_greedy_llamacpp"


def run(*arguments: str) -> float:
    """Run a command of ours; return its seconds. UserError where it fails."""
    started = time.monotonic()
    command = [sys.executable, "-m", "text2sql", *arguments]
    status = subprocess.run(command, check=False).returncode
    if status != 0:
        raise UserError(f"{' '.join(arguments)} failed (status {status}); its output is above")
    return round(time.monotonic() - started, 1)


def utilization(flops: float, seconds: float, peak: float | None) -> float | None:
    """Return the share of a device's peak that so many operations in so many seconds are."""
    return round(flops / (seconds * peak), 4) if peak else None


def training(graph: Graph, name: str, peak: float | None) -> dict[str, Any]:
    """Return what a training's record says of its speed.

    Args:
        graph: of the run.
        name: of the training.
        peak: floating-point operations a second of the card, where they are known.
    """
    stage = graph[f"train:{name}"]
    details = (read_manifest(stage.output) or {})["details"]
    recipe: Recipe = recipe_of(stage.config)
    data, model = stage.inputs["data"].output, stage.inputs["model"].output
    lengths = measure_lengths(data, stage.config["template"], model)
    schedule = plan_schedule(recipe, lengths)
    sizes = Architecture.from_config(read_json(model / "config.json"))
    per_token = sizes.training_flops(
        round(schedule.mean_length),
        train_weights=recipe.method == "full",
        recompute=not recipe.llamafactory.get("disable_gradient_checkpointing", False),
    )
    seconds = details["train_seconds"]
    return {
        "recipe": name,
        "steps": details["steps"],
        "seconds": seconds,
        "seconds_a_step": round(seconds / details["steps"], 3),
        "tokens": schedule.tokens,
        "tokens_per_second": round(schedule.tokens / seconds),
        "first_loss": details["first_loss"],
        "last_loss": details["last_loss"],
        "mfu": utilization(schedule.tokens * per_token, seconds, peak),
    }


def train_part(method: str, steps: int, peak: float | None) -> dict[str, Any]:
    """Train some steps of a recipe and measure them."""
    recipe, keys = RECIPES[method], (f"max_steps={steps}", "save_strategy=no")
    options = ["--profile", PROFILE, "--recipe", recipe]
    options += [part for key in keys for part in ("--set", key)]
    run("stage", f"train-{method}", *options)
    graph = select_run(PROFILE, recipe=recipe, assignments=keys)
    return training(graph, graph.run.recipe_name, peak)


def infer_part() -> dict[str, Any]:
    """Let vLLM answer the questions of Spider's dev set greedily; the base model does."""
    seconds = run("stage", "infer", "--profile", PROFILE, "--row", "baseline")
    details = (read_manifest(select_run(PROFILE)["infer:baseline"].output) or {})["details"]
    kept = ("questions", "prompt_tokens", "completion_tokens", "seconds", "questions_per_second")
    return {key: details[key] for key in kept} | {"seconds_with_loading": seconds}


def gguf_part(limit: int) -> dict[str, Any]:
    """Answer some questions from the 16-bit GGUF file, and compare with vLLM's answers."""
    values = load_profile(PROFILE).model_dump(mode="json", exclude={"name", "quantization"})
    values["rows"] = [row for row in values["rows"] if row["name"] == "baseline"]
    files = {"row": "baseline", "types": ["Q8_0"], "infer": LLAMA_CPP}
    path = build_root() / "profiles" / f"{PROFILE}_gguf.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(values | {"quantization": files}), encoding="utf-8")
    options = ["--profile", str(path), "--limit", str(limit)]
    run("stage", "infer", *options, "--row", "baseline")
    run("stage", "quantization-table", *options)
    graph = select_run(str(path), limit=limit)
    outputs = [graph[name].output for name in ("infer:baseline", "quantized-infer:F16")]
    return same_answers(*(output / ANSWERS for output in outputs))


def same_answers(first: Path, second: Path) -> dict[str, Any]:
    """Count the questions to which two files have the same answer, spaces around it apart."""
    one, other = ({row["id"]: row["texts"][0].strip() for row in read_jsonl(path)}
                  for path in (first, second))  # fmt: skip
    both = one.keys() & other.keys()
    return {"questions": len(both), "same": sum(one[key] == other[key] for key in both)}


def measure(parts: Sequence[str], steps: int, limit: int, output: Path) -> None:
    """Measure the parts, one after another, and write what there is after each."""
    cards = hardware.visible_gpus()
    if not cards:
        raise UserError("no GPU here; make doctor PROFILE=" + PROFILE + " says more")
    key = gpu_key(cards[0][0])
    peak = GPUS[key][0] * 1e12 if key else None
    work: dict[str, Callable[[], dict[str, Any]]] = {
        "infer": infer_part,
        "lora": lambda: train_part("lora", steps, peak),
        "full": lambda: train_part("full", steps, peak),
        "gguf": lambda: gguf_part(limit),
    }
    record: dict[str, Any] = surroundings() | {"peak_tflops": peak and peak / 1e12}
    for part in parts:
        record[part] = work[part]()
        write_json(output, record)
        print(f"{part}: {record[part]}", flush=True)


def main() -> int:
    parts = ("infer", "lora", "full", "gguf")
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parts", nargs="+", choices=parts, default=parts)
    parser.add_argument("--steps", type=int, default=200, help="of each training")
    parser.add_argument("--limit", type=int, default=200, help="questions asked of the GGUF file")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    try:
        measure(options.parts, options.steps, options.limit, options.output)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
