"""What a machine can afford."""

from __future__ import annotations

import pytest

from text2sql import hardware


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
