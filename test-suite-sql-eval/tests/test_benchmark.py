"""The README's measured tables are those of the committed records."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType

import pytest

PACKAGE = Path(__file__).resolve().parents[1]
README = (PACKAGE / "README.md").read_text()


def _script(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(PACKAGE / "benchmarks")
    return importlib.import_module(name)


def _record(name: str) -> dict:  # type: ignore[type-arg]
    return json.loads((PACKAGE / "benchmarks" / name).read_text())  # type: ignore[no-any-return]


def _shown(script: ModuleType) -> str:
    return README.split(script.START)[1].split(script.END)[0]


def test_readme_shows_the_record(monkeypatch: pytest.MonkeyPatch) -> None:
    benchmark = _script("benchmark", monkeypatch)
    record = _record("results.json")
    assert _shown(benchmark) == benchmark.table(record)
    assert all(row["same_figures"] for row in record["rows"])
    assert all(row["peak_mb"] < 300 for row in record["rows"])
    assert record["start_up"]["ours"]["wall"] < 0.3


def test_readme_shows_the_cold_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    cold_speed = _script("cold_speed", monkeypatch)
    assert _shown(cold_speed) == cold_speed.block(_record("cold_speed.json"))


def test_a_million_verdicts_lost_none_and_left_memory_steady() -> None:
    record = _record("live_million.json")
    assert record["verdicts"] == 1_000_000
    assert record["killed"] > 0
    assert record["lost"] == record["other_verdicts"] == 0
    caller = [tenth["caller_mb"] for tenth in record["memory"].values()]
    workers = [size for tenth in record["memory"].values() for size in tenth["workers_mb"]]
    # The table of the remembered verdicts, full after a tenth, grows in three steps and no more.
    assert max(caller) - caller[0] < 32
    assert max(workers) - workers[0] < 1
