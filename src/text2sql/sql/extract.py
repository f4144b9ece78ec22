"""Take the SQL out of what a model answered."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import sqlglot
from sqlglot.errors import SqlglotError

from text2sql.sql.statement import WITH, closing_parenthesis, read_statement

THOUGHT = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL)
THOUGHT_END = re.compile(r".*</think(?:ing)?>", re.DOTALL)
LINE_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
FENCE = re.compile(
    r"(?P<fence>```+|~~~+)(?P<info>[^\n`]*)\n(?P<body>.*?)"
    r"(?P<end>^[ \t>]*(?P=fence)|(?P=fence)[ \t\r]*$|\Z)"
    r"|```(?P<line>[^`\n]+)```",
    re.DOTALL | re.MULTILINE,
)
# Languages that are no SQL; a query in such a block is a text of a program.
PROGRAM = re.compile(
    r"\s*(?:python|py|js|javascript|typescript|java|bash|sh|shell|php|r|go)\b", re.I
)
# A block behind such words is another way to the same, or shows something else than the answer.
ALTERNATIVE = re.compile(
    r"\b(?:or|alternativ\w*|another (?:way|option|approach)|other (?:way|option)s?|equivalent\w*"
    r"|also|instead|version for|if you|option [2-9b-z]|verify|check|test it|for example|example"
    r"|oder|stattdessen|ou|o bien|también|aussi|или|также)\b"
    r"|或|另一种|另外|也可以|也可|例如|验证|等价",
    re.IGNORECASE,
)
NEXT_QUESTION = re.compile(r"\[(?:QUESTION|SCHEMA)\]|<\|im_start\|>user")  # made up by the model
MARK = re.compile(
    r"\[(?:ANSWER|SQL)\]|<(?:final_?)?(?:answer|sql|query|sql_?query)>", re.IGNORECASE
)
STATEMENT = re.compile(rf"\bselect\b|{WITH.pattern}", re.IGNORECASE | re.DOTALL)
COMMENT = re.compile(r"^[ \t]*--[^\n]*|/\*.*?\*/", re.MULTILINE | re.DOTALL)
FROM = re.compile(r"\bfrom\b", re.IGNORECASE)
# "Select the names ..." and "to select all singers ..." are English, "select a from b" is not.
ENGLISH = re.compile(
    r"[Ss]elect\s+(?:the|all|only|those|these|every|each|just|a|an|any|which|both|from\s+the)\s+"
    r"(?!from\b|as\b)[a-z]+\b(?!\s*,|\s+FROM\b)"
)
SQL_KEYS = (
    *("sql", "sqlquery", "finalsql", "generatedsql", "sqlstatement", "query", "answer"),
    *("finalanswer", "statement", "code", "response", "output", "result"),
)
# What stands right before a query that is wrapped, and the sign that closes the wrapping.
CLOSERS = (
    *(('"""', '"""'), ("'''", "'''"), ('"', '"'), ("'", "'"), ("`", "`"), ("**", "**")),
    *(("__", "__"), ("“", "”"), ("「", "」"), ("『", "』"), ("«", "»"), ("$", "$"), ("{", "}")),
)
AFTER_PARENTHESIS = re.compile(
    r"(?:\s|--[^\n]*\n|/\*.*?\*/)*(?:union|intersect|except|minus|order\s+by|limit|offset|fetch)\b",
    re.IGNORECASE | re.DOTALL,
)
DIALECTS = ("sqlite", "postgres", "mysql", "duckdb", "tsql")
MOST_OBJECTS = 20


@dataclass(frozen=True)
class _Region:
    """A part of an answer that holds a query; of a code block, all of it is SQL."""

    text: str
    is_code: bool = False


def extract_sql(answer: str) -> str:
    """Return the SQL query in a model's answer, on one line but for texts that hold line ends.

    Thoughts and questions that the model made up are dropped; of what is left, the value that JSON
    gives, the text after the last answer mark, or the last code block with a whole query is taken,
    a block that shows another way to the same left out. The query ends at a semicolon outside
    quotes, where the code or its wrapping ends, where the conversation's next turn begins, or at a
    line that is an explanation.

    Args:
        answer: what the model wrote.

    Returns:
        The query without its semicolon and comments, runs of white space outside quotes as one
        space; empty when there is no query in the answer.
    """
    text = THOUGHT_END.sub("", THOUGHT.sub("", answer))
    text = LINE_BREAK.sub("\n", NEXT_QUESTION.split(text)[0])
    parts = MARK.split(text)
    text = next((part for part in reversed(parts) if STATEMENT.search(part)), parts[-1])
    return _from_region(_region(text))


def _region(text: str) -> _Region:
    """Return the part of an answer that the query is in."""
    value = _json_value(text)
    if value is not None:
        return _region(value) if "```" in value else _Region(value, is_code=True)
    blocks: list[tuple[_Region, str]] = []
    position = 0
    for match in FENCE.finditer(text):
        body, is_closed = match["line"] or match["body"], bool(match["line"] or match["end"])
        if STATEMENT.search(body):
            is_sql = is_closed and not PROGRAM.match(match["info"] or "")
            lead = text[position : match.start()].strip().rsplit("\n\n", 1)[-1]
            blocks.append((_Region(body, is_sql), lead))
        position = match.end()
    if not blocks:
        return _Region(text)
    first, *others = blocks
    answers = [first[0], *(region for region, lead in others if not ALTERNATIVE.search(lead))]
    whole = [region for region in answers if _parses(_from_region(region))]
    return (whole or answers)[-1] if whole else answers[0]


def _json_value(text: str) -> str | None:
    """Return the query that JSON in a text gives, None where there is no JSON with one."""
    decoder = json.JSONDecoder(strict=False)
    for match in list(re.finditer(r"\{", text))[:MOST_OBJECTS]:
        try:
            value = decoder.raw_decode(text, match.start())[0]
        except (ValueError, RecursionError):
            continue
        found = _query_in(value)
        if found is not None:
            return found
    return None


def _query_in(value: Any) -> str | None:
    if not isinstance(value, dict):
        return None
    by_key = {re.sub(r"[\W_]", "", str(key)).lower(): part for key, part in value.items()}
    for key in SQL_KEYS:
        part = by_key.get(key)
        if isinstance(part, list) and all(isinstance(line, str) for line in part):
            part = "\n".join(part)
        if isinstance(part, str) and STATEMENT.search(part):
            return part
        if isinstance(part, dict) and (inner := _query_in(part)) is not None:
            return inner
    texts = [part for part in value.values() if isinstance(part, str) and STATEMENT.match(part)]
    return texts[0] if len(texts) == 1 else None


def _from_region(region: _Region) -> str:
    text = region.text
    places = [match.start() for match in STATEMENT.finditer(text)]
    comments = [match.span() for match in COMMENT.finditer(text)]
    outside = [p for p in places if not any(start <= p < end for start, end in comments)]
    places = outside or places
    if not places:
        return ""
    likely = [place for place in places if not ENGLISH.match(text, place)]
    sql = _statement_at(region, (likely or places)[0])
    if len(likely) < 2 or region.is_code or _reads_table(sql):
        return sql
    for place in likely[1:]:
        if _may_begin(text[:place]):
            other = _statement_at(region, place)
            if _reads_table(other):
                return other
    return sql


def _reads_table(sql: str) -> bool:
    """Whether a query is whole and has a FROM clause, as "select all of them" has not."""
    return bool(FROM.search(sql)) and _parses(sql)


def _may_begin(before: str) -> bool:
    """Whether a query may begin behind a text, being no part of another one."""
    line = before.rstrip(" \t")
    return not before.strip() or (
        line.endswith(("\n", ":", "：", "`", '"', "'", ". ", "。", ">", "*"))
        and not before.rstrip().endswith(("(", ",", ")"))
        and not re.search(r"\b(?:union|all|except|intersect|as)\s*$", before, re.IGNORECASE)
    )


def _statement_at(region: _Region, place: int) -> str:
    """Return the query that begins at a place, freed from its wrapping."""
    text, is_code = _unwrapped(region, place)
    statement = read_statement(text, 0, is_code)
    shorter = [sql for sql in statement.shorter if _parses(sql)]
    if shorter and not _parses(statement.sql):
        return shorter[-1]
    stripped = statement.sql.removesuffix(".")  # of the sentence that it ends
    return stripped if stripped != statement.sql and _parses(stripped) else statement.sql


def _unwrapped(region: _Region, place: int) -> tuple[str, bool]:
    """Return the text from a query's start to where its wrapping closes, and whether it is code."""
    text, before = region.text, region.text[:place]
    opened = before.rstrip()
    if opened.endswith("("):
        return _of_parentheses(text, place), region.is_code
    opener, closer = next(
        ((opener, closer) for opener, closer in CLOSERS if opened.endswith(opener)), ("", "")
    )
    rest = text[place:]
    if not opener or (region.is_code and opener in ("__", "$", "{")):
        return rest, region.is_code
    if opener in ('"', "'"):
        return _of_string(rest, opener), True
    end = _closing(rest, opener, closer)
    return (rest, region.is_code) if end is None else (rest[:end], True)


