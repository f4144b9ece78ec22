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
from collections.abc import Iterator

TYPE_CHECKING = False  # importing these takes milliseconds
if TYPE_CHECKING:
    import re

SPACE = "space"
NEWLINE = "newline"
LINE_COMMENT = "line_comment"
STRING = "string"  # '...'
SYMBOL = "symbol"  # "..."
WORD = "word"  # a bare word or keyword phrase (not a qualified name, not a function's name)
OTHER = "other"

#: A token: its kind (one of the constants above) and its exact text.
Token = tuple[str, str]

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
_KINDS: dict[str | None, str] = {
    **{name: name for name in (SPACE, NEWLINE, LINE_COMMENT, STRING, SYMBOL, WORD)},
    "keyword_phrase": WORD,
}
_ENDS = (["END"], ["END", "IF"], ["END", "LOOP"], ["END", "WHILE"])


@functools.cache
def _master() -> re.Pattern[str]:
    """The compiled rules; compiling takes milliseconds and few runs of EX need it."""
    import re

    return re.compile("|".join(f"(?P<{name}>{rule})" for name, rule in _RULES), re.IGNORECASE)


def tokens(sql: str) -> Iterator[Token]:
    """Yield the tokens of ``sql``; their texts joined give ``sql`` back exactly."""
    for match in _master().finditer(sql):
        yield _KINDS.get(match.lastgroup, OTHER), match[0]


#: The rules for ordinary queries: those above in the same order, without names, which makes them
#: quick.  Blanks match none of them; what needs another rule comes out as a mark of its own.
_PLAIN = (
    r"--|/\*|\*|-?0x[\dA-F]+"
    r"|-?\d+(?:\.\d+)?E-?\d+|-?(?:\d+\.\d*|\.\d+)(?![_A-Z])|-?\d+(?![_A-Z])"
    r"|'(?:''|\\'|[^'])*'"
    r'|"(?:""|\\"|[^"])*"'
    r"|\w+|[;(),.]|->>?|-|[<>=!]+|[+/|-]+|[^ \n]"
)
_NOT_PLAIN = frozenset(
    (*"'\"`$#%@:?[]{}\\^&~", *map(chr, range(32)), "\x7f", "--", "/*", "go", "Go", "gO", "GO")
)


@functools.cache
def _plain() -> re.Pattern[str]:
    import re

    return re.compile(_PLAIN, re.IGNORECASE | re.ASCII)


@functools.lru_cache(maxsize=64)
def plain_words(sql: str) -> tuple[str, ...] | None:
    """Return the tokens of an ordinary query without its blanks, ten times quicker than `tokens`.

    Phrases such as ORDER BY are cut into their words.

    Returns:
        None if the query is not ordinary: more than one statement, GO, comments, unclosed or other
        quotes, rare signs, letters beyond ASCII.
    """
    if not sql.isascii() or _may_have_more_statements(sql) or "zone" in sql.lower():
        return None
    words = _plain().findall(sql)
    return tuple(words) if _NOT_PLAIN.isdisjoint(words) else None


def first_statement(sql: str) -> list[Token]:
    """Return the tokens of the first statement of ``sql``.

    A statement ends at a semicolon outside parentheses or at GO, together with the blanks and
    line comments that follow it.
    """
    if not _may_have_more_statements(sql):
        return [(_KINDS.get(match.lastgroup, OTHER), match[0]) for match in _master().finditer(sql)]
    out: list[Token] = []
    level = 0
    ended = False
    for token in tokens(sql):
        kind, text = token
        if ended and kind not in (SPACE, LINE_COMMENT):
            break
        out.append(token)
        if kind == OTHER:
            if text == "(":
                level += 1
            elif text == ")":
                level -= 1
            ended = text == ";" and level <= 0
        elif kind == WORD:
            if text[:3].upper() == "END" and text.upper().split() in _ENDS:
                level -= 1
            ended = text[:2] == "GO" and text.split()[0] == "GO"
    return out


