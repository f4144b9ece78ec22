"""Find training rows that give evaluation questions away."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from text2sql.data.config import DecontaminationConfig
from text2sql.data.jaccard_join import SimilarSets
from text2sql.data.rows import Row
from text2sql.schema.ddl import schema_names
from text2sql.schema.words import SPACE_BESIDE, spaced

EXAMPLES_PER_LEVEL = 5
SHINGLE = 3  # characters; short questions have too few words for word shingles
WORD = re.compile(r"\w+")
SQL_PART = re.compile(
    r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|\d+(?:\.\d+)?|\w+|<>|[<>!=]=|[^\s\w]"
)
_KEYWORDS = """
    select from where group by order having limit distinct count sum avg min max and or not in like
    between is null join left outer inner on as union intersect except asc desc exists case when
    then else end
"""
KEYWORDS = frozenset(_KEYWORDS.split())

Names = frozenset[tuple[str, str]]


class Decontaminator:
    """Judges rows against the evaluation questions, at every level its config names.

    exact: same question text. normalized: same but for case, punctuation and spaces. ngram: most
    word n-grams of an evaluation question occur in the row's (of Chinese and the like, n-grams of
    signs). jaccard: high Jaccard similarity of
    the sets of character shingles. skeleton: same SQL but for names and values, over the same
    schema. schema: same tables and columns.
    """

    def __init__(
        self,
        config: DecontaminationConfig,
        questions: Iterable[Row],
        names_of: Callable[[str], Names],
    ) -> None:
        self._config = config
        self._names_of = names_of
        self.checked = self.removed = 0
        self._hits: Counter[str] = Counter()
        self._examples: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._questions = list(questions)
        self._levels = {level: getattr(self, f"_{level}") for level in config.levels}
        self._build()

    def check(self, row: Row) -> str | None:
        """Return the first level at which a row leaks (all are counted), or None when it is clean.

        The report then holds the row; ask once per row.
        """
        found = self.find(row)
        return found["level"] if found else None

    def find(self, row: Row) -> dict[str, str] | None:
        """As `check`, but with the evaluation question: level and that question's text and SQL."""
        hits = {level: judge(row) for level, judge in self._levels.items()}
        self.checked += 1
        found = None
        for level, index in hits.items():
            if index is None:
                continue
            question = self._questions[index]
            given_away = {
                "evaluation_question": question.question,
                "evaluation_sql": question.sql,
            }
            found = found or {"level": level, **given_away}
            self._hits[level] += 1
            if len(self._examples[level]) < EXAMPLES_PER_LEVEL:
                self._examples[level].append(
                    {
                        "source": row.source,
                        "row": row.number,
                        "question": row.question,
                        "sql": row.sql,
                        **given_away,
                    }
                )
        self.removed += found is not None
        return found

    def report(self) -> dict[str, Any]:
        """Return what was looked for and found, as JSON-able values."""
        return {
            "settings": self._config.model_dump(mode="json"),
            "evaluation_questions": len(self._questions),
            "checked": self.checked,
            "removed": self.removed,
            "found_by_level": {level: self._hits[level] for level in self._levels},
            "examples": {level: self._examples[level] for level in self._levels},
        }

    def _build(self) -> None:
        self._exact_index: dict[str, int] = {}
        self._normal_index: dict[str, int] = {}
        self._grams: dict[int, list[int]] = defaultdict(list)
        self._gram_counts: list[int] = []
        shingles: list[frozenset[bytes]] = []
        self._skeletons: dict[tuple[str, Names], int] = {}
        self._schemas: dict[Names, int] = {}
        for index, row in enumerate(self._questions):
            self._exact_index.setdefault(row.question, index)
            self._normal_index.setdefault(normalize(row.question), index)
            if "ngram" in self._levels:
                grams = self._ngrams(row.question)
                self._gram_counts.append(len(grams))
                for gram in grams:
                    self._grams[gram].append(index)
            if "jaccard" in self._levels:
                shingles.append(_shingles(row.question))
            if {"skeleton", "schema"} & self._levels.keys():
                names = self._names(row)
                self._skeletons.setdefault((skeleton(row.sql), names), index)
                self._schemas.setdefault(names, index)
        self._similar = SimilarSets(shingles, self._config.jaccard_similarity)

    def _exact(self, row: Row) -> int | None:
        return self._exact_index.get(row.question)

    def _normalized(self, row: Row) -> int | None:
        return self._normal_index.get(normalize(row.question))

    def _ngram(self, row: Row) -> int | None:
        shared: Counter[int] = Counter()
        for gram in self._ngrams(row.question):
            shared.update(self._grams.get(gram, ()))
        for index, count in shared.most_common():
            if count >= self._config.ngram_share * self._gram_counts[index]:
                return index
        return None

    def _jaccard(self, row: Row) -> int | None:
        return min(self._similar.find(_shingles(row.question)), default=None)

    def _skeleton(self, row: Row) -> int | None:
        names = self._names(row)
        return self._skeletons.get((skeleton(row.sql), names)) if names else None

    def _schema(self, row: Row) -> int | None:
        names = self._names(row)
        return self._schemas.get(names) if names else None

    def _names(self, row: Row) -> Names:
        return names_of_row(row, self._names_of)

    def _ngrams(self, question: str) -> set[int]:
        words = spaced(normalize(question)).split()
        size = min(self._config.ngram, len(words))
        return {hash(tuple(words[i : i + size])) for i in range(len(words) - size + 1) if size}


def names_of_row(row: Row, names_of: Callable[[str], Names]) -> Names:
    """Return the (table, column) pairs that a row is about, none where nobody can tell.

    Args:
        row: one with a schema of its own is about that.
        names_of: gives those of a database.
    """
    if row.prompt:
        return frozenset()  # which part of it is the schema?
    return schema_names(row.schema) if row.schema else names_of(row.db_id)


@lru_cache(maxsize=1024)
def normalize(question: str) -> str:
    """Return a question in lower case, words only, one space between them.

    Beside signs of scripts that part no words, such as Chinese, there is none.
    """
    words = " ".join(WORD.findall(unicodedata.normalize("NFKC", question).lower()))
    return SPACE_BESIDE.sub("", words)


@lru_cache(maxsize=4096)
def skeleton(sql: str) -> str:
    """Return SQL with names as ``_`` and values as ``?``, in lower case."""
    parts = []
    for part in SQL_PART.findall(sql.rstrip("; \n")):
        word = part.lower()
        if part[0] in "'\"" or part[0].isdigit():
            word = "?"
        elif word not in KEYWORDS and (part[0].isalpha() or part[0] in "_`"):
            word = "_"
        parts.append(word)
    # A qualified name counts as the name alone.
    return " ".join(parts).replace("_ . _", "_").replace("_ . *", "*")


def _shingles(question: str) -> frozenset[bytes]:
    text = normalize(question)
    last = max(len(text) - SHINGLE + 1, 1)
    return frozenset(text[i : i + SHINGLE].encode() for i in range(last))
