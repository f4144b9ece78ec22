"""Value plugging: the gold query's values put into the prediction's value slots.

With ``--plug_value`` a prediction is right if it gives the gold result with its own values, or with
any assignment of the gold query's values to its value slots.  There are (values ** slots)
assignments; here they are made one at a time and never twice, the likely ones first, so that a
right prediction ends the search early.  The order does not change the verdict, which is "some
assignment passes".

Source: Zhong, Yu and Klein, "Semantic Evaluation for Text-to-SQL with Distilled Test Suites"
(arXiv 2010.02840), option ``--plug_value`` of their evaluator.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterator

from . import lexer

_SLOT = "VALUERARE"
_SLOT_WORD = _SLOT.lower()
_QUOTES = ("'", '"')
_STARS = ("t1.*", "t2.*", "t3.*", "T1.*", "T2.*", "T3.*")
_GO = re.compile(r"\bGO\b", re.IGNORECASE)
_ALIAS_GAP = re.compile(r"(T\d+\.)\s")
_DECIMAL = re.compile(r"[-+]?\d*\.\d+")
_INTEGER = re.compile(r"[^tT]\d+")
_ALIAS = re.compile(r"[Tt]\d+\.")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_DIGIT = re.compile(r"\d")
_ALIAS_NAME = re.compile(r"[tT]\d+")
#: What only an expression may follow.  AND is none of them: where one of its operands is 0, SQLite
#: drops the other unread, names and all.
_COMPARES = frozenset(("=", "==", "!=", "<>", "<", ">", "<=", ">=", "like", "limit", "between"))
# Where blanks between tokens or lower case could change the meaning.
_SPACING_MATTERS = re.compile(r";|--|/\*|[xX]'|\d[A-Za-z_$]|(?<!\w)\d+\.[eE]|[^\x20-\x7e]")


def _spaced(sql: str) -> tuple[str, tuple[str, ...] | None]:
    """Put one blank between all tokens of the first statement and drop the alias of a star.

    Returns:
        The text, and its tokens where they are at hand.
    """
    sql = sql.strip().replace(";", "").replace("\t", "")
    words = lexer.plain_words(sql)
    if words is None:
        tokens = [word for kind, word in lexer.first_statement(sql) if kind != lexer.SPACE]
        spaced = " ".join(tokens)
    else:
        spaced = " ".join(words)
    text = spaced
    for star in _STARS:
        text = text.replace(star, "*")
    if _GO.search(text):
        text = _glue_after_go(text)
    text = _ALIAS_GAP.sub(r"\1", text.rstrip())
    return text, words if text == spaced else None


def _glue_after_go(text: str) -> str:
    """Drop the blanks after the word GO, as the official program's re-formatting step does."""
    out: list[str] = []
    after_go = False
    for kind, word in lexer.tokens(text):
        if after_go and kind == lexer.SPACE:
            continue
        after_go = kind == lexer.WORD and word.split()[0].upper() == "GO"
        out.append(word.upper() if after_go else word)
    return "".join(out)


def _quoted(text: str, words: tuple[str, ...] | None) -> list[str]:
    """Return what stands in quotes, with them; ``words`` are the text's tokens, if at hand."""
    words = words or lexer.plain_words(text)
    if words is not None:
        return [word for word in words if word[0] in _QUOTES]
    kinds = (lexer.STRING, lexer.SYMBOL)
    return [word for kind, word in lexer.first_statement(text) if kind in kinds]


def _slots_and_values(sql: str) -> tuple[list[str], list[str]]:
    """Split ``sql`` into lower-cased words with value slots, and the values found, in order."""
    text, tokens = _spaced(sql)
    values: list[str] = []
    if "'" in text or '"' in text:
        for word in _quoted(text, tokens):
            values.append(word)
            text = text.replace(word.strip(), _SLOT)
    if not _DIGIT.search(text):
        return text.lower().split(), values
    words = text.split()
    decimals = set(_DECIMAL.findall(text)) if "." in text else ()
    values += [word for word in words if word in decimals]
    words = [_SLOT if word in decimals else word for word in words]
    integers = {match.strip() for match in _INTEGER.findall(" ".join(words))}
    values += [word for word in words if word in integers]
    words = [_SLOT if word in integers else word for word in words]
    out: list[str] = []
    for word in words:
        if "." in word and _ALIAS.search(word):
            out += word.replace(".", " . ").lower().split()
        else:
            out.append(word.lower())
    return out, values


