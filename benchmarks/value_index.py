"""What an index of a database's text values costs, and which values of a benchmark it brings.

Usage: python benchmarks/value_index.py cost --folder FOLDER [--gigabytes 1] [--output RECORD.json]
       python benchmarks/value_index.py share [--dataset spider] [--values 8]

`cost` writes a database of that size into FOLDER (titles, names, numbers and notes drawn with a
fixed seed; most of its bytes are notes, too long to be values), indexes it, and searches it for
questions with a name, a town and a word of a title. `share` counts, of the evaluation questions
whose gold SQL has a text that is not in the question word for word, those in whose prompt it is,
with and without the values that the index finds; and those where it is in any letter case: where
the database has it in another case than the gold SQL, that finds nothing.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import sqlglot
from common import load, surroundings
from sqlglot import exp
from sqlglot.errors import SqlglotError

from text2sql.config import load_config
from text2sql.data.config import DataConfig
from text2sql.data.databases import ensure_databases
from text2sql.data.prepare import SchemaTexts, evaluation_rows
from text2sql.data.values import ValueTexts
from text2sql.files import write_json
from text2sql.paths import config_path
from text2sql.schema.value_index import build_value_index
from text2sql.schema.value_search import ValueIndex

ROWS = 50_000  # of a batch
SYLLABLES = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]
SEARCHES = 500


def word(rng: random.Random) -> str:
    """Return a made-up word."""
    return "".join(rng.choices(SYLLABLES, k=rng.randint(2, 4)))


def make_database(path: Path, size: int) -> None:
    """Write a database of at least so many bytes."""
    rng = random.Random(7)
    words = [word(rng) for _ in range(30_000)]
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; CREATE TABLE work (id INTEGER"
            " PRIMARY KEY, title TEXT, maker TEXT, town TEXT, kind TEXT, price REAL, note TEXT);"
        )
        notes = [" ".join(rng.choices(words, k=60)) for _ in range(5000)]
        number = 0
        while path.stat().st_size < size:
            rows = []
            for _ in range(ROWS):
                number += 1
                title = " ".join(rng.choices(words, k=rng.randint(2, 5))).title()
                maker = " ".join(rng.choices(words[:5000], k=2)).title()
                town, kind = rng.choice(words[:3000]).title(), rng.choice(words[:40])
                rows.append((number, title, maker, town, kind, rng.random(), rng.choice(notes)))
            connection.executemany("INSERT INTO work VALUES (?,?,?,?,?,?,?)", rows)
            connection.commit()


def cost(folder: Path, gigabytes: float) -> dict[str, Any]:
    """Return what building and searching took."""
    folder.mkdir(parents=True, exist_ok=True)
    database, index = folder / "work.sqlite", folder / "values.sqlite"
    if not database.is_file():
        make_database(database, int(gigabytes * 2**30))
    wall, used = time.monotonic(), time.process_time()
    counts = build_value_index(database, index)
    built = {"wall": time.monotonic() - wall, "processor": time.process_time() - used}
    rng = random.Random(8)
    with closing(sqlite3.connect(database)) as connection:
        last = connection.execute("SELECT max(id) FROM work").fetchone()[0]
        ids = [rng.randint(1, last) for _ in range(SEARCHES)]
        query = "SELECT title, maker, town FROM work WHERE id = ?"
        rows = [connection.execute(query, (number,)).fetchone() for number in ids]
    found = ValueIndex(index)
    walls, times = [], []
    for row in rows:
        asked = f"How many works of {row[1]} are in {row[2]}, such as {row[0].split()[0].lower()}?"
        wall, used = time.perf_counter(), time.process_time()
        found.search(asked)
        walls.append(1e3 * (time.perf_counter() - wall))
        times.append(1e3 * (time.process_time() - used))
    return {
        "database_bytes": database.stat().st_size,
        "index_bytes": index.stat().st_size,
        **{key: counts[key] for key in ("columns", "values", "cut_columns")},
        "build_seconds": {key: round(value, 1) for key, value in built.items()},
        "search_milliseconds": {"wall": spread(walls), "processor": spread(times)},
    }


def spread(values: list[float]) -> dict[str, float]:
    """Return median, 99th percentile and greatest value."""
    ordered = sorted(values)
    at = {"median": len(ordered) // 2, "p99": int(0.99 * len(ordered)), "most": len(ordered) - 1}
    return {name: round(ordered[place], 2) for name, place in at.items()}


def literals(sql: str) -> Iterator[str]:
    """Yield the texts that a query compares with; SQLite takes those in double quotes as well."""
    try:
        tree = sqlglot.parse_one(sql, read="sqlite")
    except SqlglotError:
        return
    yield from (node.this for node in tree.find_all(exp.Literal) if node.is_string)
    columns = (node for node in tree.find_all(exp.Column) if not node.table)
    yield from (node.name for node in columns if node.this.quoted)


def share(dataset: str, values: int) -> dict[str, Any]:
    """Return how many questions need a value, and in how many prompts it is."""
    config = load_config(config_path("data", dataset), DataConfig)
    ensure_databases(config)
    texts = {
        "without": SchemaTexts(config),
        "with": ValueTexts(config.model_copy(update={"values": values})),
    }
    counts: dict[str, Any] = {"questions": 0} | {
        f"{name}{of}": 0 for of in ("", "_any_case") for name in texts
    }
    for row in evaluation_rows(config):
        needed = [text.strip("%") for text in literals(row.sql)]
        needed = [text for text in needed if text not in row.question]
        if not needed:
            continue
        counts["questions"] += 1
        asked = f"{row.question} {row.evidence}"
        for name, schema in texts.items():
            shown = schema.text(row.db_id, asked)
            counts[name] += all(f"'{text}'" in shown for text in needed)
            folded = shown.casefold()
            in_any_case = all(f"'{text.casefold()}'" in folded for text in needed)
            counts[f"{name}_any_case"] += in_any_case
    return counts | {"dataset": dataset, "values": values, "samples": config.samples}


def main() -> None:
    """Print the figures; write them to a file where one is named."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("cost", "share"))
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--dataset", default="spider")
    parser.add_argument("--values", type=int, default=8)
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    before = load()
    if args.what == "cost":
        if args.folder is None:
            parser.error("cost needs --folder")
        figures = cost(args.folder, args.gigabytes)
    else:
        figures = share(args.dataset, args.values)
    figures |= surroundings() | {"load_before": before, "load_after": load()}
    print(json.dumps(figures, indent=1))
    if args.output:
        write_json(args.output, figures)


if __name__ == "__main__":
    main()
