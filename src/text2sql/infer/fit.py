"""Prompts that do not fit the context: rendered anew with a smaller schema, never cut."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from text2sql.data.config import DataConfig
from text2sql.errors import UserError
from text2sql.prompt import render_messages, render_text
from text2sql.schema import Schema, prune_schema, read_schema, render_schema


class SchemaFitter:
    """Renders a question anew so that it fits.

    Args:
        config: the data stage's config: style, samples and system preset of the prompts.
        databases: folder of the databases, ``<db_id>/<db_id>.sqlite``.
        template: prompt template.
    """

    def __init__(self, config: DataConfig, databases: Path, template: str) -> None:
        self._config, self._databases, self._template = config, databases, template
        self.schema = cache(self._read)

    def _read(self, db_id: str) -> Schema:
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
        bare = render_messages(question["question"], "", preset)
        budget = room - len(encode(render_text(bare, self._template)))
        # Tokens of the parts and of the whole differ by a few where they meet.
        for spare in (2, 16, 64):
            if budget <= spare:
                break
            pruned = prune_schema(
                schema, question["question"], budget - spare, style, lambda text: len(encode(text))
            )
            messages = render_messages(question["question"], render_schema(pruned, style), preset)
            prompt = render_text(messages, self._template)
            if len(encode(prompt)) <= room:
                return question | {"messages": messages, "prompt": prompt}
        return None
