"""The one thread that works the model: takes what waits as a batch, answers it, hands it back."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from text2sql.errors import UserError
from text2sql.infer.answers import Surroundings, answer
from text2sql.infer.config import InferConfig
from text2sql.infer.engine import Engine
from text2sql.infer.shrink_prompt import fit_question
from text2sql.prompt import Example, Template, render_messages, render_text
from text2sql.schema import Schema
from text2sql.serve.control_words import disarm
from text2sql.serve.database import LiveDatabase
from text2sql.serve.examples import ExampleFinder
from text2sql.serve.fair_queue import FairQueue
from text2sql.serve.metrics import Metrics

log = logging.getLogger("text2sql.serve")


@dataclass(frozen=True)
class Asking:
    """How prompts look: what the model was trained with."""

    template: Template
    preset: str
    style: str


@dataclass(frozen=True)
class Question:
    """A question on its way to the model; the record of its answer comes with the future."""

    text: str
    schema_text: str
    schema: Schema | None
    live: bool
    listener: Callable[[str], None] | None = None
    future: Future[dict[str, Any]] = field(default_factory=Future)


class _Fitter:
    """Renders questions of one batch anew over less of their own schemas."""

    def __init__(self, schemas: dict[str, Schema | None], asking: Asking) -> None:
        self._schemas, self._asking = schemas, asking

    def schema(self, db_id: str) -> Schema:
        found = self._schemas[db_id]
        if found is None:
            raise UserError("no tables were recognised in the schema")
        return found

    def fit(
        self, question: dict[str, Any], room: int, encode: Callable[[str], list[int]]
    ) -> dict[str, Any] | None:
        schema, asking = self._schemas[question["db_id"]], self._asking
        if schema is None:
            return None
        return fit_question(
            question, schema, asking.style, asking.preset, asking.template, room, encode
        )


class Batcher:
    """Answers questions in the order of a fair queue, `batch_size` of them at a time.

    Args:
        engine: the model; used by this thread alone.
        config: its settings.
        asking: how prompts look.
        database: the live database, for voting and repair; None does neither.
        waiting: the queue that questions are taken from.
        metrics: what is counted.
        finder: finds few-shot examples; None asks without.
    """

    def __init__(
        self,
        engine: Engine,
        config: InferConfig,
        asking: Asking,
        database: LiveDatabase | None,
        waiting: FairQueue[Question],
        metrics: Metrics,
        finder: ExampleFinder | None = None,
    ) -> None:
        self._engine, self._config, self._asking = engine, config, asking
        self._database, self._waiting, self._metrics = database, waiting, metrics
        self._finder = finder
        self._thread = threading.Thread(target=self._work, name="model", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether questions are still being answered."""
        return self._thread.is_alive()

    def stop(self, seconds: float) -> None:
        """Take no more questions, answer those that wait, and end."""
        self._waiting.close()
        self._thread.join(seconds)

    def _work(self) -> None:
        while batch := self._waiting.take(self._config.batch_size):
            # One whose asker has given up is no longer worth the model's time.
            wanted = [one for one in batch if one.future.set_running_or_notify_cancel()]
            for live in (True, False):
                group = [one for one in wanted if one.live is live]
                if group:
                    self._metrics.batch_size.observe(len(group))
                    self._answer(group, live)

    def _answer(self, group: Sequence[Question], live: bool) -> None:
        try:
            fitter = _Fitter({str(n): one.schema for n, one in enumerate(group)}, self._asking)
            database = self._database if live else None
            kind = database.kind if database else ""
            around = Surroundings(self._asking.template, fitter, database, kind)
            rows = [self._row(number, one) for number, one in enumerate(group)]
            examples = self._add_examples(group, rows)
            for record in answer(self._engine, rows, self._config, around):
                number = record["id"]
                self._metrics.tokens.inc(record["completion_tokens"])
                group[number].future.set_result(record | {"examples": examples[number]})
        except Exception as error:  # the thread must live on, whatever the model did
            if not isinstance(error, UserError):
                log.exception("the model failed on a batch of %d", len(group))
            for one in group:
                if not one.future.done():
                    one.future.set_exception(error)

    def _row(self, number: int, one: Question) -> dict[str, Any]:
        messages = render_messages(one.text, one.schema_text, self._asking.preset)
        return {
            "id": number,
            "db_id": str(number),
            "question": one.text,
            "messages": messages,
            "prompt": render_text(messages, self._asking.template),
            "listener": one.listener,
        }

    def _add_examples(
        self, group: Sequence[Question], rows: Sequence[dict[str, Any]]
    ) -> list[list[Example] | None]:
        """Put examples into the prompts of a batch.

        Returns:
            Those that each prompt holds; None for each where they could not be looked up.
        """
        if self._finder is None:
            return [[] for _ in group]
        found = self._finder.find([(one.text, one.schema) for one in group])
        if found is None:
            return [None for _ in group]
        room = self._config.max_model_len - self._config.max_new_tokens
        template, engine = self._asking.template, self._engine
        return [
            self._finder.show(row, [Example(*disarm(e)) for e in examples], template, engine, room)
            for row, examples in zip(rows, found, strict=True)
        ]
