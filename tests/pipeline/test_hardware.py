"""What is asked of the machine itself."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

# Pieces that malloc takes from its heap, with one behind them that keeps the heap from shrinking.
FREED = """
import re
from text2sql.hardware import give_back_memory
def resident():
    return int(re.search(r"VmRSS:\\s+(\\d+)", open("/proc/self/status").read()).group(1))
pieces = [b"x" * 60_000 for _ in range(5_000)]
last = b"x" * 60_001
del pieces
before = resident()
give_back_memory()
print(before - resident())
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="needs glibc")
def test_freed_memory_goes_back_to_the_system() -> None:
    done = subprocess.run([sys.executable, "-c", FREED], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 200_000  # kB, of the 300,000 that were freed
