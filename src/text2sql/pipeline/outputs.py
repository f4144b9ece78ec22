"""Where a stage writes: into ``<output>.partial``, renamed into place when it ends well.

What an interrupted stage left is kept together with its key, so that the next run goes on from it
when nothing has changed and starts clean when something has.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from text2sql.errors import UserError
from text2sql.files import PARTIAL
from text2sql.pipeline.keys import stage_key
from text2sql.progress import NOTES, PROGRESS
from text2sql.records import ATTEMPTS
from text2sql.stage import Stage

LOG, KEY = "stage.log", "stage.key"


def partial_folder(stage: Stage) -> Path:
    """The folder a stage writes into until it has ended well."""
    return stage.output.with_name(stage.output.name + PARTIAL)


def prepare_partial(stage: Stage) -> Path:
    """Return the folder to write into: what an equal, interrupted run left, or an empty one."""
    folder = partial_folder(stage)
    key = stage_key(stage)
    stored = folder / KEY
    if folder.exists() and (not stored.is_file() or stored.read_text(encoding="utf-8") != key):
        shutil.rmtree(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / NOTES).unlink(missing_ok=True)
        stored.write_text(str(key), encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"{folder}: cannot be written ({error.strerror}); make room or set TEXT2SQL_BUILD to"
            " another folder"
        ) from None
    return folder


def publish(stage: Stage) -> None:
    """Put the finished `.partial` folder in the place of the stage's output."""
    folder = partial_folder(stage)
    for told in (KEY, PROGRESS, ATTEMPTS):  # the manifest has what is to stay
        (folder / told).unlink(missing_ok=True)
    if stage.output.exists():
        shutil.rmtree(stage.output)
    folder.rename(stage.output)
