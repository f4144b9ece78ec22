"""Tables and columns that a piece of DDL declares, found without a full SQL parser.

A hundred thousand training rows bring their own schema text; a parser would take minutes for them.
"""

from __future__ import annotations

import re
from functools import lru_cache

CREATE = re.compile(
    r"CREATE\s+(?:TEMP(?:ORARY)?\s+)?TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?"
    r"([`\"\[]?)([^`\"\[\]()]+?)[`\"\]]?\s*\(",
    re.IGNORECASE,
)
NAME = re.compile(r"\s*(?:\"([^\"]+)\"|`([^`]+)`|\[([^\]]+)\]|([^\s(,]+))")
CONSTRAINT = frozenset({"primary", "foreign", "unique", "check", "constraint", "key", "index"})
BREAK = re.compile(r"[(),]")
COMMENT = re.compile(r"--[^\n]*")


@lru_cache(maxsize=4096)
def schema_names(ddl: str) -> frozenset[tuple[str, str]]:
    """Return the (table, column) pairs that CREATE TABLE statements declare, in lower case."""
    names = set()
    ddl = COMMENT.sub("", ddl)
    for match in CREATE.finditer(ddl):
        table = match.group(2).strip().casefold()
        for part in _parts(ddl, match.end()):
            found = NAME.match(part)
            if not found:
                continue
            bare = found.group(4)
            if bare and bare.casefold() in CONSTRAINT:
                continue
            column = next(group for group in found.groups() if group)
            names.add((table, column.casefold()))
    return frozenset(names)


def _parts(text: str, start: int) -> list[str]:
    """Comma-separated parts from `start` to the closing bracket, inner brackets kept whole."""
    parts: list[str] = []
    depth, begin = 0, start
    for match in BREAK.finditer(text, start):
        character, position = match[0], match.start()
        if character == "(":
            depth += 1
        elif character == ")":
            if depth == 0:
                return [*parts, text[begin:position]]
            depth -= 1
        elif depth == 0:
            parts.append(text[begin:position])
            begin = position + 1
    return [*parts, text[begin:]]
