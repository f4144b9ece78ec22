"""Fill the disk of a training that is under way, then make room and run the same command again.

Usage: ``unshare --map-root-user --mount python full_disk.py FOLDER SIZE COMMAND...``

Mounts a file system of SIZE MiB on FOLDER, which only this process and its children see, and runs
the command with TEXT2SQL_BUILD in it. Prints one JSON line: of both runs what they printed, their
status, the checkpoints they left, and of the second the training's log.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

BLOCK = b"\0" * 65536


def fill(path: Path) -> None:
    """Write until nothing more fits."""
    with path.open("wb", buffering=0) as stream:
        for block in (BLOCK, b"\0"):
            while True:
                try:
                    stream.write(block)
                except OSError:
                    break


def checkpoints(folder: Path) -> list[int]:
    """Steps of the checkpoints that were written whole."""
    found = folder.glob("runs/*/*/train/*/checkpoint-*/trainer_state.json")
    return sorted(int(re.sub(r"\D", "", path.parent.name)) for path in found)


def run(command: list[str], folder: Path, filler: Path | None) -> dict[str, Any]:
    """Run the command; with a filler, fill the disk once there is a checkpoint."""
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while filler and process.poll() is None:
        if checkpoints(folder):
            fill(filler)
            break
        time.sleep(0.01)
    try:
        output, error = process.communicate(timeout=240)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, error = process.communicate()
        error += "\nHANGS"
    return {
        "status": process.returncode,
        "output": output[-6000:],
        "error": error[-6000:],
        "checkpoints": checkpoints(folder),
        "log": "".join(p.read_text() for p in folder.glob("runs/*/*/train/*/stage.log")),
    }


def main() -> None:
    mount, size, *command = sys.argv[1:]
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}m", "none", mount], check=True)
    folder, filler = Path(mount) / "build", Path(mount) / "filler"
    os.environ["TEXT2SQL_BUILD"] = str(folder)
    first = run(command, folder, filler)
    filler.unlink()
    second = run(command, folder, None)
    print(json.dumps([first, second]))


if __name__ == "__main__":
    main()
