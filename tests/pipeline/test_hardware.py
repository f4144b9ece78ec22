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
