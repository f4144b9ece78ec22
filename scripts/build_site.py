#!/usr/bin/env python3
"""Make the site of README.md and docs/ with mkdocs-material, from the very files.

Usage: python scripts/build_site.py [FOLDER]          (default: build/site)

The pages and all that they link to are copied, in the repository's own layout, to FOLDER/source,
so that a link that works in a checkout works on the site. The site is in FOLDER/html. A link or an
anchor that leads nowhere, and a page that is in no menu, end this with status 1.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = (
    "README.md",
    "README.zh.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "data/sample/README.md",
    "docs/**/*.md",
    "test-suite-sql-eval/README.md",
    "test-suite-sql-eval/docs/*.md",
)
LINK = re.compile(r"\]\(([^)\s]+)\)")
STYLE = ROOT / "docs" / "site.css"
OUTSIDE = ("http://", "https://", "mailto:", "#")


def linked_files(page: Path) -> list[Path]:
    """Return the files of the repository that a page links to, where they are there."""
    links = LINK.findall(page.read_text(encoding="utf-8"))
    local = [link.partition("#")[0] for link in links if not link.startswith(OUTSIDE)]
    files = [(page.parent / target).resolve() for target in local]
    return [path for path in files if path.is_file() and path.is_relative_to(ROOT)]


def stage(source: Path) -> None:
    """Fill a folder with the pages and the files that they link to."""
    shutil.rmtree(source, ignore_errors=True)
    pages = [page for pattern in PAGES for page in sorted(ROOT.glob(pattern))]
    files = {STYLE} | {path for page in pages for path in (page, *linked_files(page))}
    for path in sorted(files):
        target = source / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def build(folder: Path) -> int:
    """Make the site below a folder; return mkdocs' exit status."""
    stage(folder / "source")
    config = folder / "mkdocs.yml"
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    config.write_text(f"{text}\ndocs_dir: source\nsite_dir: html\n", encoding="utf-8")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--clean"]
    quiet = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run([*command, "--config-file", str(config)], env=quiet, check=False)
    if done.returncode == 0:
        print(f"site: {folder / 'html' / 'index.html'}")
    return done.returncode


if __name__ == "__main__":
    sys.exit(build(Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build" / "site").resolve()))
