"""Copies of this repository that tests extend as its pages say, and commands that run in them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path


def copy_checkout(repository: Path, copy: Path) -> Path:
    """Copy what commands need into a new folder and return it."""
    for name in ("src", "scripts", "configs", "data", "test-suite-sql-eval"):
        ignored = shutil.ignore_patterns("__pycache__", "tests", "*.egg-info")
        shutil.copytree(repository / name, copy / name, ignore=ignored)
    shutil.copy(repository / "Makefile", copy)
    return copy


def in_copy(checkout: Path, *command: str) -> str:
    """Run a command in a copy, with the copy's packages; return what it printed."""
    path = os.pathsep.join([str(checkout / "src"), str(checkout / "test-suite-sql-eval")])
    variables = ("TEXT2SQL_BUILD", "TEXT2SQL_ROOT")
    env = {key: value for key, value in os.environ.items() if key not in variables}
    result = subprocess.run(
        command,
        cwd=checkout,
        env=env | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def documented(repository: Path, section: str) -> list[str]:
    """Return the Python of a section of docs/extending.md, block by block."""
    page = (repository / "docs" / "extending.md").read_text(encoding="utf-8")
    text = page.split(f"## {section}\n")[1].split("\n## ")[0]
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)
