#!/usr/bin/env python
"""Measure the offline generator on every database of Spider: what runs, what returns rows, mix.

    python benchmarks/create_data.py --spider ../shared/spider --pairs 60 --output create_data.json

With --db-url, which may be given more than once, it measures instead how many queries a second each
database answers with and without reusing the connection. docs/own-data.md shows both results
(make results).
"""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

import click
from common import load, surroundings
from tqdm import tqdm

from text2sql.create.generator import Grammar, Pair
from text2sql.create.topics import plan_offline
from text2sql.data.decontaminate import skeleton
from text2sql.files import write_json
from text2sql.schema import read_schema
from text2sql.sql.database import Database
from text2sql.sql.validate import Validator

SAMPLES = 20


@click.command()
@click.option("--spider", type=click.Path(path_type=Path), help="Folder of Spider 1.0.")
@click.option("--pairs", default=100, help="Pairs to make for each database.")
@click.option("--limit", default=1000, help="At most so many databases.")
@click.option("--db-url", "db_urls", multiple=True, help="Measure connection reuse there instead.")
@click.option("--queries", default=500, help="Queries for that.")
@click.option("--output", type=click.Path(path_type=Path), required=True)
def main(
    spider: Path | None,
    pairs: int,
    limit: int,
    db_urls: tuple[str, ...],
    queries: int,
    output: Path,
) -> None:
    """Measure the generator over Spider's databases, or connection reuse on some databases."""
    before = load()
    if db_urls:
        result = {"databases": [measure_reuse(url, queries) for url in db_urls]}
    elif spider:
        paths = sorted(spider.glob("database/*/*.sqlite"))[:limit]
        result = measure_generator(paths, pairs)
    else:
        raise click.UsageError("give --spider or --db-url")
    around = surroundings() | {"load_before": before, "load_after": load()}
    write_json(output, result | around)


def measure_generator(paths: list[Path], pairs: int) -> dict[str, Any]:
    """Generate on each database and count."""
    counts: Counter[str] = Counter()
    made: list[Pair] = []
    short, none = [], []
    started = time.monotonic()
    for path in tqdm(paths, unit="database"):
        schema = read_schema(path, SAMPLES, personal_data=False, details=True)
        with Database(str(path)) as database:
            validator = Validator(schema, database.dialect, database)
            grammar = Grammar(schema, database.dialect, validator, ("en", "zh"))
            found = list(grammar.generate(plan_offline(schema, pairs)))
        counts.update(grammar.counts)
        made += found
        if len(found) < pairs:
            (short if found else none).append(path.stem)
    seconds = time.monotonic() - started
    sent = counts["executed"] + counts["failed: execution"]
    checked = sent + counts["failed: syntax"] + counts["failed: schema"]
    return {
        "databases": len(paths),
        "pairs": len(made),
        "pairs_wanted": pairs * len(paths),
        "databases_short": short,
        "databases_without_pairs": none,
        "drafts": dict(counts),
        "drafts_that_pass_syntax_and_schema_%": round(100 * sent / max(checked, 1), 2),
        "drafts_that_execute_%": round(100 * counts["executed"] / max(sent, 1), 2),
        "executed_that_return_more_than_null_or_zero_%": round(
            100 * (1 - counts["empty"] / max(counts["executed"], 1)), 2
        ),
        "pairs_that_return_rows_%": round(
            100 * sum(bool(p.rows) for p in made) / max(len(made), 1), 2
        ),
        "distinct_skeletons": len({skeleton(p.sql) for p in made}),
        "distinct_sql": len({(p.topic, p.sql) for p in made}),
        "hardness": dict(Counter(p.hardness for p in made).most_common()),
        "languages": dict(Counter(p.language for p in made)),
        "seconds": round(seconds, 1),
        "pairs_per_second": round(len(made) / seconds, 1),
    }


def measure_reuse(url: str, queries: int) -> dict[str, Any]:
    """Queries per second over one connection, and with a new connection for each query."""
    sql = "SELECT 1"
    with Database(url) as database:
        database.run(sql)
        started = time.monotonic()
        for _ in range(queries):
            assert database.run(sql).ok
        reused = queries / (time.monotonic() - started)
        kind = database.dialect
    started = time.monotonic()
    for _ in range(queries):
        with Database(url) as database:
            assert database.run(sql).ok
    fresh = queries / (time.monotonic() - started)
    return {
        "database": kind,
        "queries": queries,
        "per_second_reused": round(reused, 1),
        "per_second_new_connection": round(fresh, 1),
        "ratio": round(reused / fresh, 1),
    }


if __name__ == "__main__":
    main()