@functools.lru_cache(maxsize=4096)
def _gold_values(gold: str) -> tuple[str, ...]:
    """The values of a gold query, which is the same for many predictions."""
    return tuple(_slots_and_values(gold)[1])


def _is_literal(word: str) -> bool:
    return word[0] in _QUOTES or _NUMBER.fullmatch(word) is not None


def only_operands_change(gold: str, pred: str) -> bool:
    """Whether plugging changes literals that a prediction compares with, and nothing else of it.

    Then every candidate names the same tables and columns as the prediction and has as many
    columns.  It may say no where that is so, never yes where it is not.

    Args:
        gold: the gold query.
        pred: the predicted query.
    """
    pred = pred.strip().removesuffix(";")
    words = None if _SPACING_MATTERS.search(pred) else lexer.plain_words(pred)
    if words is None or not all(map(_is_literal, _gold_values(gold))):
        return False
    listed = False  # whether the literal before stands in IN (...)
    for place, word in enumerate(words):
        if word.isalpha() or word == ",":
            listed = listed and word == ","
        elif word == "*" and words[place - 1 : place] == (".",):
            return False  # the alias of a star is dropped
        elif _is_literal(word):
            before = [part.lower() for part in words[max(0, place - 3) : place]]
            after = words[place + 1 : place + 2]
            listed = before[-2:] == ["in", "("] or (listed and before[-1:] == [","])
            if not (listed or _is_operand(before, after)) or after in ((".",), ("(",)):
                return False
            if word[0] in _QUOTES and any(quote in word[1:-1] for quote in _QUOTES):
                return False
        elif _DIGIT.search(word) and not _ALIAS_NAME.fullmatch(word):
            return False
        else:
            listed = False
    return True


def _is_operand(before: list[str], after: tuple[str, ...]) -> bool:
    """Whether a literal between these words can only be an operand, or all that is selected."""
    if before[-1:] == ["select"]:
        return after[:1] in (("from",), ("FROM",))
    if before[-1:] == ["and"]:
        return before[0] == "between"
    return not _COMPARES.isdisjoint(before[-1:])


class Plugged:
    """The candidates that plugging makes of one prediction.

    Args:
        gold: the gold query; its values are the ones plugged in.
        pred: the predicted query; its values become slots.

    Attributes:
        words: the prediction as lower-cased words, ``valuerare`` where a value goes.
        values: the gold query's distinct values, in the order they appear.
        slots: how many slots the prediction has.
        count: how many assignments there are.
    """

    def __init__(self, gold: str, pred: str) -> None:
        self.words, _ = _slots_and_values(pred)
        self._gold_order = _gold_values(gold)
        self._same = self._respelled(pred)
        self.values = list(dict.fromkeys(self._gold_order))
        self._places = [i for i, word in enumerate(self.words) if word == _SLOT_WORD]
        self.slots = len(self._places)
        self.count = len(self.values) ** self.slots

    def _fill(self, chosen: tuple[str, ...]) -> str:
        words = self.words.copy()
        for place, value in zip(self._places, chosen, strict=True):
            words[place] = value
        return " ".join(words)

    @staticmethod
    def _respelled(pred: str) -> str | None:
        """Return the candidate that differs from ``pred`` by case and blanks only, if safe."""
        pred = pred.strip().removesuffix(";")
        if _SPACING_MATTERS.search(pred):
            return None
        words = lexer.plain_words(pred)
        if words is not None:
            return " ".join([word if word[0] in _QUOTES else word.lower() for word in words])
        quoted = (lexer.STRING, lexer.SYMBOL)
        parts = (token for token in lexer.tokens(pred) if token[0] != lexer.SPACE)
        return " ".join(word if kind in quoted else word.lower() for kind, word in parts)

    def candidates(self) -> Iterator[str]:
        """Yield every plugged query once; the gold query's own order of values comes first.

        The one that only spells the prediction itself differently is left out.
        """
        for candidate in self._all():
            if candidate != self._same:
                yield candidate

    def _all(self) -> Iterator[str]:
        first = self._gold_order
        seen_first = len(first) == self.slots and bool(self.values)
        if seen_first:
            yield self._fill(first)
        for chosen in itertools.product(self.values, repeat=self.slots):
            if not (seen_first and chosen == first):
                yield self._fill(chosen)