def _may_have_more_statements(sql: str) -> bool:
    return ";" in sql[:-1] or ("GO" in sql and _may_have_go(sql))


def _may_have_go(sql: str) -> bool:
    """Whether GO may be a word of its own; CATEGORY, the usual case, is told apart."""
    if "%" in sql or "0x" in sql or "0X" in sql:
        return True  # what follows %s or 0xA without a blank is another token
    found = sql.find("GO")
    while found >= 0:
        before, after = sql[found - 1 : found], sql[found + 2 : found + 3]
        if not (before.isalpha() or before == "_" or after.isalnum() or after == "_"):
            return True
        found = sql.find("GO", found + 2)
    return False


# Only between these does the word DISTINCT stand in ordinary queries.
_BEFORE = frozenset("( \t,")
_AFTER = frozenset("( \t")
#: Characters before DISTINCT in which IS or IS NOT would stand.
_NEAR = 40
# What may begin a comment, a bracketed name or another token that could swallow the word.
_UNUSUAL = ("--", "/*", "# ", "`", "´", "$", "\\", "[", "%(")


def _remove_plain_distinct(sql: str, lower: str) -> str | None:
    """Remove DISTINCT without cutting the query into tokens; None if that could be wrong."""
    if any(mark in sql for mark in _UNUSUAL) or len(lower) != len(sql):
        return None
    out: list[str] = []
    start = position = 0
    found = lower.find("distinct")
    while found >= 0:
        position = _skip_quotes(sql, position, found)
        if position < 0:
            return None
        end = found + len("distinct")
        if position <= found:
            before, after = sql[found - 1 : found], sql[end : end + 1]
            longer = before == "_" or after == "_" or (after.isascii() and after.isalnum())
            if not longer:
                if (found and before not in _BEFORE) or after not in _AFTER:
                    return None
                if "is" in lower[max(0, found - _NEAR) : found].split()[-2:]:
                    return None  # IS DISTINCT FROM compares: tokens tell
                out.append(sql[start:found])
                start = end
        found = lower.find("distinct", max(end, position))
    if _skip_quotes(sql, position, len(sql)) < 0:
        return None
    out.append(sql[start:])
    return "".join(out)


def _skip_quotes(sql: str, position: int, until: int) -> int:
    """Return the first place outside quotes that is not before ``until`` or where none begins.

    -1 if a quote is not closed.
    """
    while position < until:
        single, double = sql.find("'", position, until), sql.find('"', position, until)
        if single < 0 and double < 0:
            return position
        opening = min(place for place in (single, double) if place >= 0)
        position = sql.find(sql[opening], opening + 1) + 1
        if position == 0:
            return -1
    return position


def remove_distinct(sql: str) -> str:
    """Return the first statement of ``sql`` without the DISTINCT keywords.

    DISTINCT inside quotes, brackets and comments stays.  Everything after the first statement
    goes, as it does in the official evaluator.

    Source: the ``keep_distinct`` option of the test suite evaluator (arXiv 2010.02840).
    """
    if not _may_have_more_statements(sql):
        lower = sql.lower()
        if "distinct" not in lower:
            return sql
        plain = _remove_plain_distinct(sql, lower)
        if plain is not None:
            return plain
    return remove_distinct_tokens(sql)


def remove_distinct_tokens(sql: str) -> str:
    """Do the same for any query, by cutting it into tokens.

    The comparison IS [NOT] DISTINCT FROM stays: without its word it is no SQL.
    """
    out = []
    words = ["", ""]
    for kind, text in first_statement(sql):
        word = text.lower()
        compares = words[1] == "is" or words == ["is", "not"]
        if word != "distinct" or compares:
            out.append(text)
        if kind not in (SPACE, NEWLINE, LINE_COMMENT):
            words = [words[1], word]
    return "".join(out)
