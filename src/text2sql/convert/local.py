"""A base model that is a folder on this machine already."""

from __future__ import annotations

from pathlib import Path

from text2sql.convert.weights import tensor_shapes
from text2sql.errors import UserError
from text2sql.files import read_json
from text2sql.records import UNHASHED

# What of a model's folder is used; other formats of the weights, pictures and so on stay behind.
WANTED = ("*.json", "*.safetensors", "*.txt", "*.jinja", "tokenizer*")
INDEX = "model.safetensors.index.json"


def local_folder(name: str) -> Path | None:
    """Return the folder that a profile's `path_or_hub_id` names; None when it is a hub id.

    Raises:
        UserError: a path where there is no folder.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        return path
    # A hub id is "owner/name" or "name".
    if path.is_absolute() or name.startswith((".", "~")) or name.count("/") > 1:
        raise UserError(f"model.path_or_hub_id: there is no folder {path}")
    return None


def model_files(folder: Path) -> list[Path]:
    """Return the files of a model folder that are the model; records of our own stages are not."""
    found = {path for pattern in WANTED for path in folder.glob(pattern) if path.is_file()}
    return sorted(path for path in found if path.name not in UNHASHED)


def folder_state(folder: Path) -> list[str]:
    """Return name, size and time of a model's files, by which a changed one is noticed."""
    files = [(path.name, path.stat()) for path in model_files(folder)]
    return [f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in files]


def check_model_folder(folder: Path) -> None:
    """Raise UserError, saying what is missing or broken, unless a folder holds a whole model."""
    names = {path.name for path in model_files(folder)}
    weights = sorted(name for name in names if name.endswith(".safetensors"))
    for found, needed in (
        ("config.json" in names, "config.json"),
        (bool(weights), "*.safetensors file"),
        (any(name.startswith("tokenizer") for name in names), "tokenizer"),
    ):
        if not found:
            raise UserError(f"{folder}: no {needed} there; it is not a Hugging Face model folder")
    if INDEX in names:
        needed_files = set(read_json(folder / INDEX)["weight_map"].values())
        missing = sorted(needed_files - names)
        if missing:
            raise UserError(f"{folder / missing[0]}: missing, and {INDEX} names it; copy it anew")
    for name in weights:
        tensor_shapes(folder / name)  # a file cut short is told here, not an hour into a training
