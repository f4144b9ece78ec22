"""Measure the judge that stays: verdicts a core-second in calls of 64, and its memory.

    python live_speed.py --spider SPIDER --predictions PREDICTIONS [--calls 400] [--numpy] [--write]

Predictions are the published ones for the questions of all databases but wta_1, each pair of gold
query and prediction once, in random order, so that every call meets many databases; nothing is
remembered.  "first" is the first time that a worker meets them, "again" all later times: gold
results are there then.  "repeated" is the same with the judge's memory on, as for a trainer whose
rollouts come again.  A core-second counts the processor time of the caller and of the one worker.
With --numpy numpy is loaded in the caller, so that workers cannot be forked.  With --write the
record goes to live_speed.json.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import sqlite3
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from test_suite_sql_eval import Judge, Settings  # noqa: E402

SIZE = 64
SLOW = "wta_1"
FILES = ("baseline", "full", "full_p1p1", "lora_r128", "rag_embedding")


def read_triples(predictions: Path) -> list[tuple[str, str, str]]:
    """Return the distinct (database id, gold query, prediction) triples, shuffled."""
    golds = [line.split("\t") for line in (predictions / "gold.txt").read_text().splitlines()]
    triples: dict[tuple[str, str, str], None] = {}
    for name in FILES:
        answers = (predictions / f"{name}.txt").read_text().splitlines()
        for (sql, db_id), answer in zip(golds, answers, strict=True):
            if db_id != SLOW:
                triples[db_id, sql, answer.split("\t")[0]] = None
    out = list(triples)
    random.Random(0).shuffle(out)
    return out


def _worker(judge: Judge) -> tuple[float, int]:
    """Return the processor seconds and the memory (bytes) of the judge's one worker."""
    (worker,) = judge._pool._workers
    fields = Path(f"/proc/{worker.pid}/stat").read_text().rsplit(")", 1)[1].split()
    seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return seconds, int(fields[21]) * resource.getpagesize()


def measure(
    judge: Judge, triples: list[tuple[str, str, str]], calls: int, start: int
) -> dict[str, Any]:
    """Judge calls of 64, starting at one of the triples; return speed and the worker's memory."""
    parts = [
        [triples[(start + call * SIZE + n) % len(triples)] for n in range(SIZE)]
        for call in range(calls)
    ]
    before, wall, own = _worker(judge)[0], time.perf_counter(), time.process_time()
    for part in parts:
        judge.score(part)
    after, memory = _worker(judge)
    own = time.process_time() - own
    verdicts = calls * SIZE
    return {
        "verdicts": verdicts,
        "core_second": round(verdicts / (own + after - before)),
        "wall_second": round(verdicts / (time.perf_counter() - wall)),
        "worker_mb": round(memory / 1e6),
    }


def main() -> None:
    """Measure EX and EX with --plug_value, print the record, and write it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--spider", required=True, type=Path)
    parser.add_argument("--predictions", required=True, type=Path)
    parser.add_argument("--calls", type=int, default=400)
    parser.add_argument("--numpy", action="store_true")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    if args.numpy:
        import_module("numpy")
    triples = read_triples(args.predictions)
    record: dict[str, Any] = {
        "distinct": len(triples),
        "numpy": args.numpy,
        "load": round(os.getloadavg()[0], 1),
        "python": sys.version.split()[0],
        "sqlite": sqlite3.sqlite_version,
    }
    whole = -(-len(triples) // SIZE)
    for name, plug_value in (("ex", False), ("plug_value", True)):
        settings = Settings(jobs=1, plug_value=plug_value)
        with Judge(args.spider / "database", settings, remembered=0) as judge:
            judge.score([("concert_singer", "SELECT 1", "SELECT 1")])  # starts the worker
            first = measure(judge, triples, whole, 0)
            again = measure(judge, triples, args.calls, 0)
        with Judge(args.spider / "database", settings) as judge:
            judge.score(triples)
            repeated = measure(judge, triples, args.calls, 0)
        record[name] = {"first": first, "again": again, "repeated": repeated}
        print(json.dumps({name: record[name]}), flush=True)
    if args.write:
        (HERE / "live_speed.json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
