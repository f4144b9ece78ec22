"""Value plugging."""

from pathlib import Path

import pytest
from test_suite_sql_eval import lexer
from test_suite_sql_eval.plug_value import Plugged


def _plug(gold: str, pred: str) -> list[str]:
    return list(Plugged(gold, pred).candidates())


def test_gold_order_comes_first_and_nothing_twice() -> None:
    found = _plug(
        "select a from t where b = 'X' and c > 5", "SELECT a FROM t WHERE b = 'q' AND c > 7"
    )
    assert found[0] == "select a from t where b = 'X' and c > 5"
    assert len(found) == len(set(found)) == 4


def test_no_slots_gives_the_respelled_query_only_if_it_differs() -> None:
    assert _plug("select a from t where b = 1", "SELECT a FROM t") == []
    assert _plug("select a from t", "SELECT a FROM t -- no") != []


def test_no_gold_values_leave_slots_unfilled() -> None:
    assert _plug("select a from t", "select a from t where b = 1") == []


def test_values_keep_their_case_and_quotes() -> None:
    plugged = Plugged('select a from t where b = "New York"', "select A from T where B = 'x'")
    assert plugged.values == ['"New York"']
    assert list(plugged.candidates()) == ['select a from t where b = "New York"']


def test_many_slots_are_made_lazily() -> None:
    gold = "select a from t where " + " and ".join(f"b = {i}" for i in range(10, 22))
    candidates = Plugged(gold, gold.replace("b = 1", "c = 3")).candidates()
    assert next(candidates).startswith("select a from t where c = 10 and c = 11")


def test_aliases_are_not_values() -> None:
    plugged = Plugged("select T1.a from t as T1", "select T1.a from t as T1 where T1.b = 2.5")
    assert plugged.slots == 1
    assert plugged.words[:4] == ["select", "t1", ".", "a"]


def test_the_quick_way_makes_the_same_candidates(
    predictions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    golds = [line.split("\t")[0] for line in (predictions / "gold.txt").read_text().splitlines()]
    preds = (predictions / "baseline.txt").read_text().splitlines()
    pairs = [pair for pair in zip(golds, preds, strict=True) if Plugged(*pair).count < 100]
    quick = [_plug(*pair) for pair in pairs]
    assert sum(lexer.plain_words(pred.removesuffix(";")) is not None for pred in preds) > 900
    monkeypatch.setattr(lexer, "plain_words", lambda _sql: None)
    slow = [_plug(*pair) for pair in pairs]
    assert quick == slow
