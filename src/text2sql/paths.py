"""Where things are in the repository. Everything a stage writes goes below `build/`."""

from __future__ import annotations

import os
from pathlib import Path

from text2sql.errors import UserError


def repository_root() -> Path:
    """Return the checkout this package runs from (or $TEXT2SQL_ROOT).

    Raises:
        UserError: no `configs/` folder there, as after an install outside the checkout.
    """
    root = Path(os.environ.get("TEXT2SQL_ROOT") or Path(__file__).resolve().parents[2])
    if not (root / "configs").is_dir():
        raise UserError(f"{root}: no configs/ folder here; set TEXT2SQL_ROOT to the checkout")
    return root


def config_path(kind: str, name: str) -> Path:
    """Return `configs/<kind>/<name>.yaml`, or `name` itself when it is a path to a YAML file."""
    if name.endswith((".yaml", ".yml")):
        return Path(name)
    return repository_root() / "configs" / kind / f"{name}.yaml"


def config_name(name: str) -> str:
    """Return the name of a config given by name or by path (names may hold dots)."""
    return Path(name).name.removesuffix(".yaml").removesuffix(".yml")


def build_root() -> Path:
    """Return the folder for all generated files (`build/`, or $TEXT2SQL_BUILD)."""
    return Path(os.environ.get("TEXT2SQL_BUILD") or repository_root() / "build")


def cache_root() -> Path:
    """Return the folder for downloads that outlive `build/` ($TEXT2SQL_CACHE, or the user's)."""
    given = os.environ.get("TEXT2SQL_CACHE")
    if given:
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "text2sql"


def shown(path: Path) -> str:
    """Return a path as messages show it: from the checkout's top where it lies below it."""
    root = repository_root()
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def local_model(path_or_hub_id: str) -> Path | None:
    """Return the local folder that a profile's model names; None where there is none.

    Relative paths count from the checkout's top.
    """
    folder = repository_root() / Path(path_or_hub_id).expanduser()
    return folder if folder.is_dir() else None
