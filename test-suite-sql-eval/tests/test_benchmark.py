"""The README's measured table is that of the committed record."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def test_readme_shows_the_record() -> None:
    spec = importlib.util.spec_from_file_location("b", PACKAGE / "benchmarks" / "benchmark.py")
    assert spec is not None
    assert spec.loader is not None
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    record = json.loads((PACKAGE / "benchmarks" / "results.json").read_text())
    readme = (PACKAGE / "README.md").read_text()
    shown = readme.split(benchmark.START)[1].split(benchmark.END)[0]
    assert shown == benchmark.table(record)
    assert all(row["same_figures"] for row in record["rows"])
    assert all(row["peak_mb"] < 300 for row in record["rows"])
    assert record["start_up"]["ours"]["wall"] < 0.3
