"""What a stage that was stopped had already spent, so that its record tells the whole cost."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from text2sql.files import read_json, write_json
from text2sql.progress import PROGRESS

ATTEMPTS = "attempts.json"


def begin_attempt(folder: Path, git: dict[str, Any]) -> tuple[datetime, list[dict[str, Any]]]:
    """Note in a stage's partial folder that work on it begins, before it reports any progress.

    A process that was killed leaves no end; its last sign of life, the time of its last progress,
    stands for it.

    Args:
        folder: the partial folder, as an earlier attempt may have left it.
        git: state of the checkout.

    Returns:
        Start of this attempt; those before it, each with ``started``, ``seconds`` and ``git``.
    """
    path = folder / ATTEMPTS
    earlier: list[dict[str, Any]] = read_json(path) if path.is_file() else []
    if earlier:
        began = datetime.fromisoformat(earlier[-1]["started"])
        earlier[-1]["seconds"] = round(max(0.0, _last_sign(folder) - began.timestamp()), 1)
    now = datetime.now(UTC)
    this = {"started": now.isoformat(timespec="seconds"), "seconds": 0.0, "git": git}
    write_json(path, [*earlier, this])
    return now, earlier


def _last_sign(folder: Path) -> float:
    progress = folder / PROGRESS
    return progress.stat().st_mtime if progress.is_file() else 0.0
