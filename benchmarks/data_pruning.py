"""How often schema pruning loses a gold column on Spider dev, by token budget.

Usage: python benchmarks/data_pruning.py [--style ddl] --output result.json BUDGET...

The result is what docs/data.md shows (make results).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from common import surroundings
from sqlglot.errors import SqlglotError

from text2sql.data.config import spider_folder
from text2sql.files import write_json
from text2sql.schema import prune_schema, read_schema, render_schema
from text2sql.schema.prune import estimate_tokens
from text2sql.sql.gold_columns import gold_columns


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("budgets", type=int, nargs="+")
    parser.add_argument("--style", default="ddl")
    parser.add_argument("--samples", type=int, default=3)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    folder, style = spider_folder(), arguments.style
    questions = json.loads((folder / "dev.json").read_text(encoding="utf-8"))
    ids = {q["db_id"] for q in questions}
    schemas = {
        i: read_schema(folder / "database" / i / f"{i}.sqlite", arguments.samples) for i in ids
    }
    rows = []
    for budget in arguments.budgets:
        pruned = lost = over = unparsed = 0
        for question in questions:
            schema = schemas[question["db_id"]]
            small = prune_schema(schema, question["question"], budget, style)
            pruned += small is not schema
            over += estimate_tokens(render_schema(small, style)) > budget
            try:
                gold = gold_columns(question["query"], schema)
            except SqlglotError:
                unparsed += 1
                continue
            lost += not gold <= small.names()
        counts = {"pruned": pruned, "still_over": over, "lost": lost, "gold_not_parsed": unparsed}
        rows.append({"budget": budget} | counts)
        print(rows[-1], flush=True)
    measured = {
        "dataset": "spider dev",
        "questions": len(questions),
        "style": style,
        "samples": arguments.samples,
        "budgets": rows,
    }
    write_json(arguments.output, measured | surroundings())


if __name__ == "__main__":
    main()
