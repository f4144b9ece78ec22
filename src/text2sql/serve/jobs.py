"""Live progress of the pipeline's stages, from the files that running stages write."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from fastapi import WebSocket, WebSocketDisconnect

from text2sql.files import PARTIAL
from text2sql.paths import build_root
from text2sql.progress import PROGRESS, read_progress
from text2sql.serve.config import ServeConfig
from text2sql.serve.stream import admitted

SECONDS_BETWEEN_LOOKS = 1.0


def list_jobs(root: Path) -> list[dict[str, Any]]:
    """Return the unfinished stages below the folder of runs.

    Args:
        root: the build folder.

    Returns:
        One entry a stage that writes progress: run, stage, done, total, unit, and the seconds since
        it last said something (an interrupted stage stays listed and falls silent).
    """
    jobs = []
    for file in sorted((root / "runs").glob(f"*/*/**/*{PARTIAL}/{PROGRESS}")):
        known = read_progress(file.parent)
        if known is None:
            continue
        parts = file.parent.relative_to(root / "runs").parts
        done, total, unit = known
        jobs.append(
            {
                "run": "/".join(parts[:2]),
                "stage": ":".join(parts[2:]).removesuffix(PARTIAL),
                "done": done,
                "total": total,
                "unit": unit,
                "silent_seconds": round(time.time() - file.stat().st_mtime, 1),
            }
        )
    return jobs


async def watch_jobs(socket: WebSocket, config: ServeConfig) -> None:
    """Send the list of running stages at once and whenever it changes.

    The first message must be ``{}``, with the ``token`` in it where one is needed.
    """
    if not await admitted(socket, config):
        return
    sent: Any = None
    gone = asyncio.create_task(socket.receive())
    try:
        while not gone.done():
            jobs = await asyncio.to_thread(list_jobs, build_root())
            seen = [(one["run"], one["stage"], one["done"], one["total"]) for one in jobs]
            if seen != sent:
                await socket.send_json({"type": "jobs", "jobs": jobs})
                sent = seen
            await asyncio.wait([gone], timeout=SECONDS_BETWEEN_LOOKS)
    except (WebSocketDisconnect, RuntimeError):
        return
    finally:
        gone.cancel()
