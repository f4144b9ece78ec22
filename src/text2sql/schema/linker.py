"""Trained schema linking: how much a question needs each table and column of a schema.

A small cross-encoder reads the question beside one table or column at a time. `make train-linker`
trains it (`text2sql.learn.linker`); `text2sql.schema.prune` leaves out by its scores.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from text2sql.errors import UserError
from text2sql.files import read_json
from text2sql.models.folder import loading, require_whole_model
from text2sql.schema.model import Column, Schema, Table
from text2sql.schema.words import parts

FORMAT = 1  # of the texts below; raise it when a linker trained before could not read them
FILE = "linker.json"  # beside the model: what it was trained on, and what it is worth
FIX = "make one with 'make train-linker DATASET=...'"
MAX_LENGTH = 64  # tokens of a question and a table or column
SHOWN_COLUMNS = 8  # of a table beside its name; each column is read by itself as well
BATCH_SIZE = 64
REMEMBERED = 256  # questions; pruning for one prompt may ask several times


@dataclass(frozen=True)
class Relevance:
    """Probabilities that a question's query names a table, and a (table, column) pair."""

    tables: Mapping[str, float]
    columns: Mapping[tuple[str, str], float]


Scorer = Callable[[Schema, str], Relevance]


class Linker:
    """A trained linker, to be called with a schema and a question; safe to share between threads.

    Args:
        folder: what `make train-linker` wrote. The model in it is loaded when it is first asked.

    Raises:
        UserError: there is no such folder, or it is no linker of this form.
    """

    def __init__(self, folder: Path) -> None:
        require_linker(folder)
        self._folder = folder
        self._model: Any = None
        self._lock = threading.Lock()
        self._scored = lru_cache(REMEMBERED)(self._score)

    def load(self) -> None:
        """Load the model; raise UserError when that fails."""
        if self._model is None:
            from sentence_transformers import CrossEncoder

            with loading(f"schema linker {self._folder}"):
                self._model = CrossEncoder(
                    str(self._folder),
                    device="cpu",
                    max_length=MAX_LENGTH,
                    model_kwargs={"dtype": "bfloat16"},  # as answers have it on a CPU, for speed
                )

    def __call__(self, schema: Schema, question: str) -> Relevance:
        """Return what a question needs of a schema; the last questions are remembered.

        Args:
            schema: the whole schema.
            question: the question, with its evidence.
        """
        with self._lock:
            self.load()
            return self._scored(schema, question.strip())

    def _score(self, schema: Schema, question: str) -> Relevance:
        tables, columns = table_texts(schema), column_texts(schema)
        # Those of like length together: a batch is as long as its longest text.
        texts = sorted({*tables.values(), *columns.values()}, key=lambda text: (len(text), text))
        pairs = [(question, text) for text in texts]
        scores = self._model.predict(pairs, batch_size=BATCH_SIZE, show_progress_bar=False)
        score_of = dict(zip(texts, map(float, scores), strict=True))
        return Relevance(
            {name: score_of[text] for name, text in tables.items()},
            {name: score_of[text] for name, text in columns.items()},
        )


def require_linker(folder: Path) -> None:
    """Raise UserError unless a folder holds a linker that reads texts of this form."""
    if not folder.is_dir():
        raise UserError(f"{folder}: no schema linker here; {FIX}")
    if not (folder / FILE).is_file():
        raise UserError(f"{folder}: not a schema linker; {FIX}")
    facts = read_json(folder / FILE)
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise UserError(f"{folder}: a schema linker of another form; {FIX}")
    require_whole_model(folder)


def table_texts(schema: Schema) -> dict[str, str]:
    """Return what a linker reads of each table, by its name."""
    return {table.name: _table_text(table) for table in schema.tables}


def column_texts(schema: Schema) -> dict[tuple[str, str], str]:
    """Return what a linker reads of each column, by the names of its table and of itself."""
    targets = {(key.table, key.column): key.ref_table for key in schema.foreign_keys}
    return {
        (table.name, column.name): _column_text(table, column, targets)
        for table in schema.tables
        for column in table.columns
    }


def _table_text(table: Table) -> str:
    columns = [_plain(column.name) for column in table.columns[:SHOWN_COLUMNS]]
    return f"{_plain(table.name)}: {', '.join(columns)}"


def _column_text(table: Table, column: Column, targets: Mapping[tuple[str, str], str]) -> str:
    text = f"{_plain(table.name)}. {_plain(column.name)}: {column.type.lower()}"
    target = targets.get((table.name, column.name))
    return f"{text} of {_plain(target)}" if target else text


def _plain(name: str) -> str:
    """Return a name as words."""
    return " ".join(parts(name)).lower() or name
