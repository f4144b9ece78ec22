"""Measure what a whole run costs beside bare SQLite: processor time, nothing kept between runs.

    python cold_speed.py --spider SPIDER --predictions PREDICTIONS [--file full] [--write]

The questions are those of all databases but wta_1, whose long queries hide everything else.  Bare
SQLite is a Python process that executes each distinct gold query and prediction once, as the
evaluation executes them, and fetches all rows; ours is evaluation.py with one worker process (two
on the two threads of a core slow each other down).  Both count from start to end, Python's own
start included, and run in turn; the record holds the median times and the median of the ratios of
the pairs.  With --write it goes to cold_speed.json and into the README.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmark import HERE, make_sets
from test_suite_sql_eval.judge import fill_value_word, fix_year, prepare

START, END = "<!-- cold speed: start -->\n", "<!-- cold speed: end -->\n"
BARE = """
import json, os, sqlite3, sys
connections = {}
for path, sql in json.load(open(sys.argv[1])):
    if path not in connections:
        connections[path] = sqlite3.connect(path)
        connections[path].text_factory = lambda raw: raw.decode(errors="ignore")
    try:
        connections[path].execute(sql).fetchall()
    except (sqlite3.Error, sqlite3.Warning):
        pass
os._exit(0)
"""


def write_queries(folder: Path) -> Path:
    """Write the distinct (database file, query) pairs of a set, as they are executed."""
    pairs: dict[tuple[str, str], None] = {}
    golds = (folder / "gold.txt").read_text().splitlines()
    predictions = (folder / "pred.txt").read_text().splitlines()
    for line, prediction in zip(golds, predictions, strict=True):
        gold, db_id = line.strip().split("\t")
        filled = fill_value_word(prediction.strip().split("\t")[0], gold)
        path = str(folder / "database" / db_id / f"{db_id}.sqlite")
        for sql in (gold, filled):
            pairs[path, fix_year(prepare(sql, False))] = None
    out = folder / "queries.json"
    out.write_text(json.dumps(list(pairs)))
    return out


def processor_seconds(command: list[str]) -> float:
    """Run a command to its end and return its user and system time, children's included."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(folder: Path, runs: int) -> dict[str, Any]:
    """Run bare SQLite, EX and EX with --plug_value in turn."""
    ours = [
        *(sys.executable, str(HERE.parent / "evaluation.py"), f"--gold={folder / 'gold.txt'}"),
        *(f"--pred={folder / 'pred.txt'}", f"--db={folder / 'database'}"),
        *("--gold_cache=none", "--jobs=1"),
    ]
    programs = {
        "bare": [sys.executable, "-c", BARE, str(write_queries(folder))],
        "ex": ours,
        "plug_value": [*ours, "--plug_value"],
    }
    for command in programs.values():
        processor_seconds(command)
    times: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(runs):
        for name, command in programs.items():
            times[name].append(processor_seconds(command))
    out: dict[str, Any] = {}
    for name, seconds in times.items():
        ratios = [own / bare for own, bare in zip(seconds, times["bare"], strict=True)]
        out[name] = {
            "median": round(statistics.median(seconds), 3),
            "least": round(min(seconds), 3),
            "ratio": round(statistics.median(ratios), 2),
        }
    return out


def block(record: dict[str, Any]) -> str:
    """Return the record as the README shows it."""
    bare, ex, plug = (record["times"][name] for name in ("bare", "ex", "plug_value"))
    return (
        f"Processor time of the {record['questions']} questions beside bare SQLite, nothing kept,"
        f" one worker (`benchmarks/cold_speed.py`, medians of {record['runs']} pairs, load"
        f" {record['load']}): {bare['median']:.3f} s bare, {ex['median']:.3f} s with EX"
        f" ({ex['ratio']:.2f} x), {plug['median']:.3f} s with `--plug_value`"
        f" ({plug['ratio']:.2f} x).\n"
    )


def write(record: dict[str, Any]) -> None:
    """Write the record and the README's line."""
    (HERE / "cold_speed.json").write_text(json.dumps(record, indent=1) + "\n")
    readme = HERE.parent / "README.md"
    before, rest = readme.read_text().split(START)
    readme.write_text(before + START + block(record) + END + rest.split(END)[1])


def main() -> None:
    """Measure, print the record, and write it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--spider", required=True, type=Path)
    parser.add_argument("--predictions", required=True, type=Path)
    parser.add_argument("--file", default="full")
    parser.add_argument("--runs", type=int, default=11)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = make_sets(Path(temporary), args.spider, args.predictions, args.file, 1)["small"]
        record = {
            "file": args.file,
            "questions": len((folder / "gold.txt").read_text().splitlines()),
            "runs": args.runs,
            "load": round(os.getloadavg()[0], 1),
            "python": sys.version.split()[0],
            "sqlite": sqlite3.sqlite_version,
            "times": measure(folder, args.runs),
        }
    print(json.dumps(record, indent=1))
    if args.write:
        write(record)


if __name__ == "__main__":
    main()
