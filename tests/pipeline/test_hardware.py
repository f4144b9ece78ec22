"""What a machine can afford, and what it is given back."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

from text2sql import hardware

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


@pytest.mark.parametrize(
    ("memory", "needed", "workers"), [(24.0, 7.0, 2), (8.0, 7.0, 1), (4.0, 7.0, 1), (4.0, 0.0, 2)]
)
def test_workers_fit_the_memory(
    memory: float, needed: float, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "memory_gb", lambda: memory)
    assert hardware.affordable_workers(2, needed) == workers


def test_threads_are_those_of_the_variable_else_one_a_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert hardware.thread_count() == 3
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2, 3, 4})
    assert hardware.thread_count() == 5


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="needs glibc")
def test_freed_memory_goes_back_to_the_system() -> None:
    done = subprocess.run([sys.executable, "-c", FREED], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 200_000  # kB, of the 300,000 that were freed
