"""Exact match, partial scores and hardness against the official program, question by question."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from test_suite_sql_eval.em_ast import ParsedSql
from test_suite_sql_eval.exact_match import ExactResult, exact_match
from test_suite_sql_eval.hardness import hardness
from test_suite_sql_eval.parser import ParseError, parse
from test_suite_sql_eval.schema import EvalSchema, load_foreign_keys

from .mutations import mutations

PREDICTIONS = ("baseline", "full", "lora_r128")
Pair = tuple[str, str, str]  # db_id, gold, prediction


def read_gold(spider: Path, name: str = "dev_gold.sql") -> list[tuple[str, str]]:
    lines = (spider / name).read_text(encoding="utf-8").splitlines()
    pairs = [line.split("\t") for line in lines if line.strip()]
    return [(sql, db_id.strip()) for sql, db_id in pairs]


def read_schemas(spider: Path, gold: Sequence[tuple[str, str]]) -> dict[str, EvalSchema]:
    keys = load_foreign_keys(spider / "tables.json")
    return {
        db_id: EvalSchema.from_sqlite(spider / "database" / db_id / f"{db_id}.sqlite", keys[db_id])
        for db_id in sorted({db_id for _, db_id in gold})
    }


def parsed(sql: str, schema: EvalSchema) -> ParsedSql | None:
    try:
        return parse(sql, schema)
    except ParseError:
        return None


def judge(pair: Pair, schemas: dict[str, EvalSchema]) -> dict[str, Any]:
    """Returns our verdict in the form of oracle_match.py."""
    db_id, gold_text, pred_text = pair
    schema = schemas[db_id]
    gold = parsed(gold_text, schema)
    if gold is None:
        return {"gold_error": True}
    pred = parsed(pred_text, schema)
    result: ExactResult = exact_match(gold, pred or ParsedSql(), schema)
    partial = {name: asdict(score) for name, score in result.partial.items()}
    level = hardness(pred) if pred else None
    return {"hardness": level, "exact": result.exact, "partial": partial}


def ask_oracle(oracle: tuple[str, Path], spider: Path, pairs: Sequence[Pair]) -> list[Any]:
    python, checkout = oracle
    request = {
        "tables": str(spider / "tables.json"),
        "databases": str(spider / "database"),
        "pairs": pairs,
    }
    script = Path(__file__).with_name("oracle_match.py")
    done = subprocess.run(
        [python, str(script), str(checkout)],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answers: list[Any] = json.loads(done.stdout)
    return answers


def differences(pairs: Sequence[Pair], ours: Sequence[Any], theirs: Sequence[Any]) -> list[Any]:
    """Lists the pairs judged differently; where upstream crashed, ours must say "no match"."""
    found = []
    for pair, own, official in zip(pairs, ours, theirs, strict=True):
        if "gold_error" in official or "gold_error" in own:
            same = ("gold_error" in official) == ("gold_error" in own)
        elif "crash" in official:
            same = not own["exact"]
        else:
            same = own == official
        if not same:
            found.append((pair, own, official))
    return found


def compare(
    oracle: tuple[str, Path], spider: Path, pairs: Sequence[Pair], schemas: dict[str, EvalSchema]
) -> None:
    ours = [judge(pair, schemas) for pair in pairs]
    found = differences(pairs, ours, ask_oracle(oracle, spider, pairs))
    assert not found, f"{len(found)} of {len(pairs)} differ, first: {found[:3]}"


@pytest.mark.parametrize("name", PREDICTIONS)
def test_official_verdicts(name: str, spider: Path, predictions: Path) -> None:
    verdicts = json.loads((predictions / "official_verdicts.json").read_text())[name]
    gold = read_gold(spider)
    schemas = read_schemas(spider, gold)
    preds = (predictions / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    exact, levels = [], []
    for (sql, db_id), pred in zip(gold, preds, strict=True):
        text = pred.strip().split("\t")[0].replace("value", "1")
        exact.append(str(int(judge((db_id, sql, text), schemas)["exact"])))
        levels.append(hardness(parse(sql, schemas[db_id])).replace("extra", "x")[0])
    assert "".join(exact) == verdicts["em"]
    assert "".join(levels) == verdicts["hard"]


def test_gold_matches_itself(spider: Path) -> None:
    gold = read_gold(spider)
    schemas = read_schemas(spider, gold)
    assert all(judge((db_id, sql, sql), schemas)["exact"] for sql, db_id in gold)


@pytest.mark.parametrize("name", PREDICTIONS)
def test_partial_scores_of_predictions(
    name: str, spider: Path, predictions: Path, oracle: tuple[str, Path]
) -> None:
    gold = read_gold(spider)
    preds = (predictions / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    pairs = [
        (db_id, sql, pred.strip().split("\t")[0].replace("value", "1"))
        for (sql, db_id), pred in zip(gold, preds, strict=True)
    ]
    compare(oracle, spider, pairs, read_schemas(spider, gold))


@pytest.mark.parametrize(
    ("source", "count", "seed"),
    [
        ("dev_gold.sql", 2000, 11),
        pytest.param("dev_gold.sql", 20000, 12, marks=pytest.mark.slow),
        pytest.param("train_gold.sql", 20000, 13, marks=pytest.mark.slow),
    ],
)
def test_mutations(
    source: str, count: int, seed: int, spider: Path, oracle: tuple[str, Path]
) -> None:
    gold = read_gold(spider, source)
    schemas = read_schemas(spider, gold)
    tables = {db_id: schema.tables for db_id, schema in schemas.items()}
    pairs = [
        (each.db_id, each.gold, each.mutated.replace("value", "1"))
        for each in mutations(gold, tables, count, seed)
    ]
    compare(oracle, spider, pairs, schemas)


SINGER = "select name from singer"


@pytest.mark.parametrize(
    ("gold", "pred", "error", "exact"),
    [
        (
            f"{SINGER} where age = 1",
            f"{SINGER} where age = 1 name = 'a' and age = 2",
            "ValueError",
            False,
        ),
        (
            f"{SINGER} where age = 1",
            f"{SINGER} where age = 1 name = ( {SINGER} )",
            "TypeError",
            False,
        ),
        (
            f"select count(*) from ( {SINGER} ) ( select age from singer )",
            f"select count(*) from ( select age from singer ) ( {SINGER} )",
            "TypeError",
            True,
        ),
    ],
)
def test_documented_crashes(
    gold: str, pred: str, error: str, exact: bool, spider: Path, oracle: tuple[str, Path]
) -> None:
    pair = ("concert_singer", gold, pred)
    (official,) = ask_oracle(oracle, spider, [pair])
    assert official["crash"].startswith(error)
    assert judge(pair, read_schemas(spider, [(gold, "concert_singer")]))["exact"] is exact


@pytest.mark.parametrize("depth", [100, 200, 230, 300, 450])
def test_deep_nesting(depth: int, spider: Path, oracle: tuple[str, Path]) -> None:
    pairs = [
        ("concert_singer", SINGER, f"{SINGER} union " * depth + SINGER),
        ("concert_singer", SINGER, f"{SINGER} where name in ( " * depth + SINGER + " )" * depth),
        ("concert_singer", SINGER, "select name from ( " * depth + SINGER + " )" * depth),
    ]
    compare(oracle, spider, pairs, read_schemas(spider, [(SINGER, "concert_singer")]))
