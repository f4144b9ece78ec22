"""Text metrics: our own token F1, and the libraries' figures on cases known by hand."""

from __future__ import annotations

import pytest
from test_suite_sql_eval import text_metrics
from test_suite_sql_eval.errors import InputError

SQL = "SELECT name FROM singer WHERE country = 'France' AND age > 30"


def test_tokens_keep_values_whole() -> None:
    assert text_metrics.tokens("SELECT A.b FROM t WHERE x>='O K';") == [
        *("select", "a", ".", "b", "from", "t", "where", "x", ">=", "'O K'")
    ]


@pytest.mark.parametrize(
    ("gold", "pred", "score"),
    [
        ("a b", "b a", 1.0),
        ("a b", "c", 0.0),
        ("a b c d", "a b", 2 * 2 / 6),
        ("a a", "a", 2 / 3),
        ("a", "", 0.0),
        ("", "", 1.0),
        ("'X'", "'x'", 0.0),
    ],
)
def test_token_f1(gold: str, pred: str, score: float) -> None:
    assert text_metrics.token_f1(gold, pred) == pytest.approx(score)


def test_normalize_ignores_layout_only() -> None:
    pytest.importorskip("sqlparse", reason="the extra 'text' (sqlparse) is not installed")
    other = "select NAME\n from Singer -- all\n where country='France' and age>30 ;"
    assert text_metrics.normalize(other) == text_metrics.normalize(SQL)
    assert text_metrics.normalize(SQL.replace("France", "france")) != text_metrics.normalize(SQL)


def test_normalize_takes_very_long_text() -> None:
    pytest.importorskip("sqlparse", reason="the extra 'text' (sqlparse) is not installed")
    assert text_metrics.normalize("SELECT " + "a , " * 20000 + "b")


def _need_text_extra() -> None:
    for module in ("sqlparse", "sacrebleu", "rouge_score"):
        pytest.importorskip(module, reason=f"the extra 'text' ({module}) is not installed")


def test_equal_queries_score_one() -> None:
    _need_text_extra()
    scores = text_metrics.corpus_scores([SQL, SQL], [SQL, SQL.lower().replace("france", "France")])
    expected = {"normalized_exact_match", "token_f1", "bleu4", *text_metrics.ROUGE_TYPES}
    assert set(scores) == expected
    assert all(value == pytest.approx(1.0) for value in scores.values())


def test_figures_worked_out_by_hand() -> None:
    _need_text_extra()
    scores = text_metrics.corpus_scores(["a b c d e"], ["a b c d x"])
    assert scores["rouge1"] == pytest.approx(4 / 5)
    assert scores["rouge2"] == pytest.approx(3 / 4)
    assert scores["rougeL"] == pytest.approx(4 / 5)
    assert scores["bleu4"] == pytest.approx((4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** 0.25)
    assert scores["normalized_exact_match"] == 0


def test_unequal_lengths_are_named() -> None:
    with pytest.raises(InputError, match="2 gold queries but 1"):
        text_metrics.corpus_scores(["a", "b"], ["a"])


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sqlparse", None)
    with pytest.raises(
        InputError, match="need sqlparse: pip install sqlparse sacrebleu rouge-score"
    ):
        text_metrics.corpus_scores(["a"], ["a"])
