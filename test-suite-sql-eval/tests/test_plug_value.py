"""Value plugging."""

from pathlib import Path

import pytest
from test_suite_sql_eval import lexer, plug_value
from test_suite_sql_eval.judge import ExecutionJudge
from test_suite_sql_eval.plug_value import Plugged, only_operands_change
from test_suite_sql_eval.sandbox import Session


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


@pytest.mark.parametrize(
    "pred",
    [
        "SELECT nme FROM singer",
        "SELECT nme FROM singer WHERE age > 3 AND country = 'Peru';",
        "SELECT T1.nme FROM singer AS T1 WHERE T1.age BETWEEN 3 AND 5 LIMIT 2",
        "SELECT nme FROM singer WHERE age NOT IN (1, 2, 3) OR name LIKE '%a%'",
        "SELECT nme FROM singer WHERE EXISTS (SELECT 1 FROM concert WHERE year = -2.5)",
    ],
)
def test_only_operands_change_in_ordinary_queries(pred: str) -> None:
    assert only_operands_change("SELECT name FROM singer WHERE age > 31 OR name = 'Bo'", pred)


#: Predictions that other literals could give other names or columns, and one that is not ordinary.
CHANGED_BEYOND_OPERANDS = [
    "SELECT nme FROM singer WHERE age > 3 AND 1",
    "SELECT nme FROM singer WHERE 1 AND age > 3",
    "SELECT nme, 'x' FROM singer",
    "SELECT * FROM 'singer' WHERE nme = 2",
    'SELECT s1.name FROM singer "s2"',
    "SELECT s1.name FROM singer s2 WHERE age > 3",
    "SELECT name FROM singer ORDER BY 2",
    "SELECT * FROM (SELECT name FROM singer WHERE age IN (3)), 'concert'",
    "SELECT id FROM singer JOIN concert ON age IN (3), 'concert'",
    "SELECT nme FROM singer WHERE name = 'x'.y",
    "SELECT x FROM (SELECT T1.* FROM singer AS T1)",
    "SELECT nme FROM singer -- no",
]


@pytest.mark.parametrize("pred", CHANGED_BEYOND_OPERANDS)
def test_more_than_operands_may_change(pred: str) -> None:
    assert not only_operands_change("SELECT name FROM singer WHERE age > 0 OR name = 's1'", pred)


def test_gold_values_that_are_names_are_no_operands() -> None:
    gold = "SELECT a1 FROM singer"
    assert Plugged(gold, "SELECT 1").values == ["a1"]
    assert not only_operands_change(gold, "SELECT nme FROM singer WHERE age > 3")


def test_predictions_with_wrong_names_or_columns_get_the_same_verdict_unplugged(
    music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    golds = [
        "SELECT name FROM singer WHERE age > 0",
        "SELECT name FROM singer WHERE country = 's1' OR age = 24",
        'SELECT name, age FROM singer WHERE name != "concert"',
        "SELECT title FROM concert WHERE year IN (2014, 2015)",
    ]
    preds = [
        *CHANGED_BEYOND_OPERANDS,
        *(gold.replace("name", "nme") for gold in golds),
        *(gold.replace("SELECT ", "SELECT id, ") for gold in golds),
        "SELECT name FROM singer WHERE nme = 1 AND 3",
        "SELECT name FROM singers WHERE age > 3 AND age < 7",
        "SELECT id FROM singer JOIN concert WHERE year > 3 AND year < 7",
        "SELECT count(*) FROM singer WHERE age > 3 AND nme < 7 AND name = 'x'",
    ]

    def verdicts() -> tuple[list[tuple[bool, str | None, str | None]], int]:
        session = Session()
        judge = ExecutionJudge(session, (60.0, 1e9), plug_value=True)
        runs: list[str] = []
        run = session.run
        monkeypatch.setattr(session, "run", lambda *args: (runs.append(args[1]), run(*args))[1])
        answers = [judge.judge([str(music)], gold, p, False) for gold in golds for p in preds]
        return [(one.right, one.kind, one.message) for one in answers], len(runs)

    quick, fewer = verdicts()
    monkeypatch.setattr(plug_value, "only_operands_change", lambda _gold, _pred: False)
    slow, more = verdicts()
    assert quick == slow
    assert fewer < more
    assert any(right for right, *_ in quick)
