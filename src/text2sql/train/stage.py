"""The train stage: one recipe through LLaMA-Factory, resumed from its last checkpoint."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from text2sql.artifacts import TRAINER_LOG
from text2sql.errors import UserError
from text2sql.files import read_jsonl
from text2sql.hardware import first_gpu
from text2sql.paths import shown
from text2sql.profile import RowConfig
from text2sql.progress import Progress
from text2sql.records import read_manifest
from text2sql.stage import Graph, Job, Stage, StageKind
from text2sql.train.checks import check_before_training
from text2sql.train.llamafactory import ARGUMENTS, run_llamafactory, training_program
from text2sql.train.megatron_setup import check_resume
from text2sql.train.nodes import Nodes, this_node
from text2sql.train.objectives import LEARNED, data_folder
from text2sql.train.recipe import Recipe, load_recipe, recipe_of, recipes_for

ALL_ROWS = 10**9
TRAIN_DATASET = "train"  # its name in the data stage's dataset_info.json
CHECKPOINT = re.compile(r"checkpoint-(\d+)")


def run(job: Job) -> dict[str, Any]:
    """Train, or go on training, and leave the final model or adapter in the output folder.

    Returns:
        Steps, epochs, runtime, samples per second, first and final loss.

    Raises:
        UserError: a key LLaMA-Factory does not know, data or model that do not go with the recipe,
            or training ended with an error; the message says what to do.
    """
    recipe = recipe_of(job.config)
    # LLaMA-Factory has Megatron's keys only where this is set before it is imported.
    os.environ.update({k: v for k, v in recipe.environment().items() if k == "USE_MCA"})
    for warning in check_before_training(job, recipe):
        job.progress.note(warning)
    checkpoint = last_checkpoint(job.output)
    if checkpoint:
        if recipe.launch.backend == "megatron":
            check_resume(recipe.llamafactory, checkpoint)
        print(f"going on from {checkpoint.name}", flush=True)
    _launch(job, recipe, checkpoint, ARGUMENTS, watch=True)
    details = summarize(job.output)
    for folder in job.output.glob("checkpoint-*"):
        shutil.rmtree(folder)
    return details


def join(job: Job, rank: int) -> None:
    """Take part in a training that node 0 runs; `rank` is this machine's.

    Raises:
        UserError: training ended with an error.
    """
    checkpoint = newest(complete_checkpoints(job.output))
    name = f"{Path(ARGUMENTS).stem}-node{rank}.yaml"
    _launch(job, recipe_of(job.config), checkpoint, name, watch=False)


def _launch(
    job: Job, recipe: Recipe, checkpoint: Path | None, arguments_name: str, watch: bool
) -> None:
    on_cpu = job.settings["device"] == "cpu"
    nodes = this_node() if recipe.launch.backend != "single" else Nodes()
    run_llamafactory(
        "train",
        arguments_for(job, recipe, checkpoint),
        job.output,
        recipe.environment()
        | nodes.variables()
        | {"TENSORBOARD_LOGGING_DIR": str(_beside(job, "tensorboard"))},
        watch=(lambda: report_progress(job.output, job.progress)) if watch else (lambda: None),
        arguments_name=arguments_name,
        program=training_program(recipe, nodes, on_cpu),
    )


def arguments_for(job: Job, recipe: Recipe, checkpoint: Path | None) -> dict[str, Any]:
    """Return all of LLaMA-Factory's keys for a training, whatever its objective."""
    if recipe.objective == "sft":
        return training_arguments(job, recipe, checkpoint)
    return learning_arguments(job, recipe, checkpoint)


def learning_arguments(job: Job, recipe: Recipe, checkpoint: Path | None) -> dict[str, Any]:
    """Return the keys of a training that learns from judged answers."""
    return training_arguments(job, recipe, checkpoint) | {
        "stage": LEARNED[recipe.objective],
        "dataset_dir": str(data_folder(recipe, job.inputs["data"])),
    }


