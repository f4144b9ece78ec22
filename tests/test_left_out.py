"""What `make test` says at its end of the tests that it left out."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path


def test_the_last_line_says_how_many_tests_were_left_out(repository: Path) -> None:
    files = ["tests/rag/test_rank.py", "tests/rag/test_stages.py"]  # of the second all is slow
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files],
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
    )
    *_, closing, last = done.stdout.splitlines()
    assert re.match(r"\d+ passed, 1 deselected in ", closing)
    assert last.startswith("left out: 1 tests (0 skipped, 1 by their markers)")
    assert last.endswith("make test-all")
