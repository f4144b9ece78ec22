"""YAML configs, typed and checked: every mistake is one line with file, key and fix."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from text2sql.errors import UserError

# The one in C is ten times as fast; PyYAML is built without it where libyaml was not there.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class StrictModel(BaseModel):
    """Base of every config model: unknown keys are refused, values never change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


Config = TypeVar("Config", bound=StrictModel)


def load_config(
    path: str | Path, model: type[Config], overrides: dict[str, Any] | None = None
) -> Config:
    """Read a YAML file into a config model.

    Args:
        path: the YAML file.
        model: the pydantic model that says which keys exist.
        overrides: top-level keys that replace those of the file (``None`` values are ignored).

    Returns:
        The checked config. A `name` that the file does not give is the file's own.

    Raises:
        UserError: file missing, not YAML, unknown key, wrong type or failed check; the message
            names the file, the key and what to do.
    """
    path = Path(path)
    values = read_yaml(path)
    values.update({k: v for k, v in (overrides or {}).items() if v is not None})
    if "name" in model.model_fields:
        values.setdefault("name", path.stem)
    return check_config(values, model, source=str(path))


def require_file(path: Path) -> None:
    """Raise UserError, naming those beside it, unless there is such a config file."""
    if path.is_file():
        return
    siblings = ", ".join(sorted(p.name for p in path.parent.glob("*.yaml")))
    raise UserError(
        f"{path}: no such config file" + (f"; there are: {siblings}" if siblings else "")
    )


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file; raise UserError when there is none."""
    require_file(path)
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), Loader=LOADER)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise UserError(f"{path}: expected a mapping of keys to values at the top level")
    return values


def key_check(check: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a check of one key for pydantic, from one that raises UserError.

    The error then names the key, and the file that it stands in.
    """

    def checked(value: Any) -> Any:
        try:
            return check(value)
        except UserError as error:
            raise ValueError(str(error)) from None

    return checked


def check_config(values: dict[str, Any], model: type[Config], source: str) -> Config:
    """Validate a mapping against a config model; `source` names it in the error."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        # A misspelt key shows twice, as unknown and as missing; the first says more.
        found = error.errors()
        first = next((e for e in found if e["type"] == "extra_forbidden"), found[0])
        keys = [str(part) for part in first["loc"]]
        raise UserError(f"{source}: {_explain(keys, first, model)}") from None


def _explain(keys: list[str], error: Any, model: type[BaseModel]) -> str:
    key = ".".join(keys)
    if error["type"] == "extra_forbidden":
        known = _sibling_keys(keys, model)
        close = difflib.get_close_matches(keys[-1], known, n=1)
        fix = f"did you mean '{close[0]}'?" if close else f"known keys: {', '.join(sorted(known))}"
        return f"unknown key '{key}'; {fix}"
    if error["type"] == "missing":
        return f"missing key '{key}'; add it"
    message = error["msg"].removeprefix("Value error, ")
    return f"key '{key}': {message} (got {error['input']!r})" if key else message


def _sibling_keys(keys: list[str], model: type[BaseModel]) -> list[str]:
    """Keys allowed where the unknown one stands, found by asking each nested model in turn."""
    current: type[BaseModel] | None = model
    for key in keys[:-1]:
        if current is None or key not in current.model_fields:
            continue  # list index or union tag: stays in the same model
        current = nested_model(current.model_fields[key].annotation)
    return list(current.model_fields) if current else []


def nested_model(annotation: Any) -> type[BaseModel] | None:
    """Return the config model that a key's type holds, as ``Model | None`` does; else None."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(nested_model, get_args(annotation))), None)


def overrides_label(overrides: Mapping[str, Any]) -> str:
    """Return keys that replace those of a file as names of runs have them: ``key=value,...``."""
    return ",".join(f"{key}={value}" for key, value in sorted(overrides.items()))
