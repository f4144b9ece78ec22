"""Prompts that do not fit the context: rendered anew with a smaller schema, never cut."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from text2sql.data.config import DataConfig
from text2sql.errors import UserError
from text2sql.prompt import Template, render_messages, render_text
from text2sql.schema import Schema, prune_schema, read_schema, render_schema


class Fitter(Protocol):
    """What answering asks where a prompt is too long, or a grammar is wanted."""

    def schema(self, db_id: str) -> Schema:
        """Return the whole schema of a question's database; raise UserError if there is none."""

    def fit(
        self, question: dict[str, Any], room: int, encode: Callable[[str], list[int]]
    ) -> dict[str, Any] | None:
        """Return the question with a prompt of at most `room` tokens; None if there is none."""


class SchemaFitter:
    """Renders questions of a data set anew so that they fit.

    Args:
        config: the data stage's config: style, samples and system preset of the prompts.
        databases: folder of the databases, ``<db_id>/<db_id>.sqlite``.
        template: prompt template.
    """

    def __init__(self, config: DataConfig, databases: Path, template: Template) -> None:
        self._config, self._databases, self._template = config, databases, template
        self._read = cache(self._read_uncached)

    def schema(self, db_id: str) -> Schema:
        """Return a database's schema; raise UserError when the database is not there."""
        return self._read(db_id)

    def _read_uncached(self, db_id: str) -> Schema:
        path = self._databases / db_id / f"{db_id}.sqlite"
        if not path.is_file():
            raise UserError(f"{path}: no such database")
        config = self._config
        return read_schema(path, config.samples, personal_data=config.personal_data, db_id=db_id)

    def fit(
        self, question: dict[str, Any], room: int, encode: Callable[[str], list[int]]
    ) -> dict[str, Any] | None:
        """Return the question with messages and prompt that fit, the schema pruned.

        Args:
            question: a record of ``questions.jsonl``.
            room: most tokens of a prompt.
            encode: the engine's tokenizer.

        Returns:
            The record with ``messages`` and ``prompt`` replaced; None where not even one table
            fits, or the database is not there.
        """
        try:
            schema = self.schema(question["db_id"])
        except UserError:
            return None
        style, preset = self._config.schema_style, self._config.system
        return fit_question(question, schema, style, preset, self._template, room, encode)


def fit_question(
    question: dict[str, Any],
    schema: Schema,
    style: str,
    preset: str,
    template: Template,
    room: int,
    encode: Callable[[str], list[int]],
) -> dict[str, Any] | None:
    """Return a question with messages and prompt over as much of a schema as fits.

    Args:
        question: a record with the ``question`` itself.
        schema: the whole schema.
        style: how the schema is rendered.
        preset: system preset of the prompt.
        template: prompt template.
        room: most tokens of a prompt.
        encode: the engine's tokenizer.

    Returns:
        The record with ``messages`` and ``prompt`` replaced; None where not one table fits.
    """
    bare = render_messages(question["question"], "", preset)
    budget = room - len(encode(render_text(bare, template)))
    # Tokens of the parts and of the whole differ by a few where they meet.
    for spare in (2, 16, 64):
        if budget <= spare:
            break
        pruned = prune_schema(
            schema, question["question"], budget - spare, style, lambda text: len(encode(text))
        )
        messages = render_messages(question["question"], render_schema(pruned, style), preset)
        prompt = render_text(messages, template)
        if len(encode(prompt)) <= room:
            return question | {"messages": messages, "prompt": prompt}
    return None
