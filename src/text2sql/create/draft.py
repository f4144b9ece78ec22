"""What a pattern of the grammar makes, and the words that patterns share."""

from __future__ import annotations

from dataclasses import dataclass

from text2sql.create.nouns import LANGUAGES, Entity, Field, Language, Noun
from text2sql.create.picker import Condition, Picker

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


def make_slots(*parts: Slots, **words: object) -> Slots:
    """Join slots; a word is a Noun, a text for both languages, or a text for each."""
    made: Slots = {"en": {}, "zh": {}}
    for language in LANGUAGES:
        for part in parts:
            made[language] |= part[language]
        for key, value in words.items():
            if isinstance(value, Field):
                value = value.noun
            if isinstance(value, Entity):
                text = value.noun.plural if language == "en" else value.noun.zh
            elif isinstance(value, Noun):
                text = value.en if language == "en" else value.zh
            elif isinstance(value, dict):
                text = value[language]
            else:
                text = str(value)
            made[language][key] = text
    return made


def where(condition: Condition) -> str:
    """Return the WHERE clause, with a space before it, or nothing."""
    return f" WHERE {condition.sql}" if condition.sql else ""


def pick_aggregate(p: Picker) -> str:
    """Choose an aggregate function."""
    return p.rng.choice(list(AGGREGATES))
