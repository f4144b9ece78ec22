"""What kind of value a declared SQL type holds, by the words of its name."""

from __future__ import annotations

import re
from typing import Literal

TypeKind = Literal["number", "time", "boolean", "text", "others"]
KINDS: tuple[tuple[TypeKind, tuple[str, ...]], ...] = (
    ("number", ("INT", "REAL", "NUM", "DEC", "FLOAT", "DOUBLE")),
    ("time", ("DATE", "TIME")),
    ("boolean", ("BOOL",)),
    ("text", ("TEXT", "CHAR", "CLOB", "STRING")),
)
# INT stands in these, and they are no numbers.
NO_NUMBERS = re.compile(r"\bINTERVAL\b|\w*POINT\b|\b\w*(?:MULTI)?RANGE\b")
LABELS = re.compile(r"\s*(?:ENUM|SET)\s*\(", re.IGNORECASE)
NESTED = re.compile(r"\]\s*$|^\s*(?:STRUCT|MAP|UNION|LIST|ARRAY)\b", re.IGNORECASE)


def type_kind(declared: str) -> TypeKind:
    """Return the kind of a type as declared: SQLite's free names as well as a server's own."""
    if NESTED.search(declared):
        return "others"
    if LABELS.match(declared):
        return "text"
    words = NO_NUMBERS.sub("", declared.upper())
    kinds = (kind for kind, parts in KINDS if any(part in words for part in parts))
    return next(kinds, "others")
