"""Rate and peak memory of `prepare` on generated rows, against json.load of the same file.

Usage: python benchmarks/data_prepare.py --rows 1000000 --folder FOLDER --output result.json

The folder is made, filled (about 3 GB for a million rows) and removed again. Each piece of work is
run in its own process; its memory is the kernel's peak of that process plus, for each worker, the
peak of the largest one, which is never less than what they held together.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import resource
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from common import load, surroundings

from text2sql.data.config import DataConfig, DecontaminationConfig, Level
from text2sql.data.prepare import prepare
from text2sql.files import write_json

NOUNS = [
    "bird",
    "boat",
    "bridge",
    "city",
    "club",
    "crop",
    "game",
    "garden",
    "house",
    "lake",
    "lamp",
    "mine",
    "park",
    "plane",
    "road",
]
TRAITS = [
    "age",
    "area",
    "city",
    "code",
    "colour",
    "cost",
    "height",
    "length",
    "name",
    "price",
    "size",
    "speed",
    "weight",
    "width",
]


def write_source(path: Path, rows: int) -> None:
    """Write rows of the size of the public sets: about 350 characters of schema, 3 tables."""
    draw = random.Random(1)
    with path.open("w", encoding="utf-8") as stream:
        stream.write("[\n")
        for number in range(rows):
            tables = draw.sample(NOUNS, 3)
            schema = " ".join(
                f"CREATE TABLE {t}_{draw.randrange(999)} (id INT PRIMARY KEY, "
                + ", ".join(f"{c} TEXT" for c in draw.sample(TRAITS, 6))
                + ");"
                for t in tables
            )
            trait, other = draw.sample(TRAITS, 2)
            table = tables[0]
            row = {
                "prompt": f"What is the {trait} of each {table} whose {other} is above"
                f" {number} and that belongs to a {tables[1]} in {tables[2]} {draw.randrange(99)}?",
                "context": schema,
                "answer": f"SELECT {trait} FROM {table} WHERE {other} > {number} AND {tables[1]}_id"
                f" IN (SELECT id FROM {tables[1]} WHERE {tables[2]} = 'x')",
            }
            stream.write((",\n" if number else "") + json.dumps(row))
        stream.write("\n]\n")


def write_evaluation(folder: Path, questions: int = 1000) -> None:
    """Write a database and questions about it."""
    with closing(sqlite3.connect(folder / "farm.sql.sqlite")) as connection:
        connection.execute("CREATE TABLE cow (id INT PRIMARY KEY, name TEXT, weight REAL)")
    (folder / "farm").mkdir()
    (folder / "farm.sql.sqlite").rename(folder / "farm" / "farm.sqlite")
    draw = random.Random(2)
    rows = [
        {
            "question": f"Which cow weighs more than {draw.randrange(9999)} kilograms and is"
            f" called {draw.choice(NOUNS)}?",
            "query": f"SELECT name FROM cow WHERE weight > {number}",
            "db_id": "farm",
        }
        for number in range(questions)
    ]
    (folder / "dev.json").write_text(json.dumps(rows), encoding="utf-8")


def measured(work: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
    """Run a call in a process of its own; return its seconds and peak memory."""
    parent, child = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_measure, args=(child, work, arguments))
    process.start()
    child.close()
    result: dict[str, Any] = parent.recv()  # EOFError when the work failed; it told why
    process.join()
    return result


def _measure(pipe: Any, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    started = time.perf_counter()
    work(*arguments)
    seconds = time.perf_counter() - started
    own, largest = (
        resource.getrusage(who).ru_maxrss / 1024
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    workers = len(os.sched_getaffinity(0)) if largest else 0
    pipe.send(
        {
            "seconds": round(seconds, 1),
            "peak_mib": round(own + workers * largest),
            "peak_mib_of_main": round(own),
            "peak_mib_of_largest_worker": round(largest),
        }
    )


def run_prepare(folder: Path, parse_sql: bool) -> None:
    levels: tuple[Level, ...] = ("exact", "normalized", "ngram", "jaccard", "skeleton", "schema")
    config = DataConfig(
        train=(str(folder / "train.json"),),
        evaluation=str(folder / "dev.json"),
        database=str(folder),
        parse_sql=parse_sql,
        decontamination=DecontaminationConfig(levels=levels),
    )
    prepare(config, folder / "out")


def load_plainly(path: Path) -> None:
    with path.open(encoding="utf-8") as stream:
        json.load(stream)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--no-parse", action="store_true", help="leave sqlglot's check out")
    parser.add_argument("--output", type=Path, help="JSON file for the figures")
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    folder.mkdir(parents=True)
    result: dict[str, Any] = {
        "rows": arguments.rows,
        "parse_sql": not arguments.no_parse,
        "load_before": load(),
    } | surroundings()
    try:
        write_source(folder / "train.json", arguments.rows)
        write_evaluation(folder)
        result["mib"] = round((folder / "train.json").stat().st_size / 2**20)
        for name, work, values in (
            ("json_load", load_plainly, (folder / "train.json",)),
            ("prepare", run_prepare, (folder, not arguments.no_parse)),
        ):
            found = measured(work, *values)
            result[name] = {"rows_per_second": round(arguments.rows / found["seconds"]), **found}
        result["summary"] = json.loads((folder / "out" / "summary.json").read_text())
    finally:
        shutil.rmtree(folder)
    result["load_after"] = load()
    print(json.dumps(result, indent=2))
    if arguments.output:
        write_json(arguments.output, result)


if __name__ == "__main__":
    main()
