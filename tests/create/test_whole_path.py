"""The whole path on a real PostgreSQL server: create data, train a few steps, infer, judge."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml

from text2sql.create.eval_private import judge_files
from text2sql.files import read_jsonl
from text2sql.schema import Schema, read_schema

# A minute on two free cores; commands that import torch take their time on busy ones.
pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(1200)]

ROOT = Path(__file__).resolve().parents[2]
SPIDER = Path(os.environ.get("SPIDER_DIR") or ROOT.parent / "shared" / "spider")
DATABASE = SPIDER / "database" / "pets_1" / "pets_1.sqlite"
# A profile, its recipe and its decoding for a model of random weights: the chain as users run it.
PROFILE = {
    "name": "tiny",
    "title": "Tiny",
    "model": {"name": "tiny", "path_or_hub_id": "MODEL", "template": "smollm2"},
    "dataset": "sample",
    "infer": "INFER",
    "rows": [{"name": "lora", "label": "LoRA", "recipe": "RECIPE"}],
}
RECIPE = {
    "method": "lora",
    "llamafactory": {
        "finetuning_type": "lora",
        "lora_target": "all",
        "cutoff_len": 1024,
        "per_device_train_batch_size": 2,
        "max_steps": 4,
        "learning_rate": 1.0e-3,
        "save_steps": 4,
        "logging_steps": 1,
        "disable_gradient_checkpointing": True,
        "seed": 42,
    },
}
INFER = {"engine": "transformers", "dtype": "float32", "batch_size": 4, "max_new_tokens": 12}


def write_profile(folder: Path, model: Path) -> Path:
    """Write the three YAML files; return the profile's."""
    paths = {name: folder / f"{name.lower()}.yaml" for name in ("RECIPE", "INFER", "PROFILE")}
    paths["RECIPE"].write_text(yaml.safe_dump(RECIPE))
    paths["INFER"].write_text(yaml.safe_dump(INFER))
    text = yaml.safe_dump(PROFILE)
    for name, path in {**paths, "MODEL": model}.items():
        text = text.replace(name, str(path))
    paths["PROFILE"].write_text(text)
    return paths["PROFILE"]


def text2sql(*arguments: object, **variables: str) -> None:
    """Run a command as a user does."""
    result = subprocess.run(
        [sys.executable, "-c", "from text2sql.cli import main; main()", *map(str, arguments)],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def column_type(declared: str) -> sa.types.TypeEngine[Any]:
    if "INT" in declared:
        return sa.BigInteger()
    return sa.Float() if "REAL" in declared or "FLOAT" in declared else sa.Text()


def load(source: Path, schema: Schema, engine: sa.Engine) -> sa.MetaData:
    """Copy a SQLite database into a server, foreign keys and all."""
    metadata = sa.MetaData()
    for table in schema.tables:
        columns: list[sa.Column[Any]] = []
        for column in table.columns:
            keys = [
                sa.ForeignKey(f"{k.ref_table}.{k.ref_column}")
                for k in schema.foreign_keys
                if (k.table, k.column) == (table.name, column.name)
                # PostgreSQL wants what is referred to to be a key.
                and (k.ref_column,) == (schema.table(k.ref_table) or table).primary_key
            ]
            kind = column_type(column.type)
            columns.append(sa.Column(column.name, kind, *keys, primary_key=column.primary_key))
        sa.Table(table.name, metadata, *columns)
    metadata.create_all(engine)
    read = sa.create_engine(f"sqlite:///{source}")
    with read.connect() as old, engine.begin() as new:
        for made in metadata.sorted_tables:
            rows = [
                dict(row) for row in old.execute(sa.text(f'SELECT * FROM "{made.name}"')).mappings()
            ]
            if rows:
                new.execute(made.insert(), rows)
    read.dispose()
    return metadata


@pytest.fixture
def pets(postgresql_url: str) -> Iterator[str]:
    """URL of a PostgreSQL server that holds Spider's database pets_1."""
    if not DATABASE.is_file():
        pytest.skip(f"no Spider at {SPIDER}")
    engine = sa.create_engine(postgresql_url)
    metadata = load(DATABASE, read_schema(DATABASE), engine)
    yield postgresql_url
    metadata.drop_all(engine)
    engine.dispose()


def test_create_train_infer_judge(
    pets: str, tiny_llama: Path, build_folder: Path, tmp_path: Path
) -> None:
    text2sql(
        "database", "create-data", "--db-id", "pets", "--total", 60, "--dev-share", 0.2, DB_URL=pets
    )
    made = build_folder / "own" / "pets"
    summary = json.loads((made / "summary.json").read_text())
    assert summary["dialect"] == "postgres"
    assert summary["pairs"] == 60

    profile = write_profile(tmp_path, tiny_llama)
    text2sql("stage", "infer", "--profile", profile, "--dataset", made / "pets.yaml")
    run = build_folder / "runs" / "tiny" / "pets"
    (adapter,) = (run / "train").iterdir()
    assert json.loads((adapter / "manifest.json").read_text())["details"]["steps"] == 4

    gold = made / "llamafactory" / "gold.sql"
    answers = run / "extract" / "lora" / "predict.txt"
    judged = tmp_path / "judged"
    text2sql(
        "database",
        "eval-private",
        "--gold",
        gold,
        "--predictions",
        answers,
        "--output",
        judged,
        DB_URL=pets,
    )
    scores = json.loads((judged / "scores.json").read_text())
    assert scores["scores"]["all"]["count"] == summary["dev"]
    assert scores["gold_errors"] == 0
    assert len(list(read_jsonl(judged / "verdicts.jsonl"))) == summary["dev"]

    # A model of four steps knows nothing; the gold queries as predictions must all be right.
    perfect = tmp_path / "perfect.txt"
    perfect.write_text(
        "".join(line.split("\t")[0] + "\n" for line in gold.read_text().splitlines())
    )
    assert judge_files(pets, gold, perfect)["scores"]["all"]["result_match"] == 1.0
