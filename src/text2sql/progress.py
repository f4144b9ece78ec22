"""Progress of a stage, told through a small file so that the runner can show it from outside."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tqdm import tqdm

from text2sql.files import write_json

PROGRESS = "progress.json"
NOTES = "notes.txt"
SECONDS_BETWEEN_WRITES = 0.5


class Progress:
    """Writes ``{"done", "total", "unit"}`` into a stage's output folder as the work goes on."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / PROGRESS
        self._notes = folder / NOTES
        self._last = 0.0

    def update(self, done: int, total: int, unit: str) -> None:
        """Say how far the work is; calls in quick succession cost nothing."""
        now = time.monotonic()
        if now - self._last >= SECONDS_BETWEEN_WRITES or done >= total:
            self._last = now
            with suppress(OSError):  # a full disk stops the work itself, not the telling of it
                write_json(self._path, {"done": done, "total": total, "unit": unit}, indent=None)

    def note(self, text: str) -> None:
        """Tell the user something now; the line also goes into the stage's log."""
        with suppress(OSError):
            print(text, flush=True)
            with self._notes.open("a", encoding="utf-8") as stream:
                stream.write(f"{text}\n")


def answer_bar(total: int, unit: str) -> tuple[tqdm, Callable[[str], None]]:
    """Return a bar on stderr for work that a language model does, and a listener to its answers.

    The bar shows how long the answer is that is being written, so that it moves before the first
    piece of work is done.

    Args:
        total: pieces of work.
        unit: what one is called.
    """
    # Without miniters=0 tqdm would wait for the next piece of work.
    bar = tqdm(total=total, unit=unit, mininterval=1.0, miniters=0)

    def listen(text: str) -> None:
        bar.set_postfix_str(f"an answer of {len(text):,} characters so far", refresh=False)
        bar.update(0)

    return bar, listen


def read_notes(folder: Path) -> list[str]:
    """Return the lines that a stage has told the user since it began."""
    try:
        return (folder / NOTES).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def read_progress(folder: Path) -> tuple[int, int, str] | None:
    """Return (done, total, unit) as last written, or None when nothing was."""
    try:
        value = json.loads((folder / PROGRESS).read_text(encoding="utf-8"))
        return int(value["done"]), int(value["total"]), str(value["unit"])
    except (OSError, ValueError, KeyError):
        return None
