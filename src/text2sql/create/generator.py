"""Make question/SQL pairs from the schema and its values alone, without a language model."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from text2sql.create.nouns import Language
from text2sql.create.patterns import Draft
from text2sql.create.patterns_join import JOIN
from text2sql.create.patterns_nested import NESTED
from text2sql.create.patterns_table import TABLE
from text2sql.create.picker import NoMatch, Picker
from text2sql.create.topics import Topic, apportion
from text2sql.errors import UserError
from text2sql.schema import Schema
from text2sql.sql.hardness import LEVELS, eval_schema, hardness_of
from text2sql.sql.validate import Rejected, Validator

PATTERNS = TABLE | NESTED | JOIN
DIALECTS = ("sqlite", "duckdb", "postgres", "mysql")
DEFAULT_MIX = {"easy": 0.25, "medium": 0.4, "hard": 0.2, "extra": 0.15}
ATTEMPTS = 40  # drafts made for each pair wanted before a topic is given up as exhausted
EXPLORE = 0.2  # share of drafts whose pattern is chosen blindly


@dataclass(frozen=True)
class Pair:
    """A question with its SQL, and where it comes from."""

    question: str
    sql: str
    language: str
    dialect: str
    topic: str
    hardness: str
    source: str
    rows: int | None = None


def says_nothing(rows: Sequence[Sequence[Any]]) -> bool:
    """Whether a result has no row, or nothing but NULL and zero in its rows."""
    return all(cell is None or cell == 0 for row in rows for cell in row)


class Grammar:
    """Makes pairs on one schema; every one passes the validator.

    With a database behind the validator, a pair's SQL has also run, returned something other than
    nothing, NULL or zero, and does not hang on a tie.

    Args:
        schema: the schema, with example values (`read_schema(..., samples=20)`).
        dialect: sqlglot's name of the dialect; SQL Server is not among the generator's.
        validator: checks the SQL.
        languages: languages of the questions, taken in turn by chance.
        seed: decides everything that is random.

    Attributes:
        counts: how many drafts met which end: made, duplicate, tie, empty, nothing to sort,
            ungraded, unwanted, failed (with the layer), kept.
    """

    def __init__(
        self,
        schema: Schema,
        dialect: str,
        validator: Validator,
        languages: Sequence[Language] = ("en",),
        seed: int = 42,
    ) -> None:
        if dialect not in DIALECTS:
            raise UserError(
                f"the offline generator writes {', '.join(DIALECTS)}; for {dialect} use --llm-url"
            )
        self._schema, self._dialect, self._validator = schema, dialect, validator
        self._languages, self._rng = tuple(languages), random.Random(seed)
        self._names = eval_schema(schema.names())
        self._levels: dict[str, Counter[str]] = defaultdict(Counter)
        self._seen: set[str] = set()
        self.counts: Counter[str] = Counter()

    def generate(
        self, topics: Sequence[Topic], mix: Mapping[str, float] | None = None
    ) -> Iterator[Pair]:
        """Yield the pairs of all topics.

        A topic too small for its count gives what it has; what is missing is topped up from the
        others, then regardless of hardness.

        Args:
            topics: tables and counts.
            mix: share of each hardness level.
        """
        shares = dict(mix or DEFAULT_MIX)
        short = 0
        for topic in topics:
            made = 0
            for pair in self._topic(topic, quotas(topic.count, shares)):
                made += 1
                yield pair
            short += topic.count - made
        anything: dict[str, int] = dict.fromkeys(LEVELS, short)
        for topic in sorted(topics, key=lambda each: -len(each.tables)):
            if short <= 0:
                return
            for pair in self._topic(topic, anything, short):
                short -= 1
                yield pair

    def _topic(self, topic: Topic, need: dict[str, int], most: int | None = None) -> Iterator[Pair]:
        picker = Picker(self._schema, self._dialect, topic.tables, self._rng)
        left = sum(need.values()) if most is None else most
        attempts = left * ATTEMPTS
        while left > 0 and attempts > 0:
            attempts -= 1
            name = self._pattern(need)
            try:
                draft = PATTERNS[name].draft(picker)
            except NoMatch:
                continue
            pair = self._finish(name, draft, topic, need)
            if pair:
                left -= 1
                need[pair.hardness] -= 1
                yield pair

    def _pattern(self, need: Mapping[str, int]) -> str:
        """Choose a pattern, mostly among those that gave the levels still needed."""
        names = list(PATTERNS)
        if self._rng.random() < EXPLORE:
            return self._rng.choice(names)
        level = self._rng.choices(LEVELS, [max(need.get(x, 0), 0) + 0.01 for x in LEVELS])[0]
        weights = [self._share(name, level) for name in names]
        return self._rng.choices(names, weights)[0]

    def _share(self, name: str, level: str) -> float:
        seen = self._levels[name]
        return (seen[level] + 0.5) / (seen.total() + 2)

    def _finish(
        self, name: str, draft: Draft, topic: Topic, need: Mapping[str, int]
    ) -> Pair | None:
        self.counts["made"] += 1
        if draft.sql in self._seen:
            self.counts["duplicate"] += 1
            return None
        level = hardness_of(draft.sql, self._dialect, self._names)
        if level is None:
            self.counts["ungraded"] += 1
            return None
        self._levels[name][level] += 1
        if need.get(level, 0) <= 0:
            self.counts["unwanted"] += 1
            return None
        language = self._rng.choice(self._languages)
        template = self._rng.choice(PATTERNS[name].wordings[language])
        question = _sentence(template.format(**draft.slots[language]))
        self._seen.add(draft.sql)
        if question in self._seen:
            self.counts["duplicate"] += 1
            return None
        try:
            checked = self._validator.check(draft.sql)
        except Rejected as reject:
            self.counts[f"failed: {reject.layer}"] += 1
            return None
        rows = None
        if checked.result is not None:
            self.counts["executed"] += 1
            found = checked.result.rows
            rows = len(found)
            if says_nothing(found):
                self.counts["empty"] += 1
                return None
            if "ORDER BY" in draft.sql and not draft.ties and rows < 2:
                self.counts["nothing to sort"] += 1
                return None
            if draft.ties and not self._is_certain(draft):
                self.counts["tie"] += 1
                return None
        self._seen.add(question)
        self.counts["kept"] += 1
        source = f"grammar:{name}"
        return Pair(question, draft.sql, language, self._dialect, topic.name, level, source, rows)

    def _is_certain(self, draft: Draft) -> bool:
        """Whether there is a row beyond the LIMIT, and its key differs from the last one within."""
        try:
            result = self._validator.check(draft.ties).result
        except Rejected:
            return False
        keys = [row[0] for row in result.rows] if result else []
        if None in keys or len(keys) <= draft.limit:
            return False
        return bool(keys[draft.limit - 1] != keys[draft.limit])


def quotas(count: int, shares: Mapping[str, float]) -> dict[str, int]:
    """Return how many of so many pairs each hardness level gets by its share."""
    weights = [shares.get(level, 0.0) for level in LEVELS]
    return dict(zip(LEVELS, apportion(count, weights), strict=True))


def _sentence(text: str) -> str:
    text = " ".join(text.split())
    return text[:1].upper() + text[1:]
