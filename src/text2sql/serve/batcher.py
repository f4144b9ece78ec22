"""The threads that ask the model: each takes what waits, has it answered and hands it back."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
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
from text2sql.schema.linker import Scorer
from text2sql.serve.control_words import disarm
from text2sql.serve.database import LiveDatabase
from text2sql.serve.examples import ExampleFinder
from text2sql.serve.fair_queue import FairQueue
from text2sql.serve.metrics import Metrics

log = logging.getLogger("text2sql.serve")

TURN_TOKENS = 16  # of the marks around a question and its SQL


@dataclass(frozen=True)
class Asking:
    """How prompts look: what the model was trained with.

    `linker` says which tables and columns a question needs, where not all are shown; None is word
    overlap.
    """

    template: Template
    preset: str
    style: str
    linker: Scorer | None = None


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

    `model` names the one that is asked. `live` says that it is about the configured database, whose
    queries may be run. `history` is what was asked and answered before, oldest first.
    """

    model: str
    question: Question
    schema: Schema | None
    live: bool
    listener: Callable[[str], None] | None = None
    history: tuple[Example, ...] = ()
    future: Future[Reply] = field(default_factory=Future)


class Batcher:
    """Answers questions in the order of a fair queue.

    A model in this process is worked by one thread, `batch_size` questions at a time. A server
    makes up its own batches, of what has come in at any time: there `batch_size` threads ask it one
    question each, so that no answer waits for a longer one.

    Args:
        engines: the models by name; safe to share between threads where they are of a server.
        config: their settings.
        asking: how prompts look.
        database: the live database, for voting and repair; None does neither.
        waiting: the queue that questions are taken from.
        metrics: what is counted.
        finder: finds few-shot examples; None asks without.
        history_tokens: of earlier questions in a prompt, at most.
    """

    def __init__(
        self,
        engines: Mapping[str, Engine],
        config: InferConfig,
        asking: Asking,
        database: LiveDatabase | None,
        waiting: FairQueue[Pending],
        metrics: Metrics,
        finder: ExampleFinder | None = None,
        history_tokens: int = 0,
    ) -> None:
        self._engines, self._config, self._asking = engines, config, asking
        self._database, self._waiting, self._metrics = database, waiting, metrics
        self._finder, self._history_tokens = finder, history_tokens
        count, self._most = 1, config.batch_size
        if config.engine == "openai":
            count, self._most = config.batch_size, 1
        self._threads = [
            threading.Thread(target=self._work, name=f"model {number}", daemon=True)
            for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def alive(self) -> bool:
        """Whether questions are taken and answered."""
        return all(thread.is_alive() for thread in self._threads)

    def stop(self, seconds: float) -> None:
        """Take no more questions, answer those that wait, and end; within so many seconds."""
        self._waiting.close()
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _work(self) -> None:
        """Answer questions until the queue is closed and empty."""
        while batch := self._waiting.take(self._most):
            groups: defaultdict[tuple[str, bool], list[Pending]] = defaultdict(list)
            for one in batch:
                # One whose asker has given up is no longer worth the model's time.
                if one.future.set_running_or_notify_cancel():
                    groups[one.model, one.live].append(one)
            for (model, live), group in groups.items():
                self._metrics.batch_size.observe(len(group))
                self._answer(self._engines[model], group, live)

    def _answer(self, engine: Engine, group: Sequence[Pending], live: bool) -> None:
        try:
            database = self._database if live else None
            config, asking = self._config, self._asking
            if database is None:  # neither votes nor repairs
                decoding = DecodingConfig(grammar=config.decoding.grammar)
                config = config.model_copy(update={"decoding": decoding})
            turns = [self._fitting_turns(engine, one) for one in group]
            around = Surroundings(
                asking.template,
                SchemaFitter(
                    lambda number: group[int(number)].schema,
                    asking.style,
                    asking.preset,
                    asking.template,
                    lambda question: turns[question.id],
                    asking.linker,
                ),
                Repairer(database, asking.template, database.kind).answers if database else None,
                {number: one.listener for number, one in enumerate(group)},
            )
            shown = self._with_examples(engine, group, turns)
            for done in answer(engine, [question for question, _ in shown], config, around):
                self._metrics.tokens.inc(done.completion_tokens)
                examples = shown[done.id][1]
                reply = Reply(done, predict(done, database), examples, len(turns[done.id]))
                group[done.id].future.set_result(reply)
        except Exception as error:  # the thread must live on, whatever the model did
            if isinstance(error, UserError):  # of a server
                log.error("the model's server: %s", error)
            else:
                log.exception("the model failed on a batch of %d", len(group))
            for one in group:
                if not one.future.done():
                    one.future.set_exception(error)

    def _fitting_turns(self, engine: Engine, pending: Pending) -> Sequence[Example]:
        """Return the latest questions of a conversation that there is room for."""
        room = self._config.max_model_len - self._config.max_new_tokens
        left = min(self._history_tokens, room // 2)
        kept: list[Example] = []
        for turn in reversed(pending.history):
            left -= sum(len(engine.encode(text)) for text in turn) + TURN_TOKENS
            if left < 0:
                break
            kept.insert(0, turn)
        return kept

    def _with_examples(
        self, engine: Engine, group: Sequence[Pending], turns: Sequence[Sequence[Example]]
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
        template = self._asking.template
        harmless = [[Example(*disarm(example)) for example in examples] for examples in found]
        return [
            self._finder.show(question, examples, template, engine, room)
            for question, examples in zip(questions, harmless, strict=True)
        ]
