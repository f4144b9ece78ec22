"""What a measurement is written down with: the code, the machine, its packages, how busy it was."""

from __future__ import annotations

import os
from typing import Any

from text2sql import hardware
from text2sql.records import git_state, package_versions


def surroundings() -> dict[str, Any]:
    """Return code, machine and packages, and how many threads a measurement may use."""
    return {
        "git": git_state(),
        "hardware": hardware.describe(),
        "versions": package_versions(),
        "threads": hardware.thread_count(),
    }


def load() -> list[float]:
    """Return the machine's load over 1, 5 and 15 minutes."""
    return [round(value, 1) for value in os.getloadavg()]
