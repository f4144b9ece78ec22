"""What is found in Spider's own data: training rows that leak, translated schemas that fail.

Usage: SPIDER_DIR=... python benchmarks/spider_data.py --translated SPIDER/dev_llm_ddl.jsonl

Needs the data set as `make data DATASET=spider` does. The translated schemas are the published
ones of Text2SQL-Qwen3-1.7B: JSON Lines with the prose as `instruction` and the model's
`table_creating`. The rows that leak are in what `make decontaminate DATASET=spider` writes, each
schema that fails in what `text2sql dataset check-ddl` says; the record counts them.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from common import surroundings

from text2sql.config import load_config
from text2sql.data.config import DataConfig, resolve
from text2sql.data.decontaminate_files import decontaminate_files
from text2sql.data.translate import check_ddl, extract_ddl, parse_prose
from text2sql.files import read_jsonl, write_json
from text2sql.paths import config_path
from text2sql.schema.render import render_schema

RESERVED = "object name reserved for internal use"
KINDS = {
    "reserved": "creates a table whose name SQLite keeps for itself (`sqlite_sequence`)",
    "broken": "does not run for another reason",
    "other": "other tables or columns than promised",
}


def leaks() -> dict[str, Any]:
    """Judge Spider's training rows against its dev questions; return the counts."""
    config = load_config(config_path("data", "spider"), DataConfig)
    sources = [resolve(source) for source in config.train]
    with tempfile.TemporaryDirectory() as folder:
        halves = Path(folder) / "clean.jsonl", Path(folder) / "removed.jsonl"
        report = decontaminate_files(config, sources, *halves)
    return {key: report[key] for key in ("checked", "removed", "found_by_level", "rejected")}


def kind_of(problem: str) -> str:
    """Return the kind of a schema's first problem, a key of `KINDS`."""
    if problem.startswith("does not run"):
        return "reserved" if RESERVED in problem else "broken"
    return "other"


def translated(path: Path) -> dict[str, Any]:
    """Check translated schemas, and what the rule makes of the same prose."""
    answers: dict[tuple[str, str], list[str]] = {}
    by_rule: dict[str, list[str]] = {}
    rows = failing = failing_by_rule = 0
    for row in read_jsonl(path):
        prose, ddl = row["instruction"], row["table_creating"]
        if (prose, ddl) not in answers:
            answers[prose, ddl] = check_ddl(extract_ddl(ddl), parse_prose(prose))
        if prose not in by_rule:
            by_rule[prose] = check_ddl(render_schema(parse_prose(prose)), parse_prose(prose))
        rows += 1
        failing += bool(answers[prose, ddl])
        failing_by_rule += bool(by_rule[prose])
    kinds = Counter(kind_of(problems[0]) for problems in answers.values() if problems)
    return {
        "rows": rows,
        "failing_rows": failing,
        "answers": len(answers),
        "failing_answers": {kind: kinds[kind] for kind in KINDS},
        "failing_rows_by_rule": failing_by_rule,
    }


def main() -> None:
    """Count both; write the record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--translated", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/spider_data.json"))
    options = parser.parse_args()
    record = {"leaks": leaks(), "kinds": KINDS, "translated": translated(options.translated)}
    write_json(options.output, record | surroundings())


if __name__ == "__main__":
    main()
