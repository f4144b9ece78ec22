"""What a pattern of the generator's grammar is and makes, and the words that patterns share.

The SQL keeps to Spider's subset (SELECT, joins with ON, WHERE, GROUP BY, HAVING, ORDER BY, LIMIT,
one level of nesting, set operations), which every dialect takes and the evaluator can grade.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from text2sql.create.nouns import LANGUAGES, Entity, Field, Language, Noun
from text2sql.create.picker import Picker

Slots = dict[Language, dict[str, str]]
AGGREGATES = {
    "avg": {"en": "average", "zh": "平均值"},
    "sum": {"en": "total", "zh": "总和"},
    "max": {"en": "highest", "zh": "最大值"},
    "min": {"en": "lowest", "zh": "最小值"},
}
WAYS = {"ASC": {"en": "ascending", "zh": "升序"}, "DESC": {"en": "descending", "zh": "降序"}}
ENDS = {"DESC": {"en": "highest", "zh": "最高"}, "ASC": {"en": "lowest", "zh": "最低"}}
SIDES = {">": {"en": "above", "zh": "高于"}, "<": {"en": "below", "zh": "低于"}}


@dataclass(frozen=True)
class Draft:
    """A query, the slots of its question, and what must hold for it to have one answer.

    `ties` is a query for the sort keys of one row more than the query's LIMIT of `limit`: the
    answer is certain only when the last two differ.
    """

    sql: str
    slots: Slots
    ties: str = ""
    limit: int = 0


Make = Callable[[Picker], Draft]


@dataclass(frozen=True)
class Pattern:
    """One kind of query, and how it is asked for in each language."""

    draft: Make
    wordings: dict[Language, tuple[str, ...]]


class Patterns(dict[str, Pattern]):
    """Patterns by the names of the functions that draft them."""

    def asked(self, *english: str, zh: tuple[str, ...]) -> Callable[[Make], Make]:
        """Add the function below with the questions that its queries answer.

        Slots: ``{who}`` the rows asked about, with their conditions ("all orders", "the orders
        whose amount is greater than 5"); ``{bare}`` the same without "all" or "the"; ``{what}``,
        ``{also}`` columns; ``{by}`` the column grouped or sorted by; ``{agg}``, ``{agg2}`` an
        aggregate such as "average"; ``{parents}``, ``{parent}``, ``{children}``, ``{middle}``
        tables of a join; ``{k}`` a number; ``{way}`` a sort order; ``{end}`` "highest" or "lowest";
        ``{side}`` "above" or "below"; ``{cond}``, ``{cond2}`` bare conditions.
        """

        def add(draft: Make) -> Make:
            self[draft.__name__.rstrip("_")] = Pattern(draft, {"en": english, "zh": zh})
            return draft

        return add


def make_slots(*parts: Slots, **words: object) -> Slots:
    """Join slots; a word is a Noun, a text for both languages, or a text for each."""
    slots: Slots = {"en": {}, "zh": {}}
    for language in LANGUAGES:
        for part in parts:
            slots[language] |= part[language]
        for key, value in words.items():
            if isinstance(value, Entity):
                value = {"en": value.noun.plural, "zh": value.noun.zh}
            elif isinstance(value, Field | Noun):
                noun = value.noun if isinstance(value, Field) else value
                value = {"en": noun.en, "zh": noun.zh}
            slots[language][key] = value[language] if isinstance(value, dict) else str(value)
    return slots


def first_rows(select: str, key: str, rest: str, slots: Slots, limit: int = 1) -> Draft:
    """Return the query for the first rows in the order of `key` that `rest` ends with."""
    ties = f"SELECT {key} {rest} LIMIT {limit + 1}"
    return Draft(f"SELECT {select} {rest} LIMIT {limit}", slots, ties, limit)
