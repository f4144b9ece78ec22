"""Where the values of a variant come from: the database, the gold constants, and near misses."""

from __future__ import annotations

import datetime
import random
import re
from collections.abc import Sequence
from typing import Any

from .catalog import Column

_ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ 0123456789"
_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_INTEGER = re.compile(r"-?\d{1,15}")
_DECIMAL = re.compile(r"-?\d{1,12}\.\d+")
#: Values of the database that a column of one variant draws from; few of them make ties.
_FEW = (2, 3, 5, 8, 13)


def near_misses(value: Any) -> list[Any]:
    """Return values that a comparison written slightly wrong would confuse with this one.

    Numbers give ± 1 and ± 2 (decimals ± 0.01 too), also where they stand in a text; dates give the
    days around; texts give prefix, suffix, other case, a longer text and the empty text.  The
    wildcards of a LIKE pattern are taken out first.
    """
    if isinstance(value, bool) or value is None or isinstance(value, bytes):
        return []
    if isinstance(value, int):
        return [value + 1, value - 1, value + 2, value - 2]
    if isinstance(value, float):
        steps = (0.01, -0.01, 1.0, -1.0)
        return [round(value + step, 6) for step in steps]
    text = str(value)
    if _INTEGER.fullmatch(text):
        return [str(near) for near in near_misses(int(text))]
    if _DECIMAL.fullmatch(text):
        places = len(text.rpartition(".")[2])
        return [f"{float(text) + step:.{places}f}" for step in (10**-places, -(10**-places), 1, -1)]
    if _DATE.match(text):
        return [near for days in (1, -1, 31) if (near := _shift_date(text, days))]
    if "%" in text or ("_" in text and " " not in text):
        return _matches_of(text)
    return [text[:-1], text[1:], text + " II", text.swapcase(), ""]


def _matches_of(pattern: str) -> list[str]:
    """Texts that fit a LIKE pattern, and some that fit it only without one of its wildcards."""
    core = pattern.replace("%", "").replace("_", "o")
    return [core, core + "son", "Mac" + core, "Mac" + core + "son", core[:-1] + " " + core[-1:]]


def _shift_date(text: str, days: int) -> str | None:
    match = _DATE.match(text)
    assert match is not None
    try:
        day = datetime.date(*map(int, match.groups())) + datetime.timedelta(days)
    except (ValueError, OverflowError):
        return None
    return day.isoformat() + text[match.end() :]


def is_date(column: Column) -> bool:
    """Whether a column is declared to hold dates or times."""
    return "DATE" in column.type or "TIME" in column.type


def is_boolean(column: Column) -> bool:
    """Whether a column is declared to hold truth values."""
    return "BOOL" in column.type or column.type in ("BIT", "BIT(1)")


