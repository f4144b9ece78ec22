"""A small SQL lexer for the evaluator's hot path.

Spider's official evaluator cuts queries into tokens with the sqlparse library before it removes
DISTINCT and before it plugs values in, so its verdicts depend on where sqlparse (0.5.3) puts the
token boundaries.  This lexer puts them in the same places, with one compiled expression, no
grouping and no limit on the number of tokens; it is about ten times faster.

Covered: token boundaries, string and comment tokens, the end of the first statement.
Not covered: keyword classes (nothing in the evaluator needs them).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import NamedTuple

SPACE = "space"
NEWLINE = "newline"
LINE_COMMENT = "line_comment"
STRING = "string"  # '...'
SYMBOL = "symbol"  # "..."
WORD = "word"  # a bare word or keyword phrase (not a qualified name, not a function's name)
OTHER = "other"


class Token(NamedTuple):
    """One token: its kind (one of the constants of this module) and its exact text."""

    kind: str
    text: str


_make = functools.partial(tuple.__new__, Token)  # no argument checks
_LETTER = "[A-ZÀ-Ü]"
# Order matters: at each position the first alternative that matches wins.
_RULES: tuple[tuple[str, str], ...] = (
    ("line_comment_hint", r"(?:--|# )\+.*?(?:\r\n|\r|\n|$)"),
    (LINE_COMMENT, r"(?:--|# ).*?(?:\r\n|\r|\n|$)"),
    ("block_comment", r"/\*[\s\S]*?\*/"),
    (NEWLINE, r"\r\n|\r|\n"),
    (SPACE, r"\s"),
    ("pair", r":=|::"),
    ("star", r"\*"),
    ("accent_name", r"`(?:``|[^`])*`|´(?:´´|[^´])*´"),
    ("dollar_string", r"(?P<tag>(?<![\w\"$])\$(?:[_A-ZÀ-Ü]\w*)?\$)[\s\S]*?(?P=tag)"),
    ("placeholder", r"\?|%(?:\(\w+\))?s|(?<!\w)[$:]\w+"),
    ("command", r"\\\w+"),
    ("plain_keyword", r"(?:CASE|IN|VALUES|USING|FROM|AS)\b"),
    ("variable", rf"(?:@|##|#){_LETTER}\w+"),
    ("qualified_name", rf"{_LETTER}\w*(?=\s*\.)|(?<=\.){_LETTER}\w*|{_LETTER}\w*(?=\()"),
    ("hexadecimal", r"-?0x[\dA-F]+"),
    (
        "number",
        r"-?\d+(?:\.\d+)?E-?\d+"
        r"|-?(?:\d+\.\d*|\.\d+)(?![_A-ZÀ-Ü])"
        r"|-?\d+(?![_A-ZÀ-Ü])",
    ),
    (STRING, r"'(?:''|\\'|[^'])*'"),
    (SYMBOL, r'"(?:""|\\"|[^"])*"|""|".*?[^\\]"'),
    ("bracket_name", r"(?<![\w\])])\[[^\]\[]+\]"),
    (
        "keyword_phrase",
        r"(?:(?:LEFT\s+|RIGHT\s+|FULL\s+)?(?:INNER\s+|OUTER\s+|STRAIGHT\s+)?"
        r"|(?:CROSS\s+|NATURAL\s+)?)?JOIN\b"
        r"|END(?:\s+IF|\s+LOOP|\s+WHILE)?\b"
        r"|NOT\s+NULL\b"
        r"|(?:ASC|DESC)(?:\s+NULLS\s+(?:FIRST|LAST))?\b"
        r"|NULLS\s+(?:FIRST|LAST)\b"
        r"|UNION\s+ALL\b"
        r"|CREATE(?:\s+OR\s+REPLACE)?\b"
        r"|DOUBLE\s+PRECISION\b"
        r"|(?:GROUP|ORDER)\s+BY\b"
        r"|PRIMARY\s+KEY\b"
        r"|HANDLER\s+FOR\b"
        r"|GO\s\d+\b"
        r"|LATERAL\s+VIEW\s+(?:EXPLODE|INLINE|PARSE_URL_TUPLE|POSEXPLODE|STACK)\b"
        r"|(?:AT|WITH')\s+TIME\s+ZONE\s+'[^']+'"
        r"|(?:NOT\s+)?(?:LIKE|ILIKE|RLIKE|REGEXP)\b",
    ),
    ("word", r"\w[$#\w]*"),
    ("punctuation", r"[;:()\[\],\.]"),
    ("operator", r"->>?|#>>?|@>|<@|\?\|?|\?&|-|#-|[<>=~!]+|[+/@#%^&|-]+"),
    ("stray", r"[\s\S]"),
)
_MASTER = re.compile("|".join(f"(?P<{name}>{rule})" for name, rule in _RULES), re.IGNORECASE)
_KINDS: dict[str | None, str] = {
    **{name: name for name in (SPACE, NEWLINE, LINE_COMMENT, STRING, SYMBOL, WORD)},
    "keyword_phrase": WORD,
}
_ENDS = (["END"], ["END", "IF"], ["END", "LOOP"], ["END", "WHILE"])


def tokens(sql: str) -> Iterator[Token]:
    """Yield the tokens of ``sql``; their texts joined give ``sql`` back exactly."""
    for match in _MASTER.finditer(sql):
        yield _make((_KINDS.get(match.lastgroup, OTHER), match[0]))


def first_statement(sql: str) -> list[Token]:
    """Return the tokens of the first statement of ``sql``.

    A statement ends at a semicolon outside parentheses or at GO, together with the blanks and
    line comments that follow it.
    """
    out: list[Token] = []
    level = 0
    ended = False
    for token in tokens(sql):
        if ended and token.kind not in (SPACE, LINE_COMMENT):
            break
        out.append(token)
        if token.kind == OTHER:
            if token.text == "(":
                level += 1
            elif token.text == ")":
                level -= 1
            ended = token.text == ";" and level <= 0
        elif token.kind == WORD:
            if token.text[:3].upper() == "END" and token.text.upper().split() in _ENDS:
                level -= 1
            ended = token.text[:2] == "GO" and token.text.split()[0] == "GO"
    return out


def _may_have_more_statements(sql: str) -> bool:
    return ";" in sql[:-1] or "GO" in sql


def remove_distinct(sql: str) -> str:
    """Return the first statement of ``sql`` without the DISTINCT keywords.

    DISTINCT inside quotes, brackets and comments stays.  Everything after the first statement
    goes, as it does in the official evaluator.

    Source: the ``keep_distinct`` option of the test suite evaluator (arXiv 2010.02840).
    """
    if "distinct" not in sql.lower() and not _may_have_more_statements(sql):
        return sql
    return "".join(t.text for t in first_statement(sql) if t.text.lower() != "distinct")
