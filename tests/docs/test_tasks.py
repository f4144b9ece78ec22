"""Each page for a task ends in commands that work as they stand, on a machine without a GPU."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TASKS = ROOT / "docs" / "tasks"
# Of what the commands of each page print, what only success prints, as patterns.
PRINTED = {
    "gpus": ["fits:", "lora_rank: 32"],
    "judge": ["execution +1.000", "execution +0.500"],
    "model": [r"train:qwen3-4b_lora-r8_1gpu  \[to run\]", r"figures  \[to run\]"],
    # The answer, or that the time for it was over: how long that takes is the machine's affair.
    "serve": ['"status":"ok"', '"sql":|"kind":"timeout"'],
    "tune": ["data: done", "fits:", "lora_rank: 32"],
}

# End with the first command that fails, and leave no service behind.
CAREFULLY = "set -eo pipefail; trap 'kill $(jobs -p) 2>/dev/null || true' EXIT"


def last_block(page: Path) -> str:
    """The commands that a page ends in; they stand below its last heading."""
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"^#+ .*$", text.split("```bash")[-2], re.MULTILINE)[-1] == "## Try it"
    assert text.rstrip().endswith("```")
    return re.findall(r"```bash\n(.*?)```", text, re.DOTALL)[-1]


def test_every_page_is_tried() -> None:
    assert {page.stem for page in TASKS.glob("*.md")} == set(PRINTED)


@pytest.mark.parametrize("name", sorted(PRINTED))
def test_the_commands_work(name: str, tmp_path: Path, tiny_llama: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    # Another folder, model and port than on the page, since the tests leave no trace in a checkout.
    commands = last_block(TASKS / f"{name}.md").replace("build/", f"{tmp_path}/")
    commands = commands.replace("path/to/model", str(tiny_llama)).replace("4060", port)
    done = subprocess.run(
        ["bash", "-c", f"{CAREFULLY}\n{commands}"],
        cwd=ROOT,
        # One thread: several that wait for each other take long where other programs run.
        env=os.environ | {"TEXT2SQL_BUILD": str(tmp_path), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for text in PRINTED[name]:
        assert re.search(text, done.stdout + done.stderr), done.stdout + done.stderr