class Pool:
    """Draws the values of one column of one variant.

    Args:
        column: the column.
        observed: its values in the database, NULL left out.
        constants: literals of gold queries (and of CHECK constraints) for it.
        rng: source of all choices; the same state gives the same pool.
        fixed: draw from the observed values and constants alone (CHECK constraints).
    """

    def __init__(
        self,
        column: Column,
        observed: Sequence[Any],
        constants: Sequence[Any],
        rng: random.Random,
        fixed: bool = False,
    ) -> None:
        self._column = column
        self._rng = rng
        distinct = list(dict.fromkeys(observed))
        few = rng.choice((*_FEW, len(distinct)))
        self._observed = rng.sample(distinct, min(few, len(distinct)))
        self._constants = [_plain(constant, column) for constant in constants]
        self._near: list[Any] = []
        self.fixed = fixed or is_boolean(column)
        if not self.fixed:
            self._near = [near for constant in constants for near in near_misses(constant)]
            self._near += [near for value in self._observed[:3] for near in near_misses(value)]
        self._numbers = [v for v in distinct if isinstance(v, int | float)]
        # How much each source gives differs from variant to variant.
        self._weights = [
            rng.choice((1.0, 2.0, 4.0)) if self._constants else 0.0,
            rng.choice((0.0, 0.5, 1.0)) if self._near else 0.0,
            rng.choice((1.0, 2.0, 4.0)) if self._observed else 0.0,
            0.0 if self.fixed else rng.choice((0.1, 0.5, 1.0)),
        ]
        if not any(self._weights[:3]):
            self._weights[3] = 1.0

    def draw(self) -> Any:
        """Return a value, never NULL."""
        source = self._rng.choices(range(4), self._weights)[0]
        if source == 3:
            return self.fresh()
        return self._rng.choice((self._constants, self._near, self._observed)[source])

    def fresh(self) -> Any:
        """Return a value made up in the form of the observed ones."""
        rng, column = self._rng, self._column
        if is_boolean(column):
            return rng.randrange(2)
        if self._observed or self._constants:
            like = rng.choice(self._observed or self._constants)
            if isinstance(like, str):
                return self._like_text(like)
            if isinstance(like, bytes):
                return like
            low, high = self._span(like)
            if isinstance(like, float):
                return round(rng.uniform(low, high), 2)
            return rng.randint(int(low), int(high))
        return self._from_type()

    def _span(self, like: float) -> tuple[float, float]:
        numbers = self._numbers or [like]
        low, high = min(numbers), max(numbers)
        return low, high if high > low else low + 10

    def _like_text(self, like: str) -> str:
        rng = self._rng
        if _INTEGER.fullmatch(like):
            return str(rng.randint(0, 2 * abs(int(like)) + 9))
        if _DECIMAL.fullmatch(like):
            places = len(like.rpartition(".")[2])
            return f"{rng.uniform(0, 2 * abs(float(like)) + 1):.{places}f}"
        if _DATE.match(like):
            return _shift_date(like, rng.randint(-2000, 2000)) or like
        length = rng.randint(max(1, len(like) - 2), len(like) + 2)
        return "".join(rng.choice(_ALPHABET) for _ in range(min(length, 24)))

    def _from_type(self) -> Any:
        rng, column = self._rng, self._column
        if is_date(column):
            day = datetime.date(2015, 1, 1) + datetime.timedelta(rng.randint(0, 3000))
            clock = f" {rng.randrange(24):02}:{rng.randrange(60):02}:00"
            return day.isoformat() + (clock if "TIME" in column.type else "")
        if column.affinity == "INTEGER" or "YEAR" in column.type:
            return rng.randint(0, 100)
        if column.affinity in ("REAL", "NUMERIC"):
            return round(rng.uniform(0, 100), 2)
        return "".join(rng.choice(_ALPHABET) for _ in range(rng.randint(1, 12))).strip() or "a"


def moved(value: Any, rng: random.Random) -> Any:
    """Return another value of the same form, so that two equal ones can be told apart."""
    if isinstance(value, int):
        return value + rng.choice((-1, 1)) * rng.randint(1, 50)
    if isinstance(value, float):
        return round(value + rng.choice((-1, 1)) * rng.uniform(0.01, 50), 2)
    text = str(value)
    if _INTEGER.fullmatch(text):
        return str(abs(int(text) + rng.choice((-1, 1)) * rng.randint(1, 50)))
    if _DATE.match(text):
        return _shift_date(text, rng.choice((-1, 1)) * rng.randint(1, 60)) or text
    return text + rng.choice(_ALPHABET)


def _plain(constant: Any, column: Column) -> Any:
    """A literal as a value of the column: patterns lose their wildcards."""
    if isinstance(constant, str):
        return constant.replace("%", "")
    if isinstance(constant, int | float) and column.affinity == "TEXT":
        return str(constant)
    return constant


def satisfying(operator: str, value: Any, rng: random.Random) -> Any:
    """Return a value for which a comparison with a literal holds (None stands for NULL)."""
    if operator == "Is":
        return value
    if operator == "Like":
        return rng.choice(_matches_of(str(value)))
    step = 1 if isinstance(value, int | float) else None
    if operator == "NEQ":
        return rng.choice(near_misses(value) or [value])
    if step is None or operator == "EQ":
        if operator in ("GT", "LT") and isinstance(value, str):
            return _text_beyond(value, operator)
        return value
    if operator in ("GT", "GTE"):
        return value + rng.choice((1, 1, 2, 5)) if operator == "GT" else value + rng.choice((0, 1))
    return value - rng.choice((1, 1, 2, 5)) if operator == "LT" else value - rng.choice((0, 1))


def _text_beyond(value: str, operator: str) -> str:
    sign = 1 if operator == "GT" else -1
    if _INTEGER.fullmatch(value):
        return str(int(value) + sign)
    if _DATE.match(value):
        return _shift_date(value, sign) or value
    return value + "a" if operator == "GT" else value[:-1]
