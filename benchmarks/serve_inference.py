"""Who answers a GGUF file's questions best: llama.cpp in the service, or llama.cpp's server.

    python benchmarks/serve_inference.py --model FILE.gguf --output serve_inference.json

Starts ``text2sql serve`` with each and asks it over HTTP, from 1, 8 and 64 clients, the questions
of a database of the sample. Beside the time by the clock, which other work on the machine
stretches, the processor time of the service and its children is counted. The ways take turns,
`--rounds` times, so that what else runs hits all alike. docs/serving.md shows the result (make
results).
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import psutil
from common import load as machine_load
from common import surroundings
from serve_load import CLIENTS, ROOT, load, serving, summary

from text2sql.files import write_json

DATABASE = "bike_rental"
WAYS = {"in the service": False, "llama.cpp's server": True}  # the config's llama_server
INFER = {"engine": "llama.cpp", "max_new_tokens": 48, "max_model_len": 1024, "batch_size": 8}


def questions() -> list[dict[str, Any]]:
    """Return the sample's dev questions on one database, as bodies of requests."""
    rows = json.loads((ROOT / "data/sample/dev.json").read_text())
    return [{"question": row["question"]} for row in rows if row["db_id"] == DATABASE]


def make_database(path: Path) -> Path:
    """Write that database."""
    connection = sqlite3.connect(path)
    connection.executescript(
        (ROOT / f"data/sample/database/{DATABASE}/{DATABASE}.sql").read_text(encoding="utf-8")
    )
    connection.close()
    return path


def processor_seconds(pid: int) -> float:
    """Processor time of a process and its children so far."""
    service = psutil.Process(pid)
    spent = [process.cpu_times() for process in (service, *service.children(recursive=True))]
    return sum(times.user + times.system for times in spent)


class Measured:
    """What one way took with so many clients, over all rounds."""

    def __init__(self) -> None:
        self.seconds = self.processor_seconds = 0.0
        self.times: list[float] = []
        self.outcomes: Counter[str] = Counter()

    def add(self, url: str, pid: int, clients: int, requests: int) -> None:
        """Ask, and add what that took."""
        began = processor_seconds(pid)
        seconds, times, outcomes = load(url, clients, requests, questions())
        self.processor_seconds += processor_seconds(pid) - began
        self.seconds += seconds
        self.times += times
        self.outcomes += outcomes

    def row(self) -> dict[str, Any]:
        """Return it as it stands in the record."""
        each = round(self.processor_seconds / len(self.times), 3)
        row = summary(self.seconds, self.times, self.outcomes)
        return row | {"processor_seconds_per_request": each}


def main() -> None:
    """Measure and write down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="GGUF file")
    parser.add_argument(
        "--requests", type=int, default=64, help="for each number of clients, at least one of each"
    )
    parser.add_argument("--clients", type=int, nargs="+", default=CLIENTS, help="at once")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    measured: defaultdict[tuple[str, int], Measured] = defaultdict(Measured)
    before = machine_load()
    with tempfile.TemporaryDirectory() as name:
        database = make_database(Path(name) / f"{DATABASE}.sqlite")
        for _ in range(options.rounds):
            for way, server in WAYS.items():
                settings = {"llama_server": server, "request_seconds": 900.0}
                with serving(Path(name), options.model, INFER, database, **settings) as (url, pid):
                    load(url, 1, 2, questions())  # warm up
                    for clients in options.clients:
                        requests = max(options.requests, clients)
                        measured[way, clients].add(url, pid, clients, requests)
                        row = measured[way, clients].row()
                        print(way, clients, row, file=sys.stderr, flush=True)
    record = {
        "model": options.model.name,
        "rounds": options.rounds,
        "infer": INFER,
        "rows": [
            {"way": way, "clients": clients} | one.row() for (way, clients), one in measured.items()
        ],
        "load_before": before,
        "load_after": machine_load(),
    }
    write_json(options.output, record | surroundings())


if __name__ == "__main__":
    main()
