"""The offline generator, its split and its exports."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from pathlib import Path

import pytest
from test_suite_sql_eval.api import Settings, evaluate

from text2sql.create.generator import DEFAULT_MIX, PATTERNS, Grammar, Pair, quotas
from text2sql.create.nouns import noun, split_name
from text2sql.create.split import split_pairs, without_values
from text2sql.create.stage import CreateOptions, create_data
from text2sql.create.topics import Topic, plan_offline, scale_counts
from text2sql.data.decontaminate import normalize
from text2sql.errors import UserError
from text2sql.files import read_json, read_jsonl
from text2sql.schema import read_schema
from text2sql.sql.database import Database
from text2sql.sql.validate import Validator

EVERYWHERE = [
    "sqlite",
    "duckdb",
    *(pytest.param(each, marks=[pytest.mark.services]) for each in ("postgres", "mysql")),
]


def generated(url: str, total: int, seed: int = 42) -> list[Pair]:
    schema = read_schema(url, 20, db_id="shop", details=True)
    with Database(url) as database:
        validator = Validator(schema, database.dialect, database)
        grammar = Grammar(schema, database.dialect, validator, ("en", "zh"), seed)
        return list(grammar.generate(plan_offline(schema, total)))


@pytest.mark.parametrize("shop_url", EVERYWHERE, indirect=True)
def test_pairs_run_and_hold_every_level(shop_url: str) -> None:
    pairs = generated(shop_url, 80)
    assert len(pairs) == 80
    levels = Counter(pair.hardness for pair in pairs)
    assert all(levels[level] >= 0.5 * share * 80 for level, share in DEFAULT_MIX.items())
    assert {pair.language for pair in pairs} == {"en", "zh"}
    assert len({pair.sql for pair in pairs}) == len({pair.question for pair in pairs}) == 80
    with Database(shop_url) as database:
        results = [database.run(pair.sql) for pair in pairs]
    assert all(result.ok and result.rows for result in results)


def test_same_seed_same_pairs(shop_sqlite: str) -> None:
    assert generated(shop_sqlite, 20, 1) == generated(shop_sqlite, 20, 1)
    assert generated(shop_sqlite, 20, 1) != generated(shop_sqlite, 20, 2)


def test_every_pattern_has_questions_in_both_languages() -> None:
    assert len(PATTERNS) == 39
    assert all(each.wordings[lang] for each in PATTERNS.values() for lang in ("en", "zh"))


def test_answers_do_not_hang_on_ties(tmp_path: Path) -> None:
    path = tmp_path / "tied.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE runner (name TEXT, age INT)")
    connection.executemany("INSERT INTO runner VALUES (?, ?)", [("a", 7), ("b", 7), ("c", 7)])
    connection.commit()
    connection.close()
    whole = [p.sql for p in generated(str(path), 60) if "WHERE" not in p.sql]
    assert not [sql for sql in whole if sql.endswith("LIMIT 3")]  # there are no more than 3
    tied = [sql for sql in whole if sql.endswith(("LIMIT 1", "LIMIT 2"))]
    assert not [sql for sql in tied if "ORDER BY age" in sql or "GROUP BY name" in sql]


def test_names_become_words() -> None:
    assert split_name("orderDate") == split_name("order_date") == "order date"
    assert (noun("order_items").en, noun("city").plural) == ("order item", "cities")
    assert noun("kh_id", "客户编号").zh == "客户编号"
    assert noun("cust_nm", "Customer name").en == "customer name"


def test_quotas_and_counts_add_up() -> None:
    assert quotas(7, DEFAULT_MIX) == {"easy": 2, "medium": 3, "hard": 1, "extra": 1}
    topics = [Topic("a", ("t",), 300), Topic("b", ("t",), 0), Topic("c", ("t",), 5)]
    assert sum(t.count for t in scale_counts(topics, 100)) == 100
    assert min(t.count for t in scale_counts(topics, 100)) == 1
    assert len(scale_counts(topics, 2)) == 2


def test_every_table_is_in_a_topic(shop_sqlite: str) -> None:
    schema = read_schema(shop_sqlite)
    topics = plan_offline(schema, 100)
    assert {t for topic in topics for t in topic.tables} == {t.name for t in schema.tables}
    assert sum(topic.count for topic in topics) == 100


def test_split_keeps_evaluation_out_of_training(shop_sqlite: str) -> None:
    pairs = generated(shop_sqlite, 150)
    train, dev, leaks = split_pairs(pairs, 0.2, 42)
    assert train
    assert dev
    assert len(train) + len(dev) + sum(leaks.values()) == len(pairs)
    assert not {normalize(p.question) for p in train} & {normalize(p.question) for p in dev}
    masked = [{without_values(p.sql, "sqlite") for p in part} for part in (train, dev)]
    assert not masked[0] & masked[1]
    assert without_values("SELECT a FROM t WHERE b = 'x' AND c > 1.5", "sqlite") == (
        "select a from t where b = ? and c > ?"
    )


def test_a_planted_leak_is_taken_out() -> None:
    def pair(question: str, sql: str, topic: str) -> Pair:
        return Pair(question, sql, "en", "sqlite", topic, "easy", "test")

    shared = "SELECT a FROM t WHERE b = "
    pairs = [pair("How many?", "SELECT 1", "x"), pair("Which?", shared + "1", "x")]
    pairs += [pair("how many", "SELECT 2, 3", "y"), pair("What?", shared + "2", "y")]
    pairs += [pair("Else?", "SELECT c FROM t", "x"), pair("Other?", "SELECT d FROM t", "y")]
    pairs += [pair(f"Number {i}?", f"SELECT e{i} FROM t", f"z{i % 4}") for i in range(12)]
    train, dev, leaks = split_pairs(pairs, 0.2, 1)
    assert leaks == {"question": 0, "sql_but_for_values": 0}
    assert {p.topic for p in dev}.isdisjoint(p.topic for p in train)
    found = [split_pairs(pairs, 0.2, seed) for seed in range(20)]
    planted = [leaks for _, dev, leaks in found if len({"x", "y"} & {p.topic for p in dev}) == 1]
    assert planted
    assert all(leaks == {"question": 1, "sql_but_for_values": 1} for leaks in planted)


def test_large_topics_are_split_by_query() -> None:
    pairs = [
        Pair(f"Q{i}?", f"SELECT c{i % 20} FROM t WHERE d = {i}", "en", "sqlite", "x", "easy", "t")
        for i in range(60)
    ]
    train, dev, leaks = split_pairs(pairs, 0.1, 1)
    assert (len(train), len(dev), sum(leaks.values())) == (54, 6, 0)


def test_create_data_writes_what_the_evaluator_takes(shop_sqlite: str, build_folder: Path) -> None:
    folder, summary = create_data(CreateOptions(url=shop_sqlite, total=120, languages=("en", "zh")))
    assert folder == build_folder / "own" / "shop"
    assert summary["train"] + summary["dev"] + sum(summary["removed_as_leaks"].values()) == 120
    records = list(read_jsonl(folder / "pairs.jsonl"))
    assert {r["snapshot"] for r in records} == {summary["snapshot"]}
    assert all(r["source"].startswith("grammar:") and r["topic"] for r in records)
    alpaca = read_json(folder / "llamafactory" / "train_alpaca.json")
    sharegpt = read_json(folder / "llamafactory" / "train.json")
    assert len(alpaca) == len(sharegpt) == summary["train"]
    assert sharegpt[0]["conversations"][1]["value"] == alpaca[0]["output"]
    spider = folder / "spider"
    gold = spider / "dev_gold.sql"
    predictions = folder / "p.txt"
    lines = gold.read_text(encoding="utf-8").splitlines()
    predictions.write_text("".join(line.split("\t")[0] + "\n" for line in lines), "utf-8")
    report = evaluate(
        str(gold),
        str(predictions),
        str(spider / "database"),
        str(spider / "tables.json"),
        settings=Settings(etype="exec", jobs=1),
    )
    assert report.to_dict()["scores"]["all"]["exec"] == 1.0
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["inputs"] == {"snapshot": summary["snapshot"]}


def test_a_snapshot_is_enough(shop_sqlite: str, build_folder: Path, tmp_path: Path) -> None:
    folder, _ = create_data(CreateOptions(url=shop_sqlite, total=40))
    snapshot, output = folder / "snapshot.json", tmp_path / "again"
    _, summary = create_data(CreateOptions(url=None, snapshot=snapshot, output=output, total=40))
    assert summary["pairs"] == 40
    assert all(r["rows"] is None for r in read_jsonl(output / "pairs.jsonl"))


def test_missing_database_is_one_line() -> None:
    with pytest.raises(UserError, match="DB_URL"):
        create_data(CreateOptions(url=None))
