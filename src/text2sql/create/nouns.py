"""How tables, columns and values are called in questions, and what each column is good for."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

from text2sql.schema import Column, Schema
from text2sql.schema.model import Value
from text2sql.schema.samples import VALUE_LENGTH
from text2sql.schema.types import type_kind

Role = Literal["key", "number", "date", "text", "other"]
Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")
PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+|[^\W\d_a-zA-Z]+")
CHINESE = re.compile(r"[\u3400-\u9fff]")
DATE_VALUE = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d+)?)?)?([+-]\d\d(:?\d\d)?)?")
IDENTIFIER = re.compile(
    r"(^|_|\s)(id|ids|code|key|no|nr|uuid|zip|zipcode|postcode)$", re.IGNORECASE
)
LABEL = re.compile(r"name|title|label|名", re.IGNORECASE)
NUMBER_TYPES = ("BIT", "SERIAL", "MONEY")  # besides those that every reader of types knows
NON_FINITE = frozenset({"NaN", "Infinity", "-Infinity", "infinity", "-infinity"})
COMMENT_LENGTH = 40  # longer comments are explanations, not names


@dataclass(frozen=True)
class Noun:
    """A table or column in a question: English singular and plural, and Chinese."""

    en: str
    plural: str
    zh: str


def split_name(name: str) -> str:
    """Return a name as words: ``orderDate`` and ``order_date`` both give ``order date``."""
    words = PART.findall(name)
    return " ".join(w if w.isupper() and len(w) > 1 else w.lower() for w in words) or name


def plural(words: str) -> str:
    """Return the plural of an English noun phrase; good enough for names of tables."""
    if words.endswith("s") and not words.endswith(("ss", "us")):
        return words
    if re.search(r"[^aeiou]y$", words):
        return words[:-1] + "ies"
    return words + ("es" if words.endswith(("s", "x", "ch", "sh")) else "s")


def singular(words: str) -> str:
    """Return the singular of an English noun phrase; good enough for names of tables."""
    if words.endswith("ies") and len(words) > 4:
        return words[:-3] + "y"
    if words.endswith(("sses", "xes", "ches", "shes")):
        return words[:-2]
    if words.endswith("s") and not words.endswith(("ss", "us", "is")):
        return words[:-1]
    return words


def noun(name: str, comment: str = "") -> Noun:
    """Return what a table or column is called: by its comment where that is short, else its name.

    A Chinese comment names it in Chinese questions, any other in English ones.
    """
    words, chinese = split_name(name), name
    comment = comment.strip()
    if comment and len(comment) <= COMMENT_LENGTH:
        if CHINESE.search(comment):
            chinese = comment
        elif re.fullmatch(r"[A-Za-z][A-Za-z0-9 '-]*", comment):
            words = comment.lower()
    if not CHINESE.search(chinese):
        chinese = words
    return Noun(singular(words), plural(words), chinese)


@dataclass(frozen=True)
class Field:
    """A column with what the generator needs to know of it."""

    name: str
    role: Role
    noun: Noun
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Entity:
    """A table with its fields; `label` is the one that names its rows, if there is one."""

    name: str
    noun: Noun
    fields: tuple[Field, ...]

    @property
    def label(self) -> Field | None:
        """The field by which people call a row."""
        texts = [f for f in self.fields if f.role == "text"]
        return next((f for f in texts if LABEL.search(f.name)), texts[0] if texts else None)

    def of(self, *roles: Role) -> list[Field]:
        """The fields of these roles."""
        return [f for f in self.fields if f.role in roles]


def entities(schema: Schema) -> dict[str, Entity]:
    """Return every table that has rows, by name."""
    keyed = {(k.table, k.column) for k in schema.foreign_keys}
    return {
        table.name: Entity(
            table.name,
            noun(table.name, table.comment),
            tuple(_field(c, (table.name, c.name) in keyed) for c in table.columns),
        )
        for table in schema.tables
        if table.row_count != 0
    }


def _field(column: Column, foreign: bool) -> Field:
    # A value cut short is not what the database holds; other spaces than one between words do not
    # come through a question, and infinity is nothing to compare with.
    values = tuple(
        v
        for v in column.examples
        if not isinstance(v, bool)
        and not (isinstance(v, str) and (_is_altered(v) or v in NON_FINITE))
        and not (isinstance(v, float) and not math.isfinite(v))
    )
    role = _role(column, values, foreign)
    return Field(column.name, role, noun(column.name, column.comment), values)


def _is_altered(value: str) -> bool:
    cut = len(value) == VALUE_LENGTH and value.endswith("...")
    return cut or "\ufffd" in value or value != " ".join(value.split())


def _role(column: Column, values: tuple[Value, ...], foreign: bool) -> Role:
    if foreign or column.primary_key:
        return "key"
    if "BOOL" in column.type.upper():
        return "other"
    kind = type_kind(column.type)
    if not values:
        # Nothing to compare with, as where examples are held back; but people ask for such texts.
        return "text" if kind == "text" else "other"
    numeric = kind == "number" or any(word in column.type.upper() for word in NUMBER_TYPES)
    if all(isinstance(v, int | float) for v in values) and (numeric or not column.type):
        return "key" if IDENTIFIER.search(column.name) else "number"
    if all(isinstance(v, str) and DATE_VALUE.fullmatch(v) for v in values):
        return "date"
    if all(isinstance(v, str) for v in values) and not numeric:
        return "text"
    return "other"


def value_words(value: Value) -> str:
    """Return a value as a question shows it."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
