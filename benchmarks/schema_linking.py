"""How often pruning loses a gold column, by a trained schema linker and by word overlap.

Usage: python benchmarks/schema_linking.py --linker build/linkers/spider --output FILE BUDGET...

On Spider dev, and on the Chinese questions on the sample databases. The result is what docs/data.md
shows (make results).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from common import load, surroundings

from text2sql.config import load_config
from text2sql.data.config import DataConfig, spider_folder
from text2sql.data.databases import ensure_databases
from text2sql.data.rows import Row, read_rows
from text2sql.files import read_json, write_json
from text2sql.learn.linking import Linked, linked_questions, worth
from text2sql.paths import config_path, repository_root
from text2sql.question import Question
from text2sql.schema import Schema, read_schema
from text2sql.schema.linker import FILE, Linker

CHINESE = "tests/data/chinese_questions.json"


def questions_of(path: Path, databases: Path, samples: int, every: int) -> list[Linked]:
    """Return every so many of a file's questions, with what their gold SQL names."""
    schemas: dict[str, Schema] = {}

    def schema_of(db_id: str) -> Schema:
        if db_id not in schemas:
            schemas[db_id] = read_schema(databases / db_id / f"{db_id}.sqlite", samples)
        return schemas[db_id]

    rows = [row for row in read_rows(path, parse_sql=False) if isinstance(row, Row)]
    asked = (Question(row.number, row.db_id, row.question, row.sql, []) for row in rows[::every])
    linked, unparsed = linked_questions(asked, schema_of)
    assert not unparsed, f"{path}: {unparsed} gold queries do not parse"
    return linked


def remembering(linker: Linker, seconds: dict[str, list[float]]) -> Callable[..., Any]:
    """Return a linker that scores a question once, and notes how long that took."""
    known: dict[Any, Any] = {}

    def score(schema: Schema, question: str) -> Any:
        if (schema.db_id, question) not in known:
            started = time.perf_counter()
            known[schema.db_id, question] = linker(schema, question)
            columns = sum(len(table.columns) for table in schema.tables)
            size = "40 columns and more" if columns >= 40 else "fewer than 40 columns"
            seconds.setdefault(size, []).append(time.perf_counter() - started)
        return known[schema.db_id, question]

    return score


def spread(values: Iterable[float]) -> dict[str, float]:
    """Return how many there are, the median and the greatest, in milliseconds."""
    ordered = sorted(values)
    return {
        "questions": len(ordered),
        "median_ms": round(1e3 * ordered[len(ordered) // 2], 1),
        "most_ms": round(1e3 * ordered[-1], 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("budgets", type=int, nargs="+")
    parser.add_argument("--linker", type=Path, required=True)
    parser.add_argument("--every", type=int, default=1, help="Only every so many of Spider dev.")
    parser.add_argument("--style", default="ddl")
    parser.add_argument("--samples", type=int, default=3)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    before = load()
    sample = load_config(config_path("data", "sample"), DataConfig)
    sets = {
        "Spider dev": (spider_folder() / "dev.json", spider_folder() / "database", arguments.every),
        "Chinese, sample databases": (repository_root() / CHINESE, ensure_databases(sample), 1),
    }
    linker = Linker(arguments.linker)
    linker.load()
    seconds: dict[str, list[float]] = {}
    score = remembering(linker, seconds)
    measured = {}
    for name, (path, databases, every) in sets.items():
        linked = questions_of(path, databases, arguments.samples, every)
        measured[name] = worth(linked, score, arguments.style, arguments.budgets)
        print(name, measured[name], flush=True)
    facts = read_json(arguments.linker / FILE)
    result = {
        "style": arguments.style,
        "samples": arguments.samples,
        "every": arguments.every,
        "linker": {key: facts[key] for key in ("questions", "rows", "seconds")},
        "sets": measured,
        "scoring": {size: spread(values) for size, values in sorted(seconds.items())},
    }
    write_json(
        arguments.output, result | surroundings() | {"load_before": before} | {"load_after": load()}
    )


if __name__ == "__main__":
    main()