def training_arguments(job: Job, recipe: Recipe, checkpoint: Path | None) -> dict[str, Any]:
    """Return all of LLaMA-Factory's keys for a training: the recipe's, and what the stage adds."""
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
    if recipe.shared_schema:  # in the place of packed rows, over all rows at once
        arguments |= {"neat_packing": True, "preprocessing_batch_size": ALL_ROWS}
        arguments["overwrite_cache"] = True  # which does not notice when our code changes
    if recipe.launch.backend != "megatron":  # which has no such key
        arguments["overwrite_output_dir"] = True  # the runner has cleared whatever is not ours
    if recipe.source_files():
        arguments["deepspeed"] = str(recipe.source_files()[0])
    if recipe.launch.backend == "megatron":
        arguments["save_hf_model"] = False  # the mg2hf stage converts, and is proved exact
    if job.settings["device"] == "cpu":
        arguments["use_cpu"] = True
        if recipe.launch.backend != "single":
            arguments["ddp_backend"] = "gloo"
    if arguments.get("use_swanlab"):
        arguments.setdefault("swanlab_logdir", str(_beside(job, "swanlab")))
    if checkpoint:
        arguments["resume_from_checkpoint"] = str(checkpoint)
    return arguments


def _beside(job: Job, tracker: str) -> Path:
    """Where a tracker's files go: beside the output, whose content they are no part of."""
    return job.output.with_name(f"{job.stage.output.name}.{tracker}")


def complete_checkpoints(folder: Path) -> dict[int, Path]:
    """Return the checkpoints below a folder that were written whole, by step."""
    numbered = {
        int(m[1]): p for p in folder.glob("checkpoint-*") if (m := CHECKPOINT.fullmatch(p.name))
    }
    # The trainer writes this file last, so a checkpoint cut short by a kill lacks it.
    return {n: p for n, p in numbered.items() if (p / "trainer_state.json").is_file()}


def newest(checkpoints: dict[int, Path]) -> Path | None:
    """Return the checkpoint of the last step, if there is one."""
    return checkpoints[max(checkpoints)] if checkpoints else None


def last_checkpoint(folder: Path) -> Path | None:
    """Return the newest complete checkpoint below a folder; incomplete ones are removed."""
    complete = complete_checkpoints(folder)
    for path in folder.glob("checkpoint-*"):
        if CHECKPOINT.fullmatch(path.name) and path not in complete.values():
            shutil.rmtree(path)
    return newest(complete)


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


def trainings(graph: Graph) -> dict[str, Recipe]:
    """Return the recipe of each training of a run, by the training's name."""
    found = {}
    for row in graph.run.rows:
        if row.recipe:
            name, overrides = graph.run.training(row)
            recipe = load_recipe(row.recipe, overrides)
            change = graph.run.layouts.get(name)
            found[name] = recipe.laid_out(change) if change else recipe
    return found


def model_of(graph: Graph, row: RowConfig) -> Stage:
    """Return the stage whose output holds the model that a row infers with."""
    if row.recipe is None:
        return graph.stage("model")
    name, _ = graph.run.training(row)
    if trainings(graph)[name].method == "full":
        return trained(graph, name)
    return graph.stage("merge", name)


def trained(graph: Graph, name: str) -> Stage:
    """Return the stage that ends with a training's model or adapter in Hugging Face's form."""
    recipe = trainings(graph)[name]
    if recipe.launch.backend == "megatron":
        return graph.stage("mg2hf", name)
    return graph.stage(recipe.kind, name)


def base_of(graph: Graph, name: str) -> Stage:
    """Return the stage whose model a training begins with: the base model, or a tuned one.

    Raises:
        UserError: the training learns from judged answers, and the profile does not say whose.
    """
    recipe, profile = trainings(graph)[name], graph.run.profile
    if recipe.objective == "sft":
        return graph.stage("model")
    if profile.learning is None:
        raise UserError(
            f"recipe '{name}' has objective '{recipe.objective}', and profile {profile.name} has no"
            " key 'learning', which says whose answers it learns from; see docs/learning.md"
        )
    row = graph.run.row(profile.learning.row)
    if row.recipe and trainings(graph)[graph.run.training(row)[0]].objective != "sft":
        raise UserError(f"learning.row '{row.name}' must be a row of objective 'sft', or the base")
    return model_of(graph, row)


