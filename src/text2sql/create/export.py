"""Write pairs as data sets: Spider's format, and from it Alpaca and ShareGPT by the data stage."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from text2sql.artifacts import GOLD
from text2sql.config import check_config
from text2sql.create.generator import Pair
from text2sql.create.split import split_pairs
from text2sql.data.config import DataConfig
from text2sql.data.prepare import prepare
from text2sql.data.snapshot import Snapshot, write_snapshot
from text2sql.errors import UserError
from text2sql.files import write_json, write_jsonl, write_text
from text2sql.paths import build_root
from text2sql.schema import spider_entry
from text2sql.schema.connect import database_file, parse_url
from text2sql.sql.official_files import write_gold
from text2sql.sql.statement import one_line

SPIDER, LLAMAFACTORY, SNAPSHOT = "spider", "llamafactory", "snapshot.json"
README = """\
# {db_id}: training data made by `text2sql database create-data`

{train} training pairs and {dev} evaluation pairs in {dialect} SQL. `pairs.jsonl` says of each where
it comes from. `spider/` has Spider's format, `llamafactory/` ShareGPT (`train.json`) and Alpaca
(`train_alpaca.json`) with prompts rendered, `snapshot.json` the schema. Train on it:

    make train-lora DATASET={config}
"""


def export(
    pairs: Sequence[Pair],
    snapshot: Snapshot,
    folder: Path,
    output: Path,
    url: str | None,
    *,
    dev_share: float,
    seed: int,
    details: dict[str, Any],
) -> dict[str, Any]:
    """Write all formats into a folder.

    Args:
        pairs: checked pairs.
        snapshot: the schema they are on.
        folder: the empty folder to write to.
        output: where it will be moved; what the files say of their place.
        url: the live database; a SQLite one is copied beside the questions, so that the evaluator
            takes the set as it is.
        dev_share: share of the pairs for evaluation.
        seed: decides the split.
        details: what making the pairs told of itself, for the summary.

    Returns:
        The summary that is also written as ``summary.json``.

    Raises:
        UserError: too few pairs to split.
    """
    train, dev, leaks = split_pairs(pairs, dev_share, seed)
    if not train or not dev:
        raise UserError(
            f"{len(pairs)} pairs are too few to split into training and evaluation; ask for more"
            " (--total) or look into what was rejected"
        )
    db_id = snapshot.schema.db_id
    write_snapshot(snapshot, folder / SNAPSHOT)
    parts = {"train": train, "dev": dev}
    named = [(name, pair) for name, part in parts.items() for pair in part]
    write_jsonl(
        folder / "pairs.jsonl",
        (
            {"id": number, "split": name, "db_id": db_id}
            | asdict(pair)
            | {"snapshot": snapshot.hash}
            for number, (name, pair) in enumerate(named)
        ),
    )
    for name, part in parts.items():
        rows = [{"db_id": db_id, "question": p.question, "query": p.sql} for p in part]
        _write_array(folder / SPIDER / f"{name}.json", rows)
    reason = write_gold(folder / SPIDER / "dev_gold.sql", [(one_line(p.sql), db_id) for p in dev])
    if reason:
        print(f"{reason}; {LLAMAFACTORY}/{GOLD} has all", file=sys.stderr, flush=True)
    _write_array(folder / SPIDER / "tables.json", [spider_entry(snapshot.schema)])
    database = folder / SPIDER / "database" / db_id / f"{db_id}.sqlite"
    database.parent.mkdir(parents=True)
    if url and snapshot.dialect == "sqlite":
        _copy_sqlite(database_file(parse_url(url)), database)
    prepared = prepare(
        check_config(_config(folder), DataConfig, source=db_id), folder / LLAMAFACTORY
    )
    # Runs are named after their data set's config.
    config = output / f"{db_id}.yaml"
    write_text(folder / config.name, yaml.safe_dump(_config(output), sort_keys=False))
    heading = {"db_id": db_id, "dialect": snapshot.dialect, "config": config}
    counts = {"train": len(train), "dev": len(dev)}
    write_text(folder / "README.md", README.format(**heading, **counts))
    summary = {
        "db_id": db_id,
        "dialect": snapshot.dialect,
        "snapshot": snapshot.hash,
        "config": str(config),
        "pairs": len(pairs),
        **counts,
        "topics": dict(Counter(p.topic for p in pairs)),
        "topics_in_evaluation": sorted({p.topic for p in dev}),
        "hardness": {name: dict(Counter(p.hardness for p in part)) for name, part in parts.items()},
        "languages": dict(Counter(p.language for p in pairs)),
        "removed_as_leaks": leaks,
        "removed_by_data_stage": prepared["removed_as_leaks"],
        **details,
    }
    write_json(folder / "summary.json", summary)
    return summary


def _config(folder: Path) -> dict[str, Any]:
    """The data stage's settings for what stands in a folder."""
    build = build_root().resolve()
    path = folder.resolve()
    root = f"{{build}}/{path.relative_to(build)}" if path.is_relative_to(build) else str(path)
    return {
        "train": [f"{root}/{SPIDER}/train.json"],
        "evaluation": f"{root}/{SPIDER}/dev.json",
        # Names, types and values as the database has them; tables.json keeps neither.
        "tables": f"{root}/{SNAPSHOT}",
        "database": f"{root}/{SPIDER}/database",
        "schema_style": "ddl",
        "personal_data": False,
        "system": "p2",
        # The SQL is checked already, in its own dialect.
        "parse_sql": False,
        "decontamination": {"levels": ["exact", "normalized"]},
    }


def _write_array(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    write_text(path, f"[\n{lines}\n]\n")


def _copy_sqlite(source: Path, target: Path) -> None:
    """Copy a database as SQLite sees it now, whether or not somebody writes to it."""
    uri = f"{source.resolve().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as read, closing(sqlite3.connect(target)) as made:
        read.backup(made)
