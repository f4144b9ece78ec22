"""Rows and tokens a second of ways to keep padding out of training, on the same rows.

Usage: python benchmarks/training_throughput.py --dataset spider --output result.json

Needs the outputs of ``make data model`` for the profile and dataset. One epoch over the same rows,
in one process, by four sets of keys: the first recipe's (padded batches), the same with batches of
rows of like length, the same with rows packed as the second recipe packs them, and the second
recipe's. Time is the trainer's own, from its first step to its last; the sets take turns, and the
fastest run of each counts. Tokens are those of the rows after `cutoff_len`; padding is no token.
docs/training.md shows the results that lie beside this file (make results).
"""

from __future__ import annotations

import argparse
import json
import runpy
import tempfile
from pathlib import Path
from typing import Any

import yaml
from common import load, surroundings
from llamafactory.data.processor.processor_utils import infer_seqlen
from tqdm import tqdm

from text2sql import hardware
from text2sql.files import read_json, write_json
from text2sql.paths import repository_root
from text2sql.pipeline.registry import build_graph
from text2sql.profile import load_profile
from text2sql.run import Run
from text2sql.train.lengths import Lengths, measure_lengths, packed_rows
from text2sql.train.llamafactory import run_llamafactory
from text2sql.train.recipe import load_recipe

PACKING = (
    "packing",
    "neat_packing",
    "cutoff_len",
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
)
GROUPED = {"train_sampling_strategy": "group_by_length"}
# A collator pads to a multiple of this (LLaMA-Factory's pad_to_multiple_of).
MULTIPLE = 8
# What is the same for every run: one process, no files but the model's, every step's arithmetic
# once (checkpointing would add the same third to each), an optimizer that every machine has.
COMMON = {
    "stage": "sft",
    "do_train": True,
    "dataset": "train",
    "num_train_epochs": 1,
    "disable_gradient_checkpointing": True,
    "optim": "adamw_torch",
    "preprocessing_num_workers": 1,
    "logging_steps": 1,
    "save_strategy": "no",
    "report_to": "none",
    "overwrite_output_dir": True,
    "seed": 42,
}


def variants(first: str, second: str) -> dict[str, dict[str, Any]]:
    """LLaMA-Factory's keys of the four runs, what is common to them left out."""
    padded, packed = (dict(load_recipe(name).llamafactory) for name in (first, second))
    for keys in (padded, packed):
        keys.pop("deepspeed", None)
    added = {name: packed[name] for name in PACKING}
    return {
        first: padded,
        f"{first} + group_by_length": padded | GROUPED,
        f"{first} + packing": padded | added,
        second: packed,
    }


def make_tiny(data: Path, folder: Path) -> None:
    """Save the tests' Qwen3 of 0.9M parameters, with a tokenizer trained on the data."""
    helpers = runpy.run_path(str(repository_root() / "tests" / "helpers" / "tiny_models.py"))
    helpers["save_wide_qwen3"](folder, data / "train.json")


def first_rows(data: Path, count: int, folder: Path) -> Path:
    """Copy the first rows of a prepared dataset; return the folder of the copy."""
    folder.mkdir()
    write_json(folder / "train.json", read_json(data / "train.json")[:count])
    write_json(folder / "dataset_info.json", read_json(data / "dataset_info.json"))
    return folder


def token_counts(lengths: Lengths, keys: dict[str, Any]) -> tuple[int, int]:
    """Tokens that are trained on, and those computed, padding included.

    For padded batches the second is what the order of the file gives (a shuffle changes little),
    for grouped ones what sorting gives (the sampler groups within 50 batches).
    """
    cutoff, batch = keys["cutoff_len"], keys["per_device_train_batch_size"]
    pairs = zip(lengths.prompts, lengths.answers, strict=True)
    rows = [sum(infer_seqlen(prompt, answer, cutoff)) for prompt, answer in pairs]
    if keys.get("packing"):
        return sum(rows), packed_rows(rows, cutoff - 1) * cutoff
    if keys.get("train_sampling_strategy") == "group_by_length":
        rows.sort()
    batches = [rows[i : i + batch] for i in range(0, len(rows), batch)]
    return sum(rows), sum(-(-max(b) // MULTIPLE) * MULTIPLE * len(b) for b in batches)


def train_seconds(keys: dict[str, Any]) -> float:
    """Train once; return the trainer's own time."""
    with tempfile.TemporaryDirectory() as name:
        run_llamafactory("train", keys | {"output_dir": name}, Path(name))
        return float(read_json(Path(name) / "train_results.json")["train_runtime"])


def measure(model: Path, data: Path, template: str, arguments: argparse.Namespace) -> Any:
    """Measure the four runs of one model."""
    lengths = measure_lengths(data, template, model)
    common = COMMON | {
        "model_name_or_path": str(model),
        "template": template,
        "dataset_dir": str(data),
        "use_cpu": not hardware.visible_gpus(),
    }
    kinds = variants(arguments.first, arguments.second)
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    rounds = [name for _ in range(arguments.repeats) for name in kinds]
    for name in tqdm(rounds, desc=model.name):
        seconds[name].append(train_seconds(kinds[name] | common))
    found = {}
    for name, keys in kinds.items():
        tokens, computed = token_counts(lengths, keys)
        best = min(seconds[name])
        found[name] = {
            "seconds": [round(value, 1) for value in seconds[name]],
            "rows_per_second": round(len(lengths.prompts) / best, 2),
            "tokens_per_second": round(tokens / best, 1),
            "tokens": tokens,
            "tokens_computed": computed,
            "share_of_padding": round(1 - tokens / computed, 3),
        }
    slowest = min(seconds[arguments.first])
    for name in kinds:
        found[name]["times_as_fast_as_the_first"] = round(slowest / min(seconds[name]), 2)
    return {"rows": len(lengths.prompts), "runs": found}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--profile", default="smollm2-135m")
    parser.add_argument("--dataset", default="sample")
    parser.add_argument("--rows", type=int, default=160)
    parser.add_argument("--first", default="qwen3-1.7b_lora-r32_4gpu", help="padded recipe")
    parser.add_argument("--second", default="qwen3-1.7b_lora-all-packed_1gpu", help="packed recipe")
    parser.add_argument(
        "--tiny", action="store_true", help="the tests' tiny Qwen3 in place of the profile's model"
    )
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--output", type=Path, help="JSON file for the figures")
    arguments = parser.parse_args()
    profile = load_profile(arguments.profile)
    graph = build_graph(Run(profile, arguments.dataset))
    found: dict[str, Any] = {
        **surroundings(),
        "dataset": arguments.dataset,
        "load_before": load(),
    }
    with tempfile.TemporaryDirectory() as name:
        data = first_rows(graph["data"].output, arguments.rows, Path(name) / "data")
        model, template = graph["model"].output, profile.model.template
        if arguments.tiny:
            model, template = Path(name) / "tiny-qwen3", "qwen3_nothink"
            make_tiny(data, model)
        found["model"] = model.name
        found |= measure(model, data, template, arguments)
    found["load_after"] = load()
    print(yaml.safe_dump(json.loads(json.dumps(found)), sort_keys=False))
    if arguments.output:
        write_json(arguments.output, found, indent=1)


if __name__ == "__main__":
    main()