def _stage(graph: Graph, name: str) -> Stage:
    recipe, profile = trainings(graph)[name], graph.run.profile
    return Stage(
        f"train:{name}",
        recipe.kind,
        recipe.model_dump(mode="json") | {"template": profile.model.template},
        graph.run.folder / "train" / name,
        inputs={"model": base_of(graph, name), "data": _rows_of(graph, name)},
        sources=recipe.source_files(),
        code=_entry(recipe),
        settings=_settings(graph, recipe),
        seed=recipe.seed,
    )


def _rows_of(graph: Graph, name: str) -> Stage:
    """Return the stage that writes the rows a training learns from."""
    recipe = trainings(graph)[name]
    if recipe.retrieval:
        return graph.stage("train-examples", name)
    return graph.stage("data" if recipe.objective == "sft" else "sample")


def _settings(graph: Graph, recipe: Recipe) -> dict[str, Any]:
    """Return what a training runs with; one of a single process sees a single card.

    The trainer would spread over every card it sees.
    """
    settings = graph.run.settings("train")
    if recipe.launch.backend == "single" and settings["device"] == "cuda":
        one = {"CUDA_VISIBLE_DEVICES": first_gpu()}
        settings["variables"] = settings.get("variables", {}) | one
    return settings


def _entry(recipe: Recipe) -> tuple[str, ...]:
    """Where the code begins that decides what a training gives, besides LLaMA-Factory's."""
    if recipe.launch.backend == "megatron":
        return ("text2sql.train.megatron_entry",)
    ours = recipe.launch.backend == "single" or recipe.shared_schema
    return ("text2sql.train.entry",) if ours else ()


def is_training(stage: Stage) -> bool:
    """Whether a stage trains by a recipe."""
    return stage.kind in KIND_NAMES


def _by(kind: str) -> Callable[[Graph], list[str]]:
    return lambda graph: [n for n, recipe in trainings(graph).items() if recipe.kind == kind]


def _result(stage: Stage) -> str:
    """Say how a training went, and where its model or adapter is."""
    details = (read_manifest(stage.output) or {})["details"]
    return (
        f"{stage.name}: loss {details['first_loss']} to {details['last_loss']} over"
        f" {details['steps']} steps in {details['train_seconds'] / 60:.1f} minutes;"
        f" in {shown(stage.output)}"
    )


def _absent(kind: str) -> Callable[[Graph], str]:
    """Return what says of a run without trainings of a kind which recipes there are for it."""

    def why(graph: Graph) -> str:
        model = graph.run.profile.model.name
        fitting = [name for name in recipes_for(model) if load_recipe(name).kind == kind]
        there = ", ".join(fitting) or f"none of {model} is here; give the path of your own"
        return f"no row of it has such a recipe; name one with RECIPE= (--recipe): {there}"

    return why


def _of(kind: str, arguments: Callable[..., Any]) -> dict[str, Any]:
    """Return what the kinds of training have alike, beside what they are called.

    What trains is LLaMA-Factory with these arguments; the rest of this package watches over it.
    """
    code = (f"{__name__}:{arguments.__name__}",)
    return {"keys": _by(kind), "code": code, "result": _result, "absent": _absent(kind)}


KINDS = (
    StageKind(
        "train-lora",
        "LoRA fine-tuning (RECIPE= for another recipe)",
        run,
        _stage,
        **_of("train-lora", training_arguments),
    ),
    StageKind(
        "train-qlora",
        "4-bit QLoRA fine-tuning",
        run,
        _stage,
        **_of("train-qlora", training_arguments),
    ),
    StageKind(
        "train-full",
        "full fine-tuning; with Megatron tensor parallelism where the recipe says so",
        run,
        _stage,
        **_of("train-full", training_arguments),
    ),
    StageKind(
        "train-rft",
        "fine-tuning on the tuned model's own answers that were right",
        run,
        _stage,
        **_of("train-rft", learning_arguments),
    ),
    StageKind(
        "train-dpo",
        "preference training on pairs of a right and a wrong answer",
        run,
        _stage,
        **_of("train-dpo", learning_arguments),
    ),
    StageKind(
        "train-kto",
        "preference training on right and wrong answers without pairs",
        run,
        _stage,
        **_of("train-kto", learning_arguments),
    ),
)
KIND_NAMES = frozenset(kind.name for kind in KINDS)
