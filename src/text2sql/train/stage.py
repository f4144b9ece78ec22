"""The train stage: one recipe through LLaMA-Factory, resumed from its last checkpoint."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

from text2sql.errors import UserError
from text2sql.files import read_jsonl
from text2sql.progress import Progress
from text2sql.train.llamafactory import run_llamafactory, unknown_keys
from text2sql.train.recipe import Recipe
from text2sql.worker import Job

TRAIN_DATASET = "train"  # its name in the data stage's dataset_info.json
TRAINER_LOG = "trainer_log.jsonl"
CHECKPOINT = re.compile(r"checkpoint-(\d+)")


def run(job: Job) -> dict[str, Any]:
    """Train, or go on training, and leave the final model or adapter in the output folder.

    Returns:
        Steps, epochs, runtime, samples per second, first and final loss.

    Raises:
        UserError: a key LLaMA-Factory does not know, or training ended with an error.
    """
    recipe = Recipe.model_validate({k: v for k, v in job.config.items() if k != "template"})
    # LLaMA-Factory has Megatron's keys only where this is set before it is imported.
    os.environ.update({k: v for k, v in recipe.environment().items() if k == "USE_MCA"})
    unknown = unknown_keys(recipe.llamafactory)
    if unknown:
        raise UserError(f"recipe '{job.stage.name}': LLaMA-Factory has no key '{unknown[0]}'")
    checkpoint = last_checkpoint(job.output)
    arguments = {
        "model_name_or_path": str(job.inputs["model"]),
        "stage": "sft",
        "do_train": True,
        "template": job.config["template"],
        "dataset_dir": str(job.inputs["data"]),
        "dataset": TRAIN_DATASET,
        "output_dir": str(job.output),
        "plot_loss": True,
        "report_to": "none",
        **recipe.llamafactory,
    }
    if recipe.launch.backend != "megatron":  # which has no such key
        arguments["overwrite_output_dir"] = True  # the runner has cleared whatever is not ours
    if recipe.source_files():
        arguments["deepspeed"] = str(recipe.source_files()[0])
    if job.settings["device"] == "cpu":
        arguments["use_cpu"] = True
    if checkpoint:
        arguments["resume_from_checkpoint"] = str(checkpoint)
        print(f"going on from {checkpoint.name}", flush=True)
    run_llamafactory(
        "train",
        arguments,
        job.output,
        recipe.environment(),
        watch=lambda: report_progress(job.output, job.progress),
    )
    details = summarize(job.output)
    for folder in job.output.glob("checkpoint-*"):
        shutil.rmtree(folder)
    return details


def last_checkpoint(folder: Path) -> Path | None:
    """Return the newest complete checkpoint below a folder; an incomplete one is removed."""
    numbered = [
        (int(m[1]), p) for p in folder.glob("checkpoint-*") if (m := CHECKPOINT.fullmatch(p.name))
    ]
    for _, path in sorted(numbered, reverse=True):
        # The trainer writes this file last, so a checkpoint cut short by a kill lacks it.
        if (path / "trainer_state.json").is_file():
            return path
        shutil.rmtree(path)
    return None


def report_progress(folder: Path, progress: Progress) -> None:
    """Pass on the step count that LLaMA-Factory last logged."""
    log = folder / TRAINER_LOG
    if not log.is_file():
        return
    lines = log.read_text(encoding="utf-8").splitlines()
    try:
        last = json.loads(lines[-1])
        progress.update(int(last["current_steps"]), int(last["total_steps"]), "steps")
    except (IndexError, ValueError, KeyError):
        return  # the line is still being written


def summarize(folder: Path) -> dict[str, Any]:
    """Collect what the trainer measured from its log and result files."""
    losses = [
        row["loss"] for row in read_jsonl(folder / TRAINER_LOG) if row.get("loss") is not None
    ]
    results = json.loads((folder / "train_results.json").read_text(encoding="utf-8"))
    state = json.loads((folder / "trainer_state.json").read_text(encoding="utf-8"))
    return {
        "steps": state["global_step"],
        "epochs": round(results["epoch"], 3),
        "train_seconds": round(results["train_runtime"], 1),
        "samples_per_second": results["train_samples_per_second"],
        "first_loss": losses[0] if losses else None,
        "last_loss": losses[-1] if losses else None,
        "mean_loss": round(results["train_loss"], 4),
    }
