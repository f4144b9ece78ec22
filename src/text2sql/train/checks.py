"""What is checked before a training starts, so that it does not fail an hour later."""

from __future__ import annotations

import importlib.util
import json
import re
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from text2sql.errors import UserError
from text2sql.files import read_json, require_disk
from text2sql.models.folder import tensor_shapes
from text2sql.prompt import load_template
from text2sql.train.architecture import Architecture
from text2sql.train.lengths import count_cut, measure_lengths
from text2sql.train.llamafactory import unknown_keys, wrong_value
from text2sql.train.memory import trained_parameters
from text2sql.train.objectives import check_rows, data_folder
from text2sql.train.recipe import Recipe

if TYPE_CHECKING:
    from text2sql.stage import Job

# Tokens a template writes by which a chat model knows whose turn it is.
SPECIAL = re.compile(r"<\|[^|>]+\|>|</?think>")
# Packages that a recipe's keys ask for and our environments leave out.
TRACKERS = ("tensorboard", "swanlab", "wandb")
# Bytes of a checkpoint for each trained weight: itself and Adam's two moments, in float32.
CHECKPOINT_BYTES = 12
BUCKET = 128  # values to which Megatron's distributed optimizer pads


def check_before_training(job: Job, recipe: Recipe) -> list[str]:
    """Check keys, packages, data, template and disk of a training.

    Args:
        job: the training stage's job.
        recipe: its recipe.

    Returns:
        Warnings: what will work but not do what one may think.

    Raises:
        UserError: what cannot work.
    """
    name = job.stage.name
    if recipe.launch.backend == "megatron":
        from text2sql.train.megatron_setup import require_mcore_adapter, require_transformer_engine

        require_mcore_adapter()
        require_transformer_engine(recipe.llamafactory)
    check_keys(recipe, name)
    check_packages(recipe)
    if recipe.launch.backend == "megatron":
        check_saving(recipe, job.inputs["model"])
    data = data_folder(recipe, job.inputs["data"])
    check_dataset(data)
    check_rows(recipe, job.inputs["data"])
    check_template(job.config["template"], job.inputs["model"])
    check_disk(recipe, job.inputs["model"], job.output)
    lengths = measure_lengths(data, job.config["template"], job.inputs["model"])
    warning = count_cut(lengths, recipe.cutoff).describe(recipe.cutoff)
    return [f"warning: {warning}"] if warning else []


def check_keys(recipe: Recipe, name: str) -> None:
    """Raise UserError for a key or value that LLaMA-Factory's own parser does not take.

    Args:
        recipe: the recipe; one for Megatron needs `mcore_adapter`, whose keys LLaMA-Factory adds.
        name: of the training, for the message.
    """
    unknown = unknown_keys(recipe.llamafactory)
    if unknown:
        raise UserError(f"recipe '{name}': LLaMA-Factory has no key '{unknown[0]}'")
    wrong = wrong_value(recipe.llamafactory)
    if wrong:
        raise UserError(f"recipe '{name}': LLaMA-Factory does not take {wrong}")


def check_saving(recipe: Recipe, model: Path) -> None:
    """Raise UserError where Megatron's distributed optimizer could not save what it trained.

    It keeps weights in buckets padded to `BUCKET` values, and megatron-core 0.16 asserts on saving
    where the norms of heads are smaller: with heads of 16, 32 and 64 values, and not with 128.
    """
    keys = recipe.llamafactory
    if not keys.get("use_distributed_optimizer") or keys.get("save_only_model"):
        return
    norms = {
        name: prod(shape)
        for name, shape in tensor_shapes(model).items()
        if name.endswith(("q_norm.weight", "k_norm.weight"))
    }
    small = next((name for name, size in norms.items() if size % BUCKET), None)
    if small:
        raise UserError(
            f"Megatron's distributed optimizer would train this model and then fail to save it:"
            f" {small} has {norms[small]} values, no multiple of {BUCKET};"
            " SET=use_distributed_optimizer=false"
        )


def recipe_trackers(recipe: Recipe) -> list[str]:
    """Return the programs that a recipe reports to, as Python imports them."""
    keys = recipe.llamafactory
    reported = keys.get("report_to") or []
    trackers = {reported} if isinstance(reported, str) else set(reported)
    if keys.get("use_swanlab"):
        trackers.add("swanlab")
    return [tracker for tracker in TRACKERS if tracker in trackers]


def check_packages(recipe: Recipe) -> None:
    """Raise UserError when a recipe reports to a program that is not installed."""
    for tracker in recipe_trackers(recipe):
        if importlib.util.find_spec(tracker) is None:
            raise UserError(
                f"the recipe reports to {tracker}, which is not installed; run: pip install"
                f" {tracker} (in the training environment), or set report_to=none"
                + (" use_swanlab=false" if tracker == "swanlab" else "")
            )


def check_dataset(data: Path) -> None:
    """Raise UserError when the training rows that the dataset index names are not there."""
    index = read_json(data / "dataset_info.json")
    if "train" not in index:
        raise UserError(f"{data / 'dataset_info.json'}: no dataset 'train'; run: make data")
    file = data / index["train"]["file_name"]
    if not file.is_file():
        raise UserError(f"{file}: training data is missing; run: make data")


def check_template(template: str, model: Path) -> None:
    """Raise UserError when the model's tokenizer does not know the tokens a template writes.

    Such a model trains without complaint on turns it reads as punctuation, and never stops
    generating, since the token that ends a turn is none to it.
    """
    loaded = load_template(template, model)
    known = _vocabulary(model)
    if known is None:
        return  # a tokenizer without tokenizer.json (SentencePiece); LLaMA-Factory loads it
    texts = (loaded.prefix, *loaded.system, *loaded.user, *loaded.reply, loaded.opening)
    written = SPECIAL.findall(" ".join([*texts, *loaded.stop_words]))
    missing = sorted(token for token in written if token not in known)
    if missing:
        raise UserError(
            f"template '{template}' does not fit the model: its tokenizer has no token"
            f" '{missing[0]}'; set model.template in the profile to the model's own"
        )


def check_disk(recipe: Recipe, model: Path, output: Path) -> None:
    """Raise UserError when the checkpoints that a recipe keeps cannot fit on the disk."""
    try:
        needed = sum(
            checkpoint_bytes(recipe, Architecture.from_config(read_json(model / "config.json")))
        )
    except UserError:
        return  # a family of models, or names of layers, without an estimate
    fix = "make room, set TEXT2SQL_BUILD to another disk, or SET=save_total_limit=1"
    require_disk(needed, output, "the checkpoints", fix)


def checkpoint_bytes(recipe: Recipe, model: Architecture) -> tuple[int, int]:
    """Return the bytes of a training's result, and of the checkpoints it keeps while it runs.

    Raises:
        UserError: a wrong ``lora_target``.
    """
    keys, trained = recipe.llamafactory, trained_parameters(recipe, model)
    kept = 0 if keys.get("save_strategy") == "no" else int(keys.get("save_total_limit") or 3) + 1
    return 4 * trained, CHECKPOINT_BYTES * kept * trained


def _vocabulary(model: Path) -> set[str] | None:
    path = model / "tokenizer.json"
    if not path.is_file():
        return None
    tokenizer = json.loads(path.read_text(encoding="utf-8"))
    added = {entry["content"] for entry in tokenizer.get("added_tokens", ())}
    return added | set(tokenizer["model"].get("vocab") or ())
