"""Which values of a database does a question mean? And schemas that show them beside the types."""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from text2sql.errors import UserError
from text2sql.schema.model import Column, Schema
from text2sql.schema.value_index import FORMAT
from text2sql.schema.words import EMPTY_WORDS, parts, stem

LONGEST_NAME = 8  # words of a value that are looked for together
RARE = 2_000  # values; a word of more is not looked for by itself
CANDIDATES = 50  # values of which the words are compared
LEAST_COVERAGE = 0.6  # of a value's words, for it to be meant
CLOSE = 0.85  # similarity of two words, for one to be the other misspelt
SHORTEST_MISSPELT = 4
LONGEST_ENDING = 3  # letters by which one word may be derived from the other, as European is
PLACES = 3  # columns in which the same value is shown


@dataclass(frozen=True)
class FoundValue:
    """A value that a question seems to mean, and the column that holds it."""

    table: str
    column: str
    value: str
    score: float


class ValueIndex:
    """The index in a file; safe to share between threads.

    Raises:
        UserError: there is no such file, or it is no index of this form.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise UserError(f"{path}: no index of values; run: text2sql database index-values")
        uri = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
        self._lock = threading.Lock()
        self._file = sqlite3.connect(uri, uri=True, check_same_thread=False)
        try:
            found = self._file.execute("SELECT value FROM meta WHERE name = 'format'").fetchone()
        except sqlite3.Error:
            found = None
        if found != (str(FORMAT),):
            self._file.close()
            raise UserError(f"{path}: no index of values of this form; build it again")
        names = self._file.execute("SELECT tab, col FROM place")
        self._names = {stem(part) for row in names for name in row for part in parts(name)}

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def search(self, text: str, limit: int = 8) -> list[FoundValue]:
        """Return the values that a question seems to mean, the likeliest first.

        Args:
            text: the question, with its evidence.
            limit: most values.
        """
        with self._lock:
            return self._search(text, limit)

    def _search(self, text: str, limit: int) -> list[FoundValue]:
        words = parts(text)
        stems = [stem(word) for word in words]
        scores: dict[int, float] = {}
        taken: list[tuple[int, int]] = []
        for length in range(min(LONGEST_NAME, len(stems)), 0, -1):
            for start in range(len(stems) - length + 1):
                end = start + length
                if any(begin <= start and end <= stop for begin, stop in taken):
                    continue  # part of a longer value that was found
                if length == 1 and not self._may_be_alone(words[start]):
                    continue
                key = "".join(stems[start:end])
                rows = self._ids("SELECT id FROM entry WHERE key = ? LIMIT ?", (key, 2 * PLACES))
                if rows:
                    taken.append((start, end))
                scores |= dict.fromkeys(rows, 2.0 * length)
        spelt = self._spelt(words, stems)
        for entry, value in self._candidates(spelt):
            own = list(map(stem, parts(value)))
            common = sum(word in spelt for word in own)
            if common / len(own) >= LEAST_COVERAGE:
                scores.setdefault(entry, common * common / len(own))
        return self._best(scores, limit)

    def _may_be_alone(self, word: str) -> bool:
        """Whether a word of a question may be a value by itself; those of column names may not."""
        plain = word.casefold()
        return plain not in EMPTY_WORDS and not word.isdigit() and stem(word) not in self._names

    def _ids(self, sql: str, values: Sequence[Any]) -> list[int]:
        return [row[0] for row in self._file.execute(sql, values)]

    def _spelt(self, words: Sequence[str], stems: Sequence[str]) -> dict[str, int]:
        """The words of a question that values have, misspelt ones corrected; with their counts."""
        found: dict[str, int] = {}
        for word, own in zip(words, stems, strict=True):
            if not self._may_be_alone(word):
                continue
            known = self._file.execute("SELECT documents FROM word WHERE term = ?", (own,))
            row = known.fetchone()
            if row:
                found[own] = row[0]
            elif len(own) >= SHORTEST_MISSPELT:
                found |= self._close_to(own)
        return found

    def _close_to(self, word: str) -> dict[str, int]:
        start = word[:3]
        query = "SELECT term, documents FROM word WHERE term >= ? AND term < ? LIMIT 2000"
        rows = self._file.execute(query, (start, start[:-1] + chr(ord(start[-1]) + 1)))
        likeness = {row: _likeness(word, row[0]) for row in rows}
        near = sorted((row for row in likeness if likeness[row]), key=lambda row: -likeness[row])
        return dict(near[:2])

    def _candidates(self, spelt: dict[str, int]) -> list[tuple[int, str]]:
        """Values with the rarest words of a question, those with most of them first."""
        hits: Counter[int] = Counter()
        for word, documents in spelt.items():
            if documents <= RARE:
                quoted = '"' + word.replace('"', '""') + '"'
                hits.update(self._ids("SELECT rowid FROM words WHERE words MATCH ?", (quoted,)))
        chosen = [entry for entry, _ in hits.most_common(CANDIDATES)]
        marks = ",".join("?" * len(chosen))
        query = f"SELECT id, value FROM entry WHERE id IN ({marks})"
        return list(self._file.execute(query, chosen))

    def _best(self, scores: dict[int, float], limit: int) -> list[FoundValue]:
        marks = ",".join("?" * len(scores))
        rows = self._file.execute(
            "SELECT entry.id, tab, col, value FROM entry JOIN place ON place.id = entry.place"
            f" WHERE entry.id IN ({marks})",
            list(scores),
        )
        found = [FoundValue(tab, col, value, scores[entry]) for entry, tab, col, value in rows]
        found.sort(key=lambda each: (-each.score, len(each.value), each.value, each.table))
        shown: Counter[str] = Counter()
        best = []
        for each in found:
            shown[each.value] += 1
            if shown[each.value] <= PLACES:
                best.append(each)
        return best[:limit]


def _likeness(word: str, term: str) -> float:
    """How alike two words are; 0 where neither is the other misspelt or derived from it."""
    if abs(len(word) - len(term)) > LONGEST_ENDING:
        return 0.0
    ratio = SequenceMatcher(None, word, term).ratio()
    derived = min(len(word), len(term)) >= SHORTEST_MISSPELT and (
        word.startswith(term) or term.startswith(word)
    )
    return ratio if ratio >= CLOSE or derived else 0.0


def with_values(schema: Schema, found: Iterable[FoundValue]) -> Schema:
    """Return a schema whose columns have the values found as their first examples."""
    by_column: dict[tuple[str, str], list[str]] = {}
    for each in found:
        by_column.setdefault((each.table, each.column), []).append(each.value)
    if not by_column:
        return schema
    tables = tuple(
        replace(
            table,
            columns=tuple(
                _with_first(column, by_column.get((table.name, column.name), ()))
                for column in table.columns
            ),
        )
        for table in schema.tables
    )
    return replace(schema, tables=tables)


def _with_first(column: Column, values: Sequence[str]) -> Column:
    if not values:
        return column
    examples = tuple(dict.fromkeys([*values, *column.examples]))
    return replace(column, examples=examples[: max(len(values), len(column.examples))])