def _of_string(text: str, quote: str) -> str:
    """Return what a string of a program or of JSON holds, from within it."""
    match = re.match(rf"(?:[^{quote}\\]|\\.)*", text, re.DOTALL)
    inner = match.group() if match else text
    return re.sub(
        r"\\(.)",
        lambda m: {"n": "\n", "t": "\t", "r": "\n"}.get(m[1], m[1]),
        inner,
        flags=re.DOTALL,
    )


def _closing(text: str, opener: str, closer: str) -> int | None:
    """Return where a wrapping closes, None where it does not."""
    if opener == "`" and "`" in text:
        # Names may stand in the same quotes: the last one on the line closes, if they are paired.
        line = text.split("\n", 1)[0]
        marks = [match.start() for match in re.finditer("`", line)]
        if len(marks) % 2 and len(marks) > 1 and _parses(line[: marks[-1]].strip()):
            return marks[-1]
        return text.index("`")
    if opener == "{":
        depth = 1
        for position, sign in enumerate(text):
            depth += {"{": 1, "}": -1}.get(sign, 0)
            if depth == 0:
                return position
        return None
    end = text.find(closer)
    return end if end >= 0 else None


def _of_parentheses(text: str, place: int) -> str:
    """Return a query that parentheses open in front of.

    Where they close and a clause or another query follows, they are a part of the whole.
    """
    opened = re.search(r"\((?:\s*\()*\s*\Z", text[:place])
    start = opened.start() if opened else place
    end = len(text)
    while start < place:
        close = closing_parenthesis(text, start + 1)
        if close is not None and close < end:
            if AFTER_PARENTHESIS.match(text, close + 1):
                return text[start:end]
            end = close
        start = text.index("(", start + 1) if "(" in text[start + 1 : place] else place
    return text[place:end]


def _parses(sql: str) -> bool:
    """Whether a query is whole in some dialect."""
    if not sql:
        return False
    for dialect in DIALECTS:
        try:
            trees = sqlglot.parse(sql, read=dialect)
        except (SqlglotError, RecursionError):
            continue
        if len(trees) == 1 and isinstance(trees[0], sqlglot.exp.Query):
            return True
    return False
