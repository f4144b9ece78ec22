"""Draw how many neighbour queries a suite tells apart, by its number of variants.

    python suite_curve.py --db DATABASES --gold GOLD --png curve.png --output curve.json
        [--variants 20] [--seed 0]

Four ways to get databases are compared on the same neighbour queries, over all databases together:

* the plain database alone;
* random variants whose values come from the database;
* random variants for which the constants of random gold queries are used as well;
* the variants the distiller chooses.

It also counts gold queries that fail on a chosen variant (there must be none) and those without a
row on every chosen variant.  Needs matplotlib.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import sqlite3
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from test_suite_sql_eval.distill.catalog import Catalog, open_source, read_catalog
from test_suite_sql_eval.distill.choose import Options, Runner, choose
from test_suite_sql_eval.distill.golds import Gold, read_golds
from test_suite_sql_eval.distill.neighbours import neighbours
from test_suite_sql_eval.distill.rows import Variant
from test_suite_sql_eval.distill.suite import find_sources, read_gold_file

FOCUS = 12
STEPS = 50_000_000
WAYS = {
    "plain database": ("#999999", ":"),
    "random variants": ("#E69F00", "--"),
    "random variants with gold constants": ("#56B4E9", "-."),
    "chosen variants": ("#0072B2", "-"),
}


@dataclass
class Tally:
    """Neighbours told apart after 1, 2, ... variants, and what became of the gold queries."""

    told: dict[str, list[int]] = field(default_factory=dict)
    neighbours: int = 0
    golds: int = 0
    failing: int = 0
    without_rows: int = 0
    chosen_variants: int = 0

    def add(self, way: str, counts: list[int], length: int) -> None:
        """Add a database's counts; a set that is complete stays what it is."""
        padded = (counts + [counts[-1] if counts else 0] * length)[:length]
        old = self.told.get(way, [0] * length)
        self.told[way] = [a + b for a, b in zip(old, padded, strict=True)]


def count(
    databases: Iterator[sqlite3.Connection], golds: list[Gold], pairs: list[tuple[int, str]]
) -> list[int]:
    """Return how many pairs are told apart after each database."""
    left = list(pairs)
    counts = []
    for connection in databases:
        runner = Runner(connection)
        results: dict[int, Any] = {}
        for number, gold in enumerate(golds):
            try:
                results[number] = runner.rows(gold.sql, STEPS)
            except sqlite3.Error:
                continue
        left = [
            (of, sql)
            for of, sql in left
            if of not in results or not runner.differs(golds[of], results[of], sql)
        ]
        counts.append(len(pairs) - len(left))
    return counts


def random_variants(
    catalog: Catalog, golds: list[Gold], number: int, seed: int, constants: bool
) -> Iterator[sqlite3.Connection]:
    """Make variants without looking at neighbours."""
    for i in range(number):
        rng = random.Random(f"curve {seed} {i}")
        focus = rng.sample(golds, min(FOCUS, len(golds))) if constants else []
        variant = Variant(catalog, focus, f"curve {seed}/{i}")
        yield variant.connection
        variant.close()


def loaded(files: list[bytes]) -> Iterator[sqlite3.Connection]:
    """Open SQLite files from memory."""
    for file in files:
        connection = sqlite3.connect(":memory:")
        connection.deserialize(file)
        yield connection
        connection.close()


def measure(source: Path, queries: list[str], length: int, seed: int, tally: Tally) -> None:
    """Measure one database."""
    catalog = read_catalog(source)
    golds = [gold for gold in read_golds(queries, catalog) if gold.tree is not None]
    choice = choose(catalog, golds, Options(seed=seed, max_variants=length))
    empty = Variant(catalog, [], "empty", max_rows=0)
    runner = Runner(empty.connection)
    pairs = [
        (number, sql)
        for number, gold in enumerate(golds)
        for sql in neighbours(gold, catalog)
        if runner.differs(gold, [], sql) is not None
    ]
    empty.close()
    tally.neighbours += len(pairs)
    tally.golds += len(golds)
    tally.failing += len(choice.failing)
    tally.without_rows += len(choice.without_rows)
    tally.chosen_variants += len(choice.files)
    original = open_source(source)
    tally.add("plain database", count(iter([original]), golds, pairs), length)
    original.close()
    for name, constants in (
        ("random variants", False),
        ("random variants with gold constants", True),
    ):
        made = random_variants(catalog, golds, length, seed, constants)
        tally.add(name, count(made, golds, pairs), length)
    tally.add("chosen variants", count(loaded(choice.files), golds, pairs), length)


def draw(tally: Tally, path: Path, databases: int) -> None:
    """Write the picture."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7.0, 4.2), dpi=160)
    for name, (colour, line) in WAYS.items():
        shares = [100 * told / tally.neighbours for told in tally.told[name]]
        axes.plot(range(1, len(shares) + 1), shares, color=colour, linestyle=line, label=name)
        axes.annotate(
            f"{shares[-1]:.1f}",
            (len(shares), shares[-1]),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=colour,
        )
    axes.set_xlabel("variants of each database, at most")
    axes.set_ylabel("neighbour queries told apart, %")
    axes.set_xticks(range(1, len(shares) + 1, 2 if len(shares) > 12 else 1))
    axes.set_title(
        f"{tally.neighbours:,} neighbours of {tally.golds} queries, {databases} databases"
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", linewidth=0.3)
    axes.legend(frameon=False, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.14))
    figure.tight_layout()
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--db", type=Path, required=True)
    parser.add_argument("--gold", type=Path, required=True)
    parser.add_argument("--png", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True, help="the figures, as JSON")
    parser.add_argument("--variants", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    sources = find_sources(arguments.db)
    queries = read_gold_file(arguments.gold, sources)
    tally = Tally()
    for number, (db_id, of) in enumerate(sorted(queries.items()), 1):
        start = time.monotonic()
        measure(sources[db_id], of, arguments.variants, arguments.seed, tally)
        seconds = time.monotonic() - start
        print(f"{number}/{len(queries)} {db_id}: {seconds:.0f} s", file=sys.stderr, flush=True)
    draw(tally, arguments.png, len(queries))
    record = {
        "databases": len(queries),
        "variants": arguments.variants,
        "seed": arguments.seed,
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        **vars(tally),
    }
    arguments.output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
