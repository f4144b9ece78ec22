"""Questions with what belongs to their database masked, so that alike intentions look alike.

The idea is DAIL-SQL's (Gao et al., 2023, arXiv:2308.15363, section 3.2): an example helps when its
SQL has the same shape, and the names of tables, columns and values hide that.
"""

from __future__ import annotations

import re
from collections.abc import Set
from functools import lru_cache

VERSION = 1  # part of the store's fingerprint; raise it when masks change
NAME, VALUE = "_", "#"
PART = re.compile(r"\"[^\"]*\"|“[^”]*”|'[^']*'(?!\w)|\d[\d.,:/-]*\d|\d|[^\W\d_]+|\S")
NAME_PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+|[^\W\d_]+")
# Words of questions that are also words of many column names; masked, they would take the
# intention away.
KEPT = frozenset(
    re.findall(
        r"\w+",
        """
        a an the of in on at by to for and or not is are was were be with from all any each every
        what which who whose how many much where when that there do does did have has had number
        count total average max min maximum minimum most least more less than first last
        """,
    )
)


def mask_question(question: str, names: Set[tuple[str, str]]) -> str:
    """Return a question with names of its schema as ``_`` and values as ``#``.

    Args:
        question: the question in plain words.
        names: (table, column) pairs of the database it is asked of.
    """
    words = _schema_words(frozenset(names))
    masked: list[str] = []
    parts = PART.findall(question)
    for place, part in enumerate(parts):
        word = part
        if (part[0] in "\"“'" and len(part) > 1) or part[0].isdigit():
            word = VALUE
        elif part.isalpha() and _stem(part) in words:
            word = NAME
        elif place and part[0].isupper() and len(part) > 1 and parts[place - 1] not in ".?!:":
            word = VALUE  # a name in the world: a person, a town
        if word in (NAME, VALUE) and masked and masked[-1] == word:
            continue
        masked.append(word if word in (NAME, VALUE) else word.lower())
    return " ".join(masked)


@lru_cache(maxsize=4096)
def _schema_words(names: frozenset[tuple[str, str]]) -> frozenset[str]:
    text = " ".join(name.replace("_", " ") for pair in names for name in pair)
    return frozenset(_stem(word) for word in NAME_PART.findall(text)) - KEPT


def _stem(word: str) -> str:
    """Singular of regular English nouns; near enough to meet a column's name."""
    word = word.lower()
    if word in KEPT:
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ses", "xes", "ches", "shes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 else word
