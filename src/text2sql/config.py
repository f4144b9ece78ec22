"""YAML configs, typed and checked: every mistake is one line with file, key and fix."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from text2sql.errors import UserError

# The one in C is ten times as fast; PyYAML is built without it where libyaml was not there.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class StrictModel(BaseModel):
    """Base of every config model: unknown keys are refused, values never change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    @model_validator(mode="before")
    @classmethod
    def _knows_the_keys(cls, values: Any) -> Any:
        unknown = (
            [k for k in values if k not in cls.model_fields] if isinstance(values, dict) else []
        )
        if not unknown:
            return values
        close = difflib.get_close_matches(str(unknown[0]), cls.model_fields, n=1)
        known = ", ".join(sorted(cls.model_fields))
        fix = f"did you mean '{close[0]}'?" if close else f"known keys: {known}"
        raise PydanticCustomError("unknown_key", "{fix}", {"key": unknown[0], "fix": fix})


Config = TypeVar("Config", bound=StrictModel)


def load_config(path: str | Path, model: type[Config]) -> Config:
    """Read a YAML file into a config model.

    Args:
        path: the YAML file.
        model: the pydantic model that says which keys exist.

    Returns:
        The checked config. A `name` that the file does not give is the file's own.

    Raises:
        UserError: file missing, not YAML, unknown key, wrong type or failed check; the message
            names the file, the key and what to do.
    """
    path = Path(path)
    values = read_yaml(path)
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


def one_of(names: Collection[str], what: str) -> AfterValidator:
    """Return pydantic's check that a key's value is one of some names."""

    def check(name: str) -> str:
        if name not in names:
            raise ValueError(f"there is no such {what}; there are: {', '.join(names)}")
        return name

    return AfterValidator(check)


def check_config(values: dict[str, Any], model: type[Config], source: str) -> Config:
    """Validate a mapping against a config model; `source` names it in the error."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise UserError(f"{source}: {_explain(error.errors()[0])}") from None


def _explain(error: Any) -> str:
    place = [str(part) for part in error["loc"]]
    key, message = ".".join(place), error["msg"].removeprefix("Value error, ")
    if error["type"] == "unknown_key":
        return f"unknown key '{'.'.join([*place, str(error['ctx']['key'])])}'; {message}"
    if error["type"] == "missing":
        return f"missing key '{key}'; add it"
    return f"key '{key}': {message} (got {error['input']!r})" if key else message


def overrides_label(overrides: Mapping[str, Any]) -> str:
    """Return keys that replace those of a file as names of runs have them: ``key=value,...``."""
    return ",".join(f"{key}={value}" for key, value in sorted(overrides.items()))
