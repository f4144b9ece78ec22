#!/usr/bin/env python3
"""Write an exact lock file from pip's own resolution report.

Usage:

    python -m pip install --dry-run --ignore-installed --report report.json -r requirements/cpu.in
    python scripts/lock.py report.json requirements/cpu.in > requirements/cpu.txt

The report's format is described in pip's documentation ("Installation Report").
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any


def normalize(name: str) -> str:
    """Return the normalized form of a project name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(report: dict[str, Any]) -> list[str]:
    """Return the sorted ``name==version`` lines of a pip installation report.

    The local part of a version (``2.13.0+cpu``) is left out: ``==2.13.0`` accepts both the plain
    wheel and a local build of it, so the lock installs whichever of them the user's index offers.

    Args:
        report: the parsed JSON of ``pip install --report``.

    Returns:
        One exact pin for every distribution that pip would install, without duplicates.
    """
    lines = set()
    for item in report["install"]:
        metadata = item["metadata"]
        version = metadata["version"].split("+", 1)[0]
        lines.add(f"{normalize(metadata['name'])}=={version}")
    return sorted(lines)


def lock_text(report: dict[str, Any], source: str) -> str:
    """Return the text of the lock file: a header saying how it was made, then the pins.

    Args:
        report: the parsed JSON of ``pip install --report``.
        source: path of the .in file, as it should be named in the header.
    """
    environment = report["environment"]
    header = [
        f"# Made from {source} by scripts/lock.py; do not edit.",
        f"# Resolved by pip {report['pip_version']} for Python {environment['python_version']}, "
        f"{environment['sys_platform']} {environment['platform_machine']}.",
        "# To renew: see docs/environment.md.",
    ]
    return "\n".join([*header, *pins(report)]) + "\n"


def main(arguments: list[str]) -> int:
    """Print the lock file for ``arguments`` = [report.json, source.in]; return the exit status."""
    if len(arguments) != 2:
        print("usage: lock.py REPORT.json requirements/NAME.in", file=sys.stderr)
        return 2
    path, source = Path(arguments[0]), Path(arguments[1])
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        text = lock_text(report, f"{source.parent.name}/{source.name}")
    except OSError as error:
        print(f"lock.py: cannot read {path}: {error.strerror}", file=sys.stderr)
        return 1
    except (ValueError, KeyError, TypeError) as error:
        print(f"lock.py: {path} is not a report of pip install --report: {error}", file=sys.stderr)
        return 1
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
