"""A record of a run with two rows, as the table stage writes it."""

from __future__ import annotations

from typing import Any

from text2sql.report.record import LEVELS


def manifest(dirty: bool = False) -> dict[str, Any]:
    """A stage's manifest, as far as tables use it."""
    return {
        "git": {"sha": "0123456789abcdef", "dirty": dirty},
        "hardware": {"cores": 2, "cpu": "a CPU", "gpus": []},
        "seconds": 90.0,
        "peak_memory_mb": 2048,
        "finished": "2026-01-01T00:00:00+00:00",
        "config_hash": "c",
        "output_hash": "o",
    }


def record(dirty: bool = False) -> dict[str, Any]:
    """The record; dirty: one of its stages ran from changes that are not committed."""
    values = {"easy": 50.0, "medium": 25.0, "hard": 0.0, "extra": 12.34, "all": 30.06}
    row = {
        "name": "baseline",
        "label": "Baseline",
        "questions": dict.fromkeys(LEVELS, 7),
        "accuracy": values,
        "outcomes": "1" * 5 + "0" * 35,
        "further_metrics": {"execution_success": 0.75, "errors": {"syntax": 10, "timeout": 1}},
        "cost": {
            "seconds_per_1000_questions": 500.0,
            "tokens_per_second": 40.0,
            "inference_peak_memory_mb": 1536,
        },
    }
    tuned = row | {"name": "tuned", "label": "Tuned", "outcomes": "1" * 25 + "0" * 15}
    return {
        "title": "A model",
        "profile": "p",
        "dataset": "d",
        "metric": {
            "name": "execution accuracy",
            "version": "1.0",
            "plug_value": False,
            "keep_distinct": False,
            "sqlite": "3",
        },
        "database_set": {"sha256": "f" * 64, "databases": {"x": {"variants": 3}}},
        "levels": ["easy"] * 40,
        "parameters": 135_000_000,
        "rows": [row, tuned],
        "losses": {"a_recipe": [[5, 1.5], [10, 0.5]]},
        "stages": {"data": manifest(dirty), "eval": manifest()},
    }
