"""No false alarms: a suite accepts every query that only writes its gold query another way."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from test_suite_sql_eval.api import Settings, evaluate
from test_suite_sql_eval.distill.catalog import read_catalog
from test_suite_sql_eval.distill.golds import read_golds
from test_suite_sql_eval.distill.suite import make_suites

from .conftest import REPOSITORY
from .rewrites import KINDS, rewrites

SAMPLE = REPOSITORY / "data" / "sample"
#: Kinds that few queries allow.
_RARE = {"IN as JOIN", "IN list as OR", "OR as IN list", "BETWEEN", "DISTINCT on a key"}


def sample_golds() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in ("dev.json", "train.json"):
        for row in json.loads((SAMPLE / name).read_text(encoding="utf-8")):
            found.setdefault(row["db_id"], []).append(row["query"])
    return found


def spider_golds(spider: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in json.loads((spider / "dev.json").read_text(encoding="utf-8")):
        found.setdefault(row["db_id"], []).append(row["query"])
    return found


def rejected(
    golds: dict[str, list[str]], databases: Path, work: Path, suffix: str
) -> tuple[Counter[str], list[str]]:
    """Make the suites, judge every rewrite on them; return pairs by kind, and those rejected."""
    gold_file = work / "gold.sql"
    lines = [f"{' '.join(sql.split())}\t{db_id}" for db_id, of in golds.items() for sql in of]
    gold_file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    make_suites(databases, gold_file, work / "suites")
    pairs = []
    for db_id, queries in golds.items():
        catalog = read_catalog(databases / db_id / f"{db_id}{suffix}")
        for gold in read_golds([" ".join(sql.split()) for sql in queries], catalog):
            pairs += [(gold.sql, db_id, sql, kind) for sql, kind in rewrites(gold, catalog).items()]
    gold_file.write_text("".join(f"{gold}\t{i}\n" for gold, i, _, _ in pairs), encoding="utf-8")
    pred_file = work / "pred.sql"
    pred_file.write_text("".join(f"{pred}\n" for _, _, pred, _ in pairs), encoding="utf-8")
    wrong = []
    for keep_distinct in (False, True):
        settings = Settings(keep_distinct=keep_distinct)
        report = evaluate(str(gold_file), str(pred_file), str(work / "suites"), settings=settings)
        wrong += [
            f"{kind}: {verdict['gold']} | {verdict['pred']}: {verdict['error_message']}"
            for verdict, (*_, kind) in zip(report.verdicts, pairs, strict=True)
            if not verdict["exec"]
        ]
    return Counter(kind for *_, kind in pairs), wrong


def test_rewrites_of_two_sample_databases_are_accepted(tmp_path: Path) -> None:
    golds = {db_id: sample_golds()[db_id] for db_id in ("hotel_group", "observatory")}
    kinds, wrong = rejected(golds, SAMPLE / "database", tmp_path, ".sql")
    assert wrong == []
    assert sum(kinds.values()) > 100, kinds


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_rewrites_of_all_sample_queries_are_accepted(tmp_path: Path) -> None:
    kinds, wrong = rejected(sample_golds(), SAMPLE / "database", tmp_path, ".sql")
    print(kinds)
    assert wrong == []
    assert sum(kinds.values()) >= 2_000, kinds
    assert set(KINDS) - _RARE <= set(kinds)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_rewrites_of_spider_dev_queries_are_accepted(tmp_path: Path, spider: Path) -> None:
    kinds, wrong = rejected(spider_golds(spider), spider / "database", tmp_path, ".sqlite")
    print(kinds)
    assert wrong == []
    assert sum(kinds.values()) >= 2_000, kinds
