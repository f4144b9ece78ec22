"""Words that end a turn of the prompt format, taken apart where they are no part of it."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any

CONTROL, HARMLESS = "<|", "< |"  # opens the words that end a turn of the conversation


def disarm(value: Any) -> Any:
    """Return a text, or a schema of texts, that cannot end its turn and speak for someone else."""
    if isinstance(value, str):
        return value.replace(CONTROL, HARMLESS)
    if isinstance(value, tuple):
        return tuple(map(disarm, value))
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: disarm(getattr(value, f.name)) for f in fields(value)})
    return value
