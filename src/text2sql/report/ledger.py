"""The ledger: one line for each run that ended in a table, good or bad; appended, never edited."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from text2sql.records import canonical_hash
from text2sql.report.record import commits

LEDGER = "ledger.jsonl"


def ledger_entry(record: dict[str, Any]) -> dict[str, Any]:
    """Return what the ledger keeps of a run's record."""
    stages = record["stages"]
    return {
        "finished": max(manifest["finished"] for manifest in stages.values()),
        "profile": record["profile"],
        "dataset": record["dataset"],
        "metric": record["metric"],
        "accuracy": {row["name"]: row["accuracy"]["all"] for row in record["rows"]},
        "questions": len(record["levels"]),
        "config_hash": canonical_hash({name: m["config_hash"] for name, m in stages.items()}),
        "data_hash": stages["data"]["output_hash"],
        "database_set": record["database_set"]["sha256"],
        "commits": commits(record),
        "dirty": any(manifest["git"]["dirty"] for manifest in stages.values()),
        "hardware": stages["data"]["hardware"],
    }


def append_to_ledger(folder: Path, record: dict[str, Any]) -> bool:
    """Append a run to the ledger in a folder, unless its last line is this very run.

    Returns:
        Whether a line was added.
    """
    path = folder / LEDGER
    line = json.dumps(ledger_entry(record), ensure_ascii=False) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    known = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.is_file() else []
    if line in known:
        return False
    # One write of one line to a file opened for appending is whole or not there at all.
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, line.encode("utf-8"))
    finally:
        os.close(descriptor)
    return True
