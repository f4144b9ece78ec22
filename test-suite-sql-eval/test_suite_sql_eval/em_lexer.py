"""Cuts a query into words where Spider's exact match does.

Upstream feeds SQL to NLTK's tokenizer for English prose (nltk 3.9.1, without the sentence
splitter, which needs a download).  What its grammar accepts therefore depends on spacing: in
``a=1`` the equals sign is part of one word, ``limit 1,2`` has one word after ``limit``.  This
scanner finds the same words in one pass, without NLTK.
"""

from __future__ import annotations

import functools

TYPE_CHECKING = False  # importing re takes milliseconds
if TYPE_CHECKING:
    import re

_ALONE = r";@#$%&?!*()\[\]{}<>«“‘„»”’"
# One character of an ordinary word.  Dots and dashes stay inside unless doubled, a comma or colon
# only before a digit.
_INSIDE = rf"(?:[^\s{_ALONE}`.:,\-]|\.(?!\.)|-(?!-)|[:,](?=\d))"
_WORD = (
    rf"(?P<mark>[:,])(?!\d)(?P<glued>[:,]{_INSIDE}*)?"  # of two commas the second sticks to a word
    rf"|[{_ALONE}]|``?|--|\.\.+|{_INSIDE}+"
)
_FUSED = r"(?i)\b(can)(not)\b|\b(gim|lem)(me)\b|\b(gon)(na)\b|\b(got)(ta)\b|\b(wan)(na)$"
# A text without any of these is cut by `_cut_plain`; only the first line is about characters.
_RARE = (
    *":@#$%&?[]{}`",
    *("..", "--", ",,"),
    *("cannot", "gimme", "lemme", "gonna", "gotta", "wanna"),
)
_PLAIN_ALONE = ";*()<>!"
_COMPARISON_STARTS = ("!", ">", "<")


class QuoteError(ValueError):
    """A query with an odd number of quotes."""


def tokenize(sql: str) -> list[str]:
    """Cuts a query into lower-case words; a quoted value is one word, in double quotes.

    Args:
        sql: the query; single and double quotes mean the same.

    Returns:
        The words; ``! =``, ``> =`` and ``< =`` are joined.

    Raises:
        QuoteError: the number of quotes is odd.
    """
    text, values = _hide_values(sql.replace("'", '"'))
    stop = _last_stop(text)
    words = _cut(text) if stop is None else [*_cut(text[:stop]), ".", *_cut(text[stop + 1 :])]
    return _join_comparisons([values.get(word, word) for word in words])


def _hide_values(text: str) -> tuple[str, dict[str, str]]:
    """Replaces each quoted value by a name, so that its spaces and marks do not cut it."""
    pieces = text.split('"')
    if len(pieces) % 2 == 0:
        raise QuoteError("the number of quotes is odd")
    values = {}
    position = len(pieces[0])
    for index in range(1, len(pieces), 2):
        value = f'"{pieces[index]}"'
        name = f"__val_{position}_{position + len(value) - 1}__"
        values[name] = value
        position += len(value) + len(pieces[index + 1])
        pieces[index] = name
    return "".join(pieces), values


def _last_stop(text: str) -> int | None:
    """Finds the full stop that ends the text, which is a word of its own.

    Closing brackets may follow it; it is not one of several dots.
    """
    end = text.rstrip().rstrip("])}>»”’ ")
    if len(end) > 1 and end[-1] == "." and end[-2] != ".":
        return len(end) - 1
    return None


@functools.cache
def _expressions() -> tuple[re.Pattern[str], re.Pattern[str]]:
    import re

    return re.compile(_WORD), re.compile(_FUSED)


def _cut(text: str) -> list[str]:
    lower = text.lower()
    if text.isascii() and not any(mark in lower for mark in _RARE):
        return _cut_plain(lower)
    return _cut_any(text)


def _cut_plain(text: str) -> list[str]:
    """Cuts a text without rare marks, quicker than the expressions do."""
    for mark in _PLAIN_ALONE:
        if mark in text:
            text = text.replace(mark, f" {mark} ")
    if "," not in text:
        return text.split()
    parts = text.split(",")
    pieces = [parts[0]]
    for part in parts[1:]:
        pieces.append("," if part[:1].isdigit() else " , ")
        pieces.append(part)
    return "".join(pieces).split()


def _cut_any(text: str) -> list[str]:
    words: list[str] = []
    for match in _expressions()[0].finditer(text):
        if match["mark"]:
            words.append(match["mark"])
            if match["glued"]:
                words.extend(_unfuse(match["glued"]))
        else:
            words.extend(_unfuse(match[0]))
    return [word.lower() for word in words]


def _unfuse(word: str) -> list[str]:
    """Cuts the contractions that the prose tokenizer knows ("cannot" is two words)."""
    fused = _expressions()[1]
    if not fused.search(word):
        return [word]
    return [part for part in fused.split(word) if part]


def _join_comparisons(words: list[str]) -> list[str]:
    if "=" not in words:
        return words
    joined: list[str] = []
    for word in words:
        if word == "=" and joined and joined[-1] in _COMPARISON_STARTS:
            joined[-1] += word
        else:
            joined.append(word)
    return joined
