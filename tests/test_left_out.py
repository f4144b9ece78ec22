"""Runs of some of the tests: what they say at their end of the others, and shares."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from shares import in_share

PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")


@pytest.mark.parametrize("side_by_side", [[], ["-n", "2"]])
def test_the_last_line_says_how_many_tests_were_left_out(
    repository: Path, side_by_side: list[str]
) -> None:
    files = ["tests/rag/test_rank.py", "tests/rag/test_stages.py"]  # of the second all is slow
    done = subprocess.run(
        [*PYTEST, *files, *side_by_side],
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
    )
    *_, closing, last = done.stdout.splitlines()
    assert re.match(r"\d+ passed(, 1 deselected)? in ", closing)  # workers do not say it
    assert last.startswith("left out: 1 tests (0 skipped, 1 by their markers)")
    assert last.endswith("make test-all")


def test_a_test_file_is_in_one_of_the_shares(repository: Path) -> None:
    files = [str(path.relative_to(repository)) for path in repository.glob("tests/*/test_*.py")]
    for of in (1, 5, 10):
        shares = [{f for f in files if in_share(f, f"{k}/{of}")} for k in range(1, of + 1)]
        assert all(shares)
        assert sorted(file for share in shares for file in share) == sorted(files)


@pytest.mark.parametrize("share", ["0/3", "4/3", "half", "1/0"])
def test_a_share_that_is_none_is_one_line(share: str) -> None:
    with pytest.raises(pytest.UsageError, match=f"--share {share}: K/N with K from 1 to N"):
        in_share("tests/test_left_out.py", share)
