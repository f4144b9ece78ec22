"""The parts of a query that is still being written, of SQLite's dialect."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

LEXEME = re.compile(
    r"""(?P<fence>```)
    | (?P<comment>--[^\n]*|/\*.*?(?:\*/|$)|\s+)
    | (?P<string>'(?:[^']|'')*(?:'|$))
    | (?P<quoted>"(?:[^"]|"")*(?:"|$)|`[^`]*(?:`|$)|\[[^\]]*(?:\]|$))
    | (?P<number>\d[\w.]*)
    | (?P<word>[^\W\d]\w*)
    | (?P<mark>.)""",
    re.VERBOSE | re.DOTALL,
)


class Lexeme(NamedTuple):
    """A part of a query; whitespace and comments are none.

    `kind` is ``word``, ``number``, ``string``, ``mark``, ``name`` (in quotes that only names have)
    or ``text`` (in double quotes, which SQLite takes for a name or a text).
    """

    kind: str
    text: str  # of names in lower case and without quotes
    cut: bool  # whether more of it may follow


def lexemes_of(text: str, ended: bool) -> Iterator[Lexeme]:
    """Yield the parts of a query, up to the fence that closes a block of code.

    Args:
        text: a query, or its beginning, which may end within a word or a text.
        ended: whether it is the whole of it.
    """
    for match in LEXEME.finditer(text):
        kind, value = str(match.lastgroup), match.group()
        at_end = match.end() == len(text) and not ended
        if kind == "fence":
            return
        if kind == "word":
            yield Lexeme(kind, value.casefold(), at_end)
        elif kind == "quoted":
            closed = len(value) > 1 and value[-1] == {"[": "]"}.get(value[0], value[0])
            kind = "text" if value[0] == '"' else "name"
            yield Lexeme(kind, value[1 : -1 if closed else None].casefold(), not closed)
        elif kind != "comment":
            yield Lexeme(kind, value, False)
