"""What a weight file holds, from its header alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from text2sql.errors import UserError


def tensor_shapes(path: Path) -> dict[str, list[int]]:
    """Return the shape of each tensor in a safetensors file (a JSON header behind its length).

    Raises:
        UserError: the file is cut short or no safetensors file.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        try:
            header = json.loads(stream.read(length)) if length < size else None
        except ValueError:
            header = None
    if not isinstance(header, dict) or 8 + length + _data_bytes(header) > size:
        raise UserError(f"{path}: broken or incomplete safetensors file; copy or make it anew")
    return {name: entry["shape"] for name, entry in header.items() if name != "__metadata__"}


def _data_bytes(header: dict[str, Any]) -> int:
    """How long the file is behind its header."""
    ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    return max(ends, default=0)
