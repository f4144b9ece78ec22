"""Shares of the test files, for runs that are to take a part of the time."""

from __future__ import annotations

import re
from zlib import crc32

import pytest


def in_share(path: str, share: str) -> bool:
    """Say whether a test file belongs to a share; that hangs on its name alone.

    Args:
        path: of the file, from the checkout.
        share: ``K/N`` for the K-th of N shares.

    Raises:
        pytest.UsageError: the share is none.
    """
    match = re.fullmatch(r"([1-9]\d*)/([1-9]\d*)", share)
    if match is None or int(match[1]) > int(match[2]):
        raise pytest.UsageError(f"--share {share}: K/N with K from 1 to N is needed, as 1/5")
    return crc32(path.encode()) % int(match[2]) == int(match[1]) - 1
