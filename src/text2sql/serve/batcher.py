"""The one thread that works the model: takes what waits as a batch, answers it, hands it back."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

from text2sql.errors import UserError
from text2sql.infer.answers import Answer, Surroundings, answer
from text2sql.infer.config import DecodingConfig, InferConfig
from text2sql.infer.engine import Engine
from text2sql.infer.predictions import Prediction, predict
from text2sql.infer.repair import Repairer
from text2sql.infer.shrink_prompt import SchemaFitter
from text2sql.prompt import Example, Template, add_history
from text2sql.question import Question
from text2sql.schema import Schema
from text2sql.serve.control_words import disarm
from text2sql.serve.database import LiveDatabase
from text2sql.serve.examples import ExampleFinder
from text2sql.serve.fair_queue import FairQueue
from text2sql.serve.metrics import Metrics

log = logging.getLogger("text2sql.serve")

TURN_TOKENS = 16  # of the marks around a question and its SQL


@dataclass(frozen=True)
class Asking:
    """How prompts look: what the model was trained with."""

    template: Template
    preset: str
    style: str


@dataclass(frozen=True)
class Reply:
    """What the model wrote, the SQL in it, and the examples it saw, None where none were found.

    `turns` counts the earlier questions that it saw.
    """

    answer: Answer
    prediction: Prediction
    examples: list[Example] | None
    turns: int


@dataclass(frozen=True)
class Pending:
    """A question on its way to the model; the reply comes with the future.

    `live` says that it is about the configured database, whose queries may be run. `history` is
    what was asked and answered before, oldest first.
    """

    question: Question
    schema: Schema | None
    live: bool
    listener: Callable[[str], None] | None = None
    history: tuple[Example, ...] = ()
    future: Future[Reply] = field(default_factory=Future)


class Batcher(threading.Thread):
    """Answers questions in the order of a fair queue, `batch_size` of them at a time.

    Args:
        engine: the model; used by this thread alone.
        config: its settings.
        asking: how prompts look.
        database: the live database, for voting and repair; None does neither.
        waiting: the queue that questions are taken from.
        metrics: what is counted.
        finder: finds few-shot examples; None asks without.
        history_tokens: of earlier questions in a prompt, at most.
    """

    def __init__(
        self,
        engine: Engine,
        config: InferConfig,
        asking: Asking,
        database: LiveDatabase | None,
        waiting: FairQueue[Pending],
        metrics: Metrics,
        finder: ExampleFinder | None = None,
        history_tokens: int = 0,
    ) -> None:
        super().__init__(name="model", daemon=True)
        self._engine, self._config, self._asking = engine, config, asking
        self._database, self._waiting, self._metrics = database, waiting, metrics
        self._finder, self._history_tokens = finder, history_tokens
        self.start()

    def stop(self, seconds: float) -> None:
        """Take no more questions, answer those that wait, and end."""
        self._waiting.close()
        self.join(seconds)

    def run(self) -> None:
        """Answer questions until the queue is closed and empty."""
        while batch := self._waiting.take(self._config.batch_size):
            # One whose asker has given up is no longer worth the model's time.
            wanted = [one for one in batch if one.future.set_running_or_notify_cancel()]
            for live in (True, False):
                group = [one for one in wanted if one.live is live]
                if group:
                    self._metrics.batch_size.observe(len(group))
                    self._answer(group, live)

    def _answer(self, group: Sequence[Pending], live: bool) -> None:
        try:
            database = self._database if live else None
            config, asking = self._config, self._asking
            if database is None:  # neither votes nor repairs
                decoding = DecodingConfig(grammar=config.decoding.grammar)
                config = config.model_copy(update={"decoding": decoding})
            turns = [self._fitting_turns(one) for one in group]
            around = Surroundings(
                asking.template,
                SchemaFitter(
                    lambda number: group[int(number)].schema,
                    asking.style,
                    asking.preset,
                    asking.template,
                    lambda question: turns[question.id],
                ),
                Repairer(database, asking.template, database.kind).answers if database else None,
                {number: one.listener for number, one in enumerate(group)},
            )
            shown = self._with_examples(group, turns)
            for done in answer(self._engine, [question for question, _ in shown], config, around):
                self._metrics.tokens.inc(done.completion_tokens)
                examples = shown[done.id][1]
                reply = Reply(done, predict(done, database), examples, len(turns[done.id]))
                group[done.id].future.set_result(reply)
        except Exception as error:  # the thread must live on, whatever the model did
            if not isinstance(error, UserError):
                log.exception("the model failed on a batch of %d", len(group))
            for one in group:
                if not one.future.done():
                    one.future.set_exception(error)

    def _fitting_turns(self, pending: Pending) -> Sequence[Example]:
        """Return the latest questions of a conversation that there is room for."""
        room = self._config.max_model_len - self._config.max_new_tokens
        left = min(self._history_tokens, room // 2)
        kept: list[Example] = []
        for turn in reversed(pending.history):
            left -= sum(len(self._engine.encode(text)) for text in turn) + TURN_TOKENS
            if left < 0:
                break
            kept.insert(0, turn)
        return kept

    def _with_examples(
        self, group: Sequence[Pending], turns: Sequence[Sequence[Example]]
    ) -> list[tuple[Question, list[Example] | None]]:
        """Return the questions of a batch, numbered, and the examples that their prompts hold."""
        questions = [
            replace(
                one.question,
                id=number,
                db_id=str(number),
                messages=add_history(one.question.messages, turns[number]),
            )
            for number, one in enumerate(group)
        ]
        if self._finder is None:
            return [(question, []) for question in questions]
        found = self._finder.find([(one.question.question, one.schema) for one in group])
        if found is None:
            return [(question, None) for question in questions]
        room = self._config.max_model_len - self._config.max_new_tokens
        template, engine = self._asking.template, self._engine
        harmless = [[Example(*disarm(example)) for example in examples] for examples in found]
        return [
            self._finder.show(question, examples, template, engine, room)
            for question, examples in zip(questions, harmless, strict=True)
        ]
