"""Few-shot examples in the service: solved questions from a knowledge base, for every question."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from text2sql.data.config import DataConfig
from text2sql.data.prepare import SchemaTexts
from text2sql.errors import UserError
from text2sql.infer.engine import Engine
from text2sql.prompt import Example, Template, fit_examples
from text2sql.question import Question, read_questions
from text2sql.rag.config import RetrievalConfig
from text2sql.rag.mask import mask_question
from text2sql.rag.retrieve import leak_guard, open_retriever
from text2sql.rag.search import Asked
from text2sql.schema import Schema

log = logging.getLogger("text2sql.serve")

MISSING = "asked without examples: the knowledge base does not answer"


class ExampleFinder:
    """Finds examples in the store of a knowledge-base stage; safe to share between threads.

    What gives an evaluation question of the data set away is left out as in the retrieve stage, so
    that the service may be measured on those questions.

    Args:
        config: how examples are found and shown.
        stage: config of the knowledge-base stage.
        folder: its output; a Milvus Lite file there is held open until `close`.
        questions: the data stage's ``questions.jsonl``.
        device: ``cpu`` or ``cuda``, for the embedding model.

    Raises:
        UserError: the store is open elsewhere, built with another model, or not there.
    """

    def __init__(
        self,
        config: RetrievalConfig,
        stage: dict[str, Any],
        folder: Path,
        questions: Path,
        device: str,
    ) -> None:
        require_answerable(config)
        schemas = SchemaTexts(DataConfig.model_validate(stage["data"]))
        guard = leak_guard(config.leak_guard, read_questions(questions), schemas)
        self._config = config
        self._finding = threading.Lock()
        self._opened = ExitStack()
        self._retriever = self._opened.enter_context(
            open_retriever(config, stage, folder, guard, device)
        )

    def close(self) -> None:
        """Close the store."""
        self._opened.close()

    def find(self, questions: Sequence[tuple[str, Schema | None]]) -> list[list[Example]] | None:
        """Return the examples of each question, best first; None when the store does not answer.

        Args:
            questions: each with the schema it is asked of, where that is known.
        """
        asked = [
            Asked(
                id=number,
                db_id=schema.db_id if schema else "",
                question=question,
                masked=mask_question(question, schema.names() if schema else frozenset()),
            )
            for number, (question, schema) in enumerate(questions)
        ]
        try:
            with self._finding:
                found = list(self._retriever.retrieve(asked))
        except UserError as error:
            log.error("no examples", extra={"fields": {"reason": str(error)}})
            return None
        return [[Example(one.question, one.sql) for one in each.examples] for each in found]

    def show(
        self,
        question: Question,
        examples: list[Example],
        template: Template,
        engine: Engine,
        room: int,
    ) -> tuple[Question, list[Example]]:
        """Return a question with examples in its messages, and those that there is room for."""
        style = {"form": self._config.form, "order": self._config.order}
        messages = question.messages
        messages, kept = fit_examples(messages, examples, style, template, engine.encode, room)
        return replace(question, messages=messages), kept


def require_answerable(config: RetrievalConfig) -> None:
    """Raise UserError for a retrieval that needs more than the question itself."""
    if "skeleton" in config.channels:
        raise UserError(
            "retrieval: channel 'skeleton' compares with an answer given without examples, which"
            " the service does not ask for; name a rag config without it"
        )
