"""Live progress of the pipeline's stages, from the files that running stages write."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from fastapi import WebSocket

from text2sql.files import PARTIAL
from text2sql.paths import build_root
from text2sql.progress import PROGRESS, read_progress
from text2sql.serve.access import Access
from text2sql.serve.stream import admit, conversation, parse, receive_text

SECONDS_BETWEEN_LOOKS = 0.5  # as often as stages write


def list_jobs(root: Path) -> list[dict[str, Any]]:
    """Return the unfinished stages of runs, and the data sets that are being made.

    Args:
        root: the build folder.

    Returns:
        One entry a stage that writes progress: run, stage, done, total, unit, and the seconds since
        it last said something (an interrupted stage stays listed and falls silent).
    """
    jobs = []
    runs = sorted((root / "runs").glob(f"*/*/**/*{PARTIAL}/{PROGRESS}"))
    for file in [*runs, *sorted((root / "own").glob(f"*{PARTIAL}/{PROGRESS}"))]:
        known = read_progress(file.parent)
        if known is None:
            continue
        try:
            silent = round(time.time() - file.stat().st_mtime, 1)
        except OSError:
            continue  # the stage has just ended
        run, stage = _names(file.parent.relative_to(root).parts)
        job = {"run": run, "stage": stage, "silent_seconds": silent}
        jobs.append(job | dict(zip(("done", "total", "unit"), known, strict=True)))
    return jobs


def _names(parts: tuple[str, ...]) -> tuple[str, str]:
    """Return run and stage by the folder of a stage below the build folder."""
    last = parts[-1].removesuffix(PARTIAL)
    if parts[0] == "own":
        return f"own/{last}", "create-data"
    return "/".join(parts[1:3]), ":".join((*parts[3:-1], last))


async def watch_jobs(socket: WebSocket, access: Access) -> None:
    """Send the list of running stages at once and whenever it changes.

    The first message must be ``{}``, with the ``token`` in it where one is needed.
    """
    async with conversation(socket):
        admit(socket, access, parse(await receive_text(socket)).get("token", ""))
        sent: Any = None
        gone = asyncio.create_task(socket.receive())
        try:
            while not gone.done():
                jobs = await asyncio.to_thread(list_jobs, build_root())
                seen = [(job["run"], job["stage"], job["done"], job["total"]) for job in jobs]
                if seen != sent:
                    await socket.send_json({"type": "jobs", "jobs": jobs})
                    sent = seen
                await asyncio.wait([gone], timeout=SECONDS_BETWEEN_LOOKS)
        finally:
            gone.cancel()
