"""How often schema pruning loses a gold column on Spider dev, by token budget.

Usage: python benchmarks/data_pruning.py [--style ddl] BUDGET...
"""

from __future__ import annotations

import argparse
import json

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from text2sql.data.config import spider_folder
from text2sql.schema import Schema, prune_schema, read_schema, render_schema
from text2sql.schema.prune import estimate_tokens


def gold_columns(sql: str, schema: Schema) -> set[tuple[str, str]]:
    """(table, column) pairs that a query names; a column without a table counts in each of the
    query's tables that has it."""
    tree = sqlglot.parse_one(sql, read="sqlite")
    aliases = {t.alias_or_name.lower(): t.name.lower() for t in tree.find_all(exp.Table)}
    known = schema.names()
    found = set()
    for column in tree.find_all(exp.Column):
        table = aliases.get(column.table.lower())
        for candidate in [table] if table else set(aliases.values()):
            if (candidate, column.name.lower()) in known:
                found.add((candidate, column.name.lower()))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("budgets", type=int, nargs="+")
    parser.add_argument("--style", default="ddl")
    parser.add_argument("--samples", type=int, default=3)
    arguments = parser.parse_args()
    folder = spider_folder()
    questions = json.loads((folder / "dev.json").read_text(encoding="utf-8"))
    ids = {q["db_id"] for q in questions}
    schemas = {
        i: read_schema(folder / "database" / i / f"{i}.sqlite", arguments.samples) for i in ids
    }
    print("| budget | questions pruned | over budget still | lost a gold column | share |")
    print("|---|---|---|---|---|")
    for budget in arguments.budgets:
        pruned = lost = over = unparsed = 0
        for question in questions:
            schema = schemas[question["db_id"]]
            small = prune_schema(schema, question["question"], budget, arguments.style)
            pruned += small is not schema
            over += estimate_tokens(render_schema(small, arguments.style)) > budget
            try:
                gold = gold_columns(question["query"], schema)
            except SqlglotError:
                unparsed += 1
                continue
            lost += not gold <= small.names()
        share = lost / len(questions)
        print(f"| {budget} | {pruned} | {over} | {lost} | {share:.1%} |", flush=True)
        if unparsed:
            print(f"({unparsed} gold queries not parsed, not counted as lost)")


if __name__ == "__main__":
    main()
