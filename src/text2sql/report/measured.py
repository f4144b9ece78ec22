"""The measurements on the page about inference, rendered from their records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from text2sql.errors import UserError
from text2sql.files import read_json, write_json
from text2sql.gguf.table import RECORD, render
from text2sql.paths import repository_root
from text2sql.report.record import commits

FOLDER = Path("results") / "quantization"


def publish_quantization(run_folder: Path) -> Path | None:
    """Copy the record of a run's quantization table into results/quantization/.

    Returns:
        The file there; None where the run has no such table.

    Raises:
        UserError: a stage ran from a checkout with changes that are not committed.
    """
    found = sorted(run_folder.glob(f"gguf/*/table/{RECORD}"))
    if not found:
        return None
    record = read_json(found[0])
    require_committed(found[0], record)
    target = repository_root() / FOLDER / f"{record['profile']}_{record['dataset']}.json"
    write_json(target, record)
    return target


def require_committed(path: Path, record: dict[str, Any]) -> None:
    """Raise UserError when a stage behind a record ran from uncommitted code."""
    if any(commit.endswith("+") for commit in commits(record)):
        raise UserError(f"{path}: made with changes that are not committed; commit, then run again")


def inference_block() -> str:
    """Return all published measurements of inference as Markdown."""
    parts = []
    for path in sorted((repository_root() / FOLDER).glob("*.json")):
        shown = path.relative_to(repository_root())
        parts.append(f"{render(read_json(path))}\nRecord: [{shown}](../{shown})\n")
    return "\n".join(parts)
