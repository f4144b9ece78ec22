"""DISTINCT removal and token boundaries."""

import random

import pytest
from test_suite_sql_eval import em_lexer, lexer

# What makes cutting a query hard: marks of comments, quotes, numbers and words that run together.
HARD = r"""
    select distinct DISTINCT Distinct GO go END end if x T1.a count( ( ) , ; ' '' " "" ` ´ [ ]
    'distinct' distinct( (distinct) distinct_id count_distinct "distinct" -- /* */ # $ $a$ %
    %s %( 0x 0xA 1 1.5 1e5 @ : :: = ! < > ? \ é İ Σ cannot wanna a,1 ,1 .. - * + & { }
    CATEGORY as from union !=
"""


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT DISTINCT a FROM t", "SELECT  a FROM t"),
        ("select count(distinct a) from t", "select count( a) from t"),
        ("select count(DISTINCT(a)) from t", "select count((a)) from t"),
        ("select 'distinct' from t", "select 'distinct' from t"),
        ('select "distinct" from t', 'select "distinct" from t'),
        ("select `distinct`, [distinct] from t", "select `distinct`, [distinct] from t"),
        ("select distinct_id from t", "select distinct_id from t"),
        ("select a is distinct from b from t", "select a is distinct from b from t"),
        (
            "select distinct a from t where a IS NOT\nDISTINCT FROM 3 and b is  distinct\tfrom c",
            "select  a from t where a IS NOT\nDISTINCT FROM 3 and b is  distinct\tfrom c",
        ),
        ("select a, count(distinct b is c) from t", "select a, count( b is c) from t"),
        ("select 1 -- distinct", "select 1 -- distinct"),
        ("select 1 /* distinct */ from t", "select 1 /* distinct */ from t"),
        ("select 'it''s distinct' , distinct b", "select 'it''s distinct' ,  b"),
        ("select 1; drop table t", "select 1; "),
        ("select (1; 2) from t", "select (1; 2) from t"),
        ("select 'unclosed distinct", "select 'unclosed "),
    ],
)
def test_remove_distinct(sql: str, expected: str) -> None:
    assert lexer.remove_distinct(sql) == expected


def test_tokens_give_the_text_back() -> None:
    sql = "select a.*,'x''y',\"z\",`b` from [t] where é >= -1.5e3 and x!=:p -- end\n/* c */ #"
    assert "".join(text for _, text in lexer.tokens(sql)) == sql


def test_long_input_is_no_problem() -> None:
    sql = "select distinct " + " , ".join(f"a{i}" for i in range(20_000)) + " from t"
    assert lexer.remove_distinct(sql).startswith("select  a0")


def test_same_tokens_as_sqlparse(predictions) -> None:  # type: ignore[no-untyped-def]
    sqlparse = pytest.importorskip("sqlparse", reason="sqlparse is not installed")
    if not sqlparse.__version__.startswith(("0.5.0", "0.5.1", "0.5.2", "0.5.3")):
        pytest.skip("the boundaries are those of sqlparse 0.5.3, found " + sqlparse.__version__)
    lines = (predictions / "baseline.txt").read_text().splitlines()
    for sql in {line.strip() for line in lines if line.strip()}:
        wanted = [token.value for token in sqlparse.parse(sql)[0].flatten()]
        assert [text for _, text in lexer.first_statement(sql)] == wanted


def _random_queries(count: int) -> list[str]:
    chance = random.Random(5)
    pieces = HARD.split()
    return [
        "".join(
            chance.choice(pieces) + chance.choice(("", " ", " ", "\n"))
            for _ in range(chance.randint(1, 14))
        )
        for _ in range(count)
    ]


def test_quick_removal_of_distinct_equals_removal_by_tokens() -> None:
    for sql in _random_queries(20_000):
        assert lexer.remove_distinct(sql) == lexer.remove_distinct_tokens(sql), repr(sql)


def test_quick_cut_for_exact_match_equals_the_cut_by_expressions() -> None:
    for sql in _random_queries(20_000):
        assert em_lexer._cut(sql) == em_lexer._cut_any(sql), repr(sql)


#: More of what ordinary queries hold.
PLAIN = "'a' T1. t2.* -1 .5 1. 12abc 'it''s' -> ->> >= <> || / LIKE \"x y\""


def test_ordinary_queries_are_cut_the_same_way_quickly() -> None:
    """Random texts of hard pieces: what is cut quickly is cut as the long way does."""
    chance = random.Random(1)
    pieces = [*HARD.split(), *PLAIN.split()]
    plain = 0
    for _ in range(20_000):
        sql = " ".join(chance.choices(pieces, k=chance.randint(1, 8)))
        words = lexer.plain_words(sql)
        if words is not None:
            plain += 1
            longer = [text for kind, text in lexer.first_statement(sql) if kind != lexer.SPACE]
            assert " ".join(words).split() == " ".join(longer).split(), sql
    assert plain > 2000


@pytest.mark.parametrize(
    "sql", ["a -- b", "a /* b */", "'a", "select `a`", "select é", "a; b", "GO"]
)
def test_other_queries_are_not_cut_quickly(sql: str) -> None:
    assert lexer.plain_words(sql) is None
