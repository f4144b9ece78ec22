"""What a training learns from besides gold SQL: answers of a tuned model that were judged."""

from __future__ import annotations

from pathlib import Path

from text2sql.errors import UserError
from text2sql.files import read_json
from text2sql.train.recipe import Recipe

# Objectives whose rows `text2sql.learn` writes, each with LLaMA-Factory's name of its stage.
LEARNED = {"rft": "sft", "dpo": "dpo", "kto": "kto"}


def data_folder(recipe: Recipe, data: Path) -> Path:
    """Return the folder with the ``train.json`` of a recipe.

    Args:
        recipe: the training recipe.
        data: the output of the stage that wrote its data: ``data``, ``train-examples``, or
            ``sample`` for objectives that learn from judged answers.
    """
    return data if recipe.objective == "sft" else data / recipe.objective


def check_rows(recipe: Recipe, data: Path) -> None:
    """Raise UserError where the judged answers left an objective nothing to learn from."""
    if recipe.objective in LEARNED and not read_json(data_folder(recipe, data) / "train.json"):
        raise UserError(
            f"no answers to learn from with objective '{recipe.objective}'; sample more: raise"
            " questions in the profile's 'learning', or samples and temperature in its infer config"
        )
