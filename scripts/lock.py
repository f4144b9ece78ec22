"""Write requirements/<name>.txt from requirements/<name>.in: ``python scripts/lock.py gpu-train``.

Pip resolves without installing (``--dry-run --report``), with the index the user has set.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "requirements"


def resolve(name: str) -> list[str]:
    """Return ``package==version`` of everything that requirements/<name>.in needs."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed"]
        command += ["--quiet", "--report", str(report), "-r", str(FOLDER / f"{name}.in")]
        subprocess.run(command, check=True)
        found = json.loads(report.read_text(encoding="utf-8"))["install"]
    pins = []
    for item in found:
        metadata = item["metadata"]
        # A local version such as 2.13.0+cpu says which index was asked; the pin fits all builds.
        pins.append(f"{metadata['name']}=={metadata['version'].split('+')[0]}")
    return sorted(pins, key=str.lower)


def main() -> None:
    """Resolve and write one lock file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=sorted(path.stem for path in FOLDER.glob("*.in")))
    name = parser.parse_args().name
    first = (FOLDER / f"{name}.in").read_text(encoding="utf-8").splitlines()[0]
    header = (
        f"{first.split(' Locked in')[0]}\n# Made by: python scripts/lock.py {name} (Python 3.11)\n"
    )
    target = FOLDER / f"{name}.txt"
    partial = target.with_name(target.name + ".partial")
    partial.write_text(header + "\n".join(resolve(name)) + "\n", encoding="utf-8")
    partial.replace(target)


if __name__ == "__main__":
    main()
