"""Samples and tokens a second of packed training against padded training, on the same rows.

Usage: python benchmarks/training_throughput.py --profile smollm2-135m --dataset sample --rows 200

Needs the outputs of ``make data model`` for that profile and dataset. Both recipes train one epoch
over the same rows with the same number of rows (or, packed, about as many tokens) a step; they
differ in packing alone. Time is the trainer's own, from its first step to its last.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import yaml

from text2sql import hardware
from text2sql.files import read_json, write_json
from text2sql.graph import Selection, build_graph
from text2sql.profile import load_profile
from text2sql.records import package_versions
from text2sql.train.lengths import measure_lengths, packed_rows
from text2sql.train.llamafactory import run_llamafactory

ROWS_A_STEP = 8


def keys(model: Path, data: Path, template: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """What both runs have in common."""
    return {
        "model_name_or_path": str(model),
        "template": template,
        "dataset_dir": str(data),
        "dataset": "train",
        "stage": "sft",
        "do_train": True,
        "max_samples": arguments.rows,
        "finetuning_type": arguments.method,
        **({"lora_rank": 32, "lora_target": "all"} if arguments.method == "lora" else {}),
        "num_train_epochs": 1,
        "learning_rate": 1.0e-4,
        "disable_gradient_checkpointing": True,
        "preprocessing_num_workers": 1,
        "logging_steps": 5,
        "save_strategy": "no",
        "report_to": "none",
        "overwrite_output_dir": True,
        "bf16": True,
        "use_cpu": not hardware.visible_gpus(),
        "seed": 42,
    }


def variants(lengths: list[int], cutoff: int) -> dict[str, dict[str, Any]]:
    """The keys in which the runs differ."""
    mean = sum(lengths) / len(lengths)
    sequences = max(1, round(ROWS_A_STEP * mean / cutoff))
    return {
        "padded": {"cutoff_len": cutoff, "per_device_train_batch_size": ROWS_A_STEP},
        "packed": {
            "cutoff_len": cutoff,
            "packing": True,
            "neat_packing": True,
            "per_device_train_batch_size": sequences,
        },
    }


def padded_tokens(lengths: list[int]) -> int:
    """Tokens computed when rows are padded in the order of the file (a shuffle changes little)."""
    batches = [lengths[i : i + ROWS_A_STEP] for i in range(0, len(lengths), ROWS_A_STEP)]
    return sum(max(batch) * len(batch) for batch in batches)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", default="smollm2-135m")
    parser.add_argument("--dataset", default="sample")
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--cutoff", type=int, default=1024)
    parser.add_argument("--method", choices=["lora", "full"], default="lora")
    parser.add_argument("--model", type=Path, help="another model's folder, of the same template")
    parser.add_argument("--output", type=Path, help="JSON file for the figures")
    arguments = parser.parse_args()
    profile = load_profile(arguments.profile)
    graph = build_graph(Selection(profile, arguments.dataset))
    model, data = arguments.model or graph["model"].output, graph["data"].output
    rows = measure_lengths(data, profile.model.template, model).rows[: arguments.rows]
    lengths = [min(row, arguments.cutoff) for row in rows]
    computed = {
        "padded": padded_tokens(lengths),
        "packed": packed_rows(lengths, arguments.cutoff) * arguments.cutoff,
    }
    found: dict[str, Any] = {
        "hardware": hardware.describe(),
        "versions": package_versions(),
        "rows": len(lengths),
        "tokens": sum(lengths),
        "load_before": [round(load, 1) for load in os.getloadavg()],
    }
    for name, different in variants(lengths, arguments.cutoff).items():
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder)
            given = keys(model, data, profile.model.template, arguments) | different
            run_llamafactory("train", given | {"output_dir": folder}, output)
            measured = read_json(output / "train_results.json")
        seconds = measured["train_runtime"]
        found[name] = {
            "keys": different,
            "seconds": round(seconds, 1),
            "rows_per_second": round(len(lengths) / seconds, 2),
            "tokens_per_second": round(sum(lengths) / seconds, 1),
            "share_of_padding": round(1 - sum(lengths) / computed[name], 3),
        }
    found["load_after"] = [round(load, 1) for load in os.getloadavg()]
    print(yaml.safe_dump(json.loads(json.dumps(found)), sort_keys=False))
    if arguments.output:
        write_json(arguments.output, found)


if __name__ == "__main__":
    main()
