"""Extraction from hundreds of answers: queries as people write them in wrappings as models do."""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlglot
from sqlglot.errors import SqlglotError

from text2sql.sql.extract import extract_sql
from text2sql.sql.statement import BLANK, UNIT

SPIDER = Path(os.environ.get("SPIDER_DIR") or Path(__file__).parents[3] / "shared" / "spider")
QUERIES = {
    name: query.removesuffix("\n")
    for name, query in re.findall(
        r"^=== (.*)\n((?:(?!===).*\n)*)",
        Path(__file__).with_name("queries.txt").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
}


def fenced(
    before: str = "", after: str = "", info: str = "sql", mark: str = "```"
) -> Callable[[str], str]:
    return lambda query: f"{before}{mark}{info}\n{query}\n{mark}{after}"


def around(before: str = "", after: str = "") -> Callable[[str], str]:
    return lambda query: f"{before}{query}{after}"


WRAPPINGS: dict[str, Callable[[str], str]] = {
    "nothing": around(),
    "semicolon": around(after=";"),
    "English around": around("Here is the query:\n\n", "\n\nThis query returns the films."),
    "English on the next line": around(after="\nThe query reads the table."),
    "Chinese around": around("查询语句如下：\n", "\n上述查询返回影片的名称。"),
    "Chinese after an empty line": around("答案：\n\n", "\n\n说明：按年份过滤。"),
    "Chinese stops": around("根据问题，SQL 如下：\n", "；"),
    "Japanese around": around("次のクエリです。\n", "。\nこのクエリは映画名を返します。"),
    "Korean after": around(after=";\n이 쿼리는 영화 제목을 반환합니다."),
    "German around": around("Die Abfrage lautet:\n", "\nDiese Abfrage liefert alle Titel."),
    "French around": around("Voici la requête :\n\n", "\n\nCette requête renvoie les titres."),
    "Spanish around": around("La consulta es:\n", "\nEsta consulta devuelve los títulos."),
    "Portuguese after": around(after="\n\nEssa consulta retorna os títulos dos filmes."),
    "Russian around": around("Запрос:\n", "\nЭтот запрос возвращает названия фильмов."),
    "Ukrainian after": around(after="\n\nЦей запит повертає назви."),
    "Arabic after": around(after="\n\nيعيد هذا الاستعلام عناوين الأفلام."),
    "Hindi after": around(after=";\nयह क्वेरी फिल्मों के नाम देती है।"),
    "label": around("SQL: ", "\nExplanation: it reads the films."),
    "steps": around(
        "1. I look at the tables.\n2. I write the query.\n\nSQL query:\n", ";\n\nDone!"
    ),
    "block": fenced("Sure!\n\n", "\n\nIt reads the table."),
    "block with semicolon": lambda query: f"```sql\n{query};\n```",
    "block of no language": fenced(info="", after="\nThat's it."),
    "block of PostgreSQL": fenced(info="postgresql"),
    "block with attributes": fenced(info='sql title="query" {.line}'),
    "block of four marks": fenced(mark="````"),
    "block of tildes": fenced(mark="~~~", after="\nThat is all."),
    "block in a quotation": lambda query: f"> The query:\n\n```sql\n{query}\n```\n> done",
    "block with indented marks": lambda query: (
        f"1. Run this:\n   ```sql\n{query}\n   ```\n2. Look."
    ),
    "block in Chinese": fenced("思路：先连接两张表。\n\n", "\n\n以上 SQL 返回片名；谢谢。"),
    "block with Windows line ends": lambda query: fenced()(query).replace("\n", "\r\n"),
    "block never closed": lambda query: f"```sql\n{query}",
    "blocks, the second is the answer": lambda query: (
        "First, all years:\n```sql\nSELECT DISTINCT year FROM film\n```\n"
        f"With those:\n```sql\n{query}\n```"
    ),
    "blocks, the second is another way": lambda query: (
        f"```sql\n{query}\n```\nAlternatively:\n```sql\nSELECT * FROM film\n```"
    ),
    "blocks, the second is a result": lambda query: (
        f"```sql\n{query}\n```\nResult:\n```\ntitle\n-----\nHeat\n```"
    ),
    "blocks, the last is cut off": lambda query: (
        f"```sql\n{query}\n```\nAnd now shorter:\n```sql\nSELECT title FROM film WHERE ("
    ),
    "blocks, Chinese alternative": lambda query: (
        f"```sql\n{query}\n```\n或者：\n```sql\nSELECT 1 FROM film\n```"
    ),
    "program": lambda query: f'```python\nquery = """\n{query}\n"""\nrows = run(query)\n```',
    "thought": around("<think>\nSELECT id? No: SELECT title.\n</think>\n\n"),
    "thought with blocks": lambda query: (
        f"<think>\n```sql\nSELECT 0\n```\nhm</think>\n```sql\n{query}\n```"
    ),
    "answer tag": around("I SELECT the title. <answer>\n", "\n</answer> Good luck"),
    "final answer tag": around("<final_answer>", "</final_answer>"),
    "query tag": around("<reasoning>SELECT what?</reasoning><query>\n", "\n</query>"),
    "end token": around(after="<|im_end|>\n<|im_start|>user\nthanks"),
    "DeepSeek's end token": around(after="<｜end▁of▁sentence｜>"),
    "Gemma's end token": around(after="<end_of_turn>\n"),
    "JSON": lambda query: json.dumps({"sql": query}),
    "JSON with thoughts": lambda query: json.dumps(
        {"reasoning": "I SELECT title FROM film.", "final_sql": query, "confidence": 0.9}, indent=1
    ),
    "JSON in a block": lambda query: f"```json\n{json.dumps({'query': query})}\n```\nDone.",
    "JSON of JSON": lambda query: json.dumps({"result": {"SQL Query": query}}),
    "HTML": lambda query: f'<pre><code class="language-sql">{query}</code></pre>',
}
IN_LINE = {
    "bold": "**{}**",
    "inline code": "Use `{}` here.",
    "boxed": "The answer is $\\boxed{{{}}}$.",
    "boxed text": "\\boxed{{\\text{{{}}}}}",
    "Python's list": "['{}']",
    "dictionary": "{{'sql': '{}'}}",
    "call": 'cursor.execute("{}")',
    "Chinese sentence": "您可以使用 SQL：{}。",
    "English sentence": "To get them, run this query: {}. It reads one table.",
    "dash": "{} — reads the films",
    "prompt": "mysql> {};\n+------+\n| a |",
    "corner quotes": "请执行「{}」即可",
    "full-width comma": "{}，这样就能得到结果",
    "smart quotes": "Run “{}” please",
    "emoji": "{} ✅",
}
SHORT = [
    "SELECT title FROM film WHERE year > 1999",
    "SELECT count(*) FROM film",
    "SELECT max(length), min(length) FROM film WHERE year = 2001",
]


def flat(query: str) -> str:
    """The query as it should come back: without comments, blanks outside quotes joined."""
    units = UNIT.finditer(query)
    parts = [" " if unit.lastgroup in BLANK else unit.group() for unit in units]
    kept = [p for p, before in zip(parts, ["", *parts], strict=False) if p != " " or before != " "]
    return "".join(kept).strip()


def cases() -> list[tuple[str, str, str]]:
    made = [
        (f"{wrapping}: {name}", wrap(query), flat(query))
        for wrapping, wrap in WRAPPINGS.items()
        for name, query in QUERIES.items()
    ]
    made += [
        (f"{wrapping}: {number}", wrap.format(query), query)
        for wrapping, wrap in IN_LINE.items()
        for number, query in enumerate(SHORT)
    ]
    return made


def test_there_are_enough() -> None:
    assert len(cases()) >= 400


@pytest.mark.parametrize(("answer", "sql"), [c[1:] for c in cases()], ids=[c[0] for c in cases()])
def test_the_query_comes_back(answer: str, sql: str) -> None:
    assert extract_sql(answer) == sql


@pytest.mark.parametrize(
    ("answer", "sql"),
    [
        ("I will SELECT what fits. Query: SELECT a FROM t WHERE b > 3",
         "SELECT a FROM t WHERE b > 3"),
        ("You should select a from t where b is large:\n\nSELECT a FROM t WHERE b > 3",
         "SELECT a FROM t WHERE b > 3"),
        ("SELECT a FROM t\nIn this query we read t.", "SELECT a FROM t"),
        ("SELECT a FROM t\n\nFrom the table t, a is read.", "SELECT a FROM t"),
        ("SELECT a FROM t\nWHERE b = 1\nOn success it gives rows.", "SELECT a FROM t WHERE b = 1"),
        ("SELECT a FROM t\nSELECT b FROM t", "SELECT a FROM t"),
        ("SELECT a FROM t WHERE b = 'it\\'s; so' AND c = 1",
         "SELECT a FROM t WHERE b = 'it\\'s; so' AND c = 1"),
        ("SELECT a FROM t WHERE b &gt; 3 AND c &lt;= 4", "SELECT a FROM t WHERE b > 3 AND c <= 4"),
        ("SELECT film\\_id FROM film\\_list", "SELECT film_id FROM film_list"),
        ("\u200bSELECT a FROM t\u200b", "SELECT a FROM t"),
        ("SELECT a # the name\nFROM t", "SELECT a FROM t"),
        ("SELECT a FROM t WHERE b = 'one\ntwo'", "SELECT a FROM t WHERE b = 'one\ntwo'"),
        ("`SELECT `a` FROM `t``", "SELECT `a` FROM `t`"),
        ("SELECT count(*)\n  n\nFROM t", "SELECT count(*) n FROM t"),
        ("SELECT TOP 5\n  a\nFROM t", "SELECT TOP 5 a FROM t"),
        ("SELECT a FROM t WHERE b @> ARRAY['x;y']", "SELECT a FROM t WHERE b @> ARRAY['x;y']"),
        ("SELECT a COUNT( FROM t\n\nThis query counts.", "SELECT a COUNT( FROM t"),
        ("SELECT a FROM t\n\n| a |\n|---|\n| 1 |", "SELECT a FROM t"),
        ("SELECT a FROM t WHERE b = (\n  SELECT 1\n)\n\nГотово, смотрите!",
         "SELECT a FROM t WHERE b = ( SELECT 1 )"),
        ("SELECT T1.a FROM t AS T1\n\nT1 is the alias of t.", "SELECT T1.a FROM t AS T1"),
        ("SELECT a FROM t.\n\nIt returns a.", "SELECT a FROM t"),
        ("先 select 出所有。SQL：SELECT a FROM t", "SELECT a FROM t"),
        ("```sql\n-- SELECT old FROM x\nSELECT a FROM t\n```", "SELECT a FROM t"),
        ("```sql\n/* not\nSELECT wrong FROM x */\nSELECT a FROM t\n```", "SELECT a FROM t"),
        ("Query: ```sql\nSELECT a\n\n-- c\nFROM t\n``` done", "SELECT a FROM t"),
        ("1) SELECT a FROM t\n2) SELECT b FROM t", "SELECT a FROM t"),
        ("SELECT $$it's; fine$$ AS a FROM t", "SELECT $$it's; fine$$ AS a FROM t"),
        # A wrong query stays wrong: a part of it that would run is not taken.
        ("SELECT a b c FROM t WHERE x IN (SELECT x FROM u)",
         "SELECT a b c FROM t WHERE x IN (SELECT x FROM u)"),
        ("SELECT a b c FROM t\nUNION\nSELECT x FROM u",
         "SELECT a b c FROM t UNION SELECT x FROM u"),
        ("WITH x AS (SELECT 1 1)\nSELECT a FROM t", "WITH x AS (SELECT 1 1) SELECT a FROM t"),
    ],
)  # fmt: skip
def test_particular_answers(answer: str, sql: str) -> None:
    assert extract_sql(answer) == sql


def _at_random(query: str) -> str:
    lines = query.split("\n")
    place = random.Random(len(query)).randrange(1, len(lines) + 1)
    return "\n".join([*lines[:place], "", *lines[place:]])


LAYOUTS: dict[str, Callable[[str], str]] = {
    "pretty": str,
    "empty lines": lambda query: query.replace("\n", "\n\n"),
    "one empty line": _at_random,
    "comments": lambda query: query.replace("\n", "\n\n-- next; it's\n"),
    "block comments": lambda query: "/* a; */\n" + query.replace("\n", " /* b\n\n */\n"),
    "two expressions": lambda query: (
        f"WITH a AS (\n{query}\n),\n\nb AS (SELECT 1)\n\nSELECT * FROM a, b"
    ),
    "comment behind with": lambda query: f"WITH -- a\n a AS (\n{query}\n)\nSELECT * FROM a",
    "materialized": lambda query: (
        f'WITH "a b" AS NOT MATERIALIZED (\n{query}\n)\nSELECT * FROM "a b"'
    ),
    "operands": lambda query: f"({query})\nUNION ALL\n({query})",
}


@pytest.mark.skipif(not SPIDER.is_dir(), reason="needs Spider")
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_gold_query_of_spider_comes_back(layout: str) -> None:
    rows = json.loads((SPIDER / "dev.json").read_text(encoding="utf-8"))
    queries = sorted({row["query"] for row in rows})
    assert len(rows) == 1034
    for query in queries:
        try:
            pretty = sqlglot.transpile(query, read="sqlite", write="sqlite", pretty=True)[0]
        except SqlglotError:
            pretty = query
        written = LAYOUTS[layout](pretty)
        assert extract_sql(f"The query:\n```sql\n{written}\n```\nIt runs.") == flat(written)
        assert extract_sql(f"{written}\n\n该查询返回结果。") == flat(written)
