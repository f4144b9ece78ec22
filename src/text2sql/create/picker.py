"""Random choices from a schema: tables, columns, joins, values and conditions."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from text2sql.create.nouns import Entity, Field, Language, Role, entities, value_words
from text2sql.schema import Schema
from text2sql.schema.model import Value
from text2sql.schema.quoting import quote_name, quote_value

COMPARISONS = {
    ("number", ">"): ("is greater than", "大于"),
    ("number", "<"): ("is less than", "小于"),
    ("number", ">="): ("is at least", "不小于"),
    ("number", "<="): ("is at most", "不大于"),
    ("number", "="): ("is", "等于"),
    ("number", "!="): ("is not", "不等于"),
    ("date", ">"): ("is after", "晚于"),
    ("date", "<"): ("is before", "早于"),
    ("date", "="): ("is", "为"),
    ("text", "="): ("is", "为"),
    ("text", "!="): ("is not", "不是"),
}
LONGEST_VALUE = 40
LONG_WORD = 4  # letters of a word worth searching for
Option = TypeVar("Option")


class NoMatch(Exception):
    """The schema has nothing that a pattern needs."""


@dataclass(frozen=True)
class Join:
    """`child`.`column` refers to `parent`.`ref`, and no other key joins the two."""

    parent: Entity
    ref: str
    child: Entity
    column: str


@dataclass(frozen=True)
class Condition:
    """A condition as SQL, and as words that follow (English) or go before (Chinese) a noun."""

    sql: str
    words: dict[Language, str]

    @property
    def where(self) -> str:
        """The WHERE clause, with a space before it, or nothing."""
        return f" WHERE {self.sql}" if self.sql else ""


NO_CONDITION = Condition("", {"en": "", "zh": ""})


class Picker:
    """Chooses from the tables of a schema that are named.

    Args:
        schema: the schema, with example values.
        dialect: sqlglot's name of the dialect.
        tables: names of the tables to choose from.
        rng: the source of chance.
    """

    def __init__(
        self, schema: Schema, dialect: str, tables: Sequence[str], rng: random.Random
    ) -> None:
        self.dialect, self.rng = dialect, rng
        wanted = set(tables)
        self.entities = {n: e for n, e in entities(schema).items() if n in wanted}
        pairs = Counter(frozenset((k.table, k.ref_table)) for k in schema.foreign_keys)
        self.joins = [
            Join(self.entities[k.ref_table], k.ref_column, self.entities[k.table], k.column)
            for k in schema.foreign_keys
            if k.table in self.entities
            and k.ref_table in self.entities
            and k.table != k.ref_table
            and pairs[frozenset((k.table, k.ref_table))] == 1
        ]
        # (one side, link table, other side): a table that refers to two others.
        self.chains = [
            (one, other)
            for one in self.joins
            for other in self.joins
            if one.child is other.child and one.parent is not other.parent
        ]

    def choose(self, options: Iterable[Option]) -> Option:
        """Choose one; raise NoMatch where there is none."""
        options = list(options)
        if not options:
            raise NoMatch
        return self.rng.choice(options)

    def entity(self) -> Entity:
        """Choose a table."""
        return self.choose(self.entities.values())

    def join(self) -> Join:
        """Choose two tables that one foreign key joins."""
        return self.choose(self.joins)

    def chain(self) -> tuple[Join, Join]:
        """Choose a table that refers to two others."""
        return self.choose(self.chains)

    def field(self, entity: Entity, *roles: Role, other_than: Sequence[Field] = ()) -> Field:
        """Choose a column of one of the roles, by default of any but keys."""
        fields = entity.of(*(roles or ("number", "date", "text")))
        return self.choose(field for field in fields if field not in other_than)

    def selection(self, entity: Entity, *roles: Role, most: int = 2) -> tuple[Field, Condition]:
        """Choose a column of a table, and conditions on others."""
        field = self.field(entity, *roles)
        return field, self.conditions(entity, most=most, other_than=[field])

    def label(self, entity: Entity) -> Field:
        """The column that names the table's rows."""
        if entity.label is None:
            raise NoMatch
        return entity.label

    def name(self, name: str) -> str:
        """A name as SQL."""
        return quote_name(name, self.dialect)

    def column(self, field: Field, alias: str = "") -> str:
        """A column as SQL, qualified where there is an alias."""
        return f"{alias}.{self.name(field.name)}" if alias else self.name(field.name)

    def source(self, entity: Entity, condition: Condition = NO_CONDITION) -> str:
        """A table's FROM clause, with the WHERE clause of a condition."""
        return f"FROM {self.name(entity.name)}{condition.where}"

    def condition(
        self, entity: Entity, alias: str = "", other_than: Sequence[Field] = ()
    ) -> Condition:
        """Make a condition on one column, with a value the column holds."""
        field = self.field(entity, other_than=other_than)
        values = [v for v in field.values if len(str(v)) <= LONGEST_VALUE]
        if not values:
            raise NoMatch
        column, value = self.column(field, alias), self.rng.choice(values)
        kind = self.rng.random()
        if field.role == "text" and kind < 0.2:
            return self._like(field, column, str(value))
        if field.role in ("number", "date") and kind < 0.15 and len(set(values)) > 1:
            return self._between(field, column, values)
        choices = [op for role, op in COMPARISONS if role == field.role]
        weights = [6 if op == "=" and field.role == "text" else 1 for op in choices]
        operator = self.rng.choices(choices, weights)[0]
        english, chinese = COMPARISONS[field.role, operator]
        sql = f"{column} {operator} {quote_value(value, self.dialect)}"
        shown = value_words(value)
        return _condition(field, sql, f"{english} {shown}", f"{chinese}{shown}")

    def _between(self, field: Field, column: str, values: list[Value]) -> Condition:
        low, high = sorted(self.rng.sample(sorted(set(values), key=str), 2), key=_order)
        bounds = f"{quote_value(low, self.dialect)} AND {quote_value(high, self.dialect)}"
        first, last = value_words(low), value_words(high)
        english, chinese = f"is between {first} and {last}", f"在{first}到{last}之间"
        return _condition(field, f"{column} BETWEEN {bounds}", english, chinese)

    def _like(self, field: Field, column: str, value: str) -> Condition:
        word = self.choose(w for w in value.split() if len(w) >= LONG_WORD and w.isalpha())
        sql = f"{column} LIKE {quote_value(f'%{word}%', self.dialect)}"
        return _condition(field, sql, f"contains '{word}'", f"包含“{word}”")

    def conditions(
        self, entity: Entity, alias: str = "", most: int = 2, other_than: Sequence[Field] = ()
    ) -> Condition:
        """Make no condition, one, or two joined by AND or OR, for different columns."""
        count = self.rng.choices(range(most + 1), (3, 4, 2)[: most + 1])[0]
        if count == 0:
            return NO_CONDITION
        one = self.condition(entity, alias, other_than)
        if count == 1:
            return one
        two = self.condition(entity, alias, other_than)
        if two.sql.split()[0] == one.sql.split()[0]:
            return one
        english, chinese = ("or", "或者") if self.rng.random() < 0.25 else ("and", "并且")
        return Condition(
            f"{one.sql} {english.upper()} {two.sql}",
            {
                "en": f"{one.words['en']} {english} {two.words['en']}",
                "zh": f"{one.words['zh'].removesuffix('的')}{chinese}{two.words['zh']}",
            },
        )


def bare(entity: Entity, condition: Condition) -> dict[Language, str]:
    """The rows that a condition leaves, as words without an article."""
    english = f"{entity.noun.plural} {condition.words['en']}".strip()
    return {"en": english, "zh": f"{condition.words['zh']}{entity.noun.zh}"}


def who(entity: Entity, condition: Condition) -> dict[Language, dict[str, str]]:
    """The slots that name the rows asked about: ``who`` and ``bare``."""
    words = bare(entity, condition)
    article, every = ("the ", "") if condition.sql else ("all ", "所有")
    return {
        "en": {"bare": words["en"], "who": article + words["en"]},
        "zh": {"bare": words["zh"], "who": every + words["zh"]},
    }


def _condition(field: Field, sql: str, english: str, chinese: str) -> Condition:
    noun = field.noun
    return Condition(sql, {"en": f"whose {noun.en} {english}", "zh": f"{noun.zh}{chinese}的"})


def _order(value: Value) -> tuple[bool, float | str]:
    return (True, value) if isinstance(value, int | float) else (False, str(value))
