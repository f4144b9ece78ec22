"""Rate and peak memory of `prepare` on generated rows, against json.load of the same file.

Usage: python benchmarks/data_prepare.py --rows 1000000 --folder FOLDER

The folder is made, filled (about 2.5 GB for a million rows) and removed again.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import resource
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from text2sql.data import DataConfig, prepare
from text2sql.data.config import DecontaminationConfig

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


def measured(work: Callable[..., Any], *arguments: Any) -> tuple[float, int]:
    """Seconds and peak MiB of a call in a process of its own."""
    parent, child = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_measure, args=(child, work, arguments))
    process.start()
    result: tuple[float, int] = parent.recv()
    process.join()
    return result


def _measure(pipe: Any, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    started = time.perf_counter()
    work(*arguments)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    pipe.send((time.perf_counter() - started, peak))


def run_prepare(folder: Path, parse_sql: bool) -> None:
    levels = ("exact", "normalized", "ngram", "minhash", "skeleton", "schema")
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
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    folder.mkdir(parents=True)
    try:
        write_source(folder / "train.json", arguments.rows)
        write_evaluation(folder)
        size = (folder / "train.json").stat().st_size / 2**20
        print(f"{arguments.rows} rows, {size:.0f} MiB")
        for name, work, values in (
            ("json.load alone", load_plainly, (folder / "train.json",)),
            ("prepare, all levels", run_prepare, (folder, not arguments.no_parse)),
        ):
            seconds, peak = measured(work, *values)
            rate = arguments.rows / seconds
            print(f"{name}: {seconds:.1f} s, {rate:.0f} rows/s, peak {peak} MiB", flush=True)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
