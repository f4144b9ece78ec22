"""From questions to a model's answers: prompts that fit, and as many answers as are wanted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from text2sql.files import read_jsonl, sha256_text
from text2sql.infer.config import InferConfig
from text2sql.infer.engine import Completion, Engine, Prompt
from text2sql.infer.name_scope import NameScope
from text2sql.infer.shrink_prompt import SchemaFitter
from text2sql.infer.sql_gbnf import schema_grammar
from text2sql.prompt import Template, render_text
from text2sql.question import Question

# What asks again where a query fails; see `text2sql.infer.repair`.
Repair = Callable[
    [Engine, Sequence[Prompt], Mapping[int, str], int], Iterator[tuple[Completion, dict[str, str]]]
]


@dataclass(frozen=True)
class Surroundings:
    """What answering can draw on beyond the prompts themselves.

    Attributes:
        template: prompt template.
        fitter: renders prompts that are too long anew; None leaves those unanswered.
        repair: asks again where a query fails, if the config wants that.
        listeners: told the answer to a question, by its id, as it grows.
    """

    template: Template
    fitter: SchemaFitter | None = None
    repair: Repair | None = None
    listeners: Mapping[int, Callable[[str], None] | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What a model wrote for a question: one text, or as many as samples were asked for.

    `finish_reasons` has one for each (see `Completion`); tokens and seconds are those of all, and
    of a first answer that was repaired. `unpruned_sha256` is the hash of the whole prompt where its
    schema was pruned. `repairs` has ``worked``, ``failed``, ``not needed`` or ``no room`` for each
    text where repair is asked for, `first_errors` what the database said to those that failed.
    """

    id: int
    db_id: str
    prompt_sha256: str
    prompt_tokens: int
    texts: Sequence[str] = ("",)
    finish_reasons: Sequence[str] = ("prompt_too_long",)
    completion_tokens: int = 0
    seconds: float = 0.0
    unpruned_sha256: str = ""
    repairs: Sequence[str] = ()
    first_errors: Sequence[str] = ()


def read_answers(path: Path) -> Iterator[Answer]:
    """Yield the answers of an ``answers.jsonl`` or a journal of them."""
    return (Answer(**row) for row in read_jsonl(path))


def answer(
    engine: Engine, questions: Iterable[Question], config: InferConfig, around: Surroundings
) -> Iterator[Answer]:
    """Yield an answer to every question, in the order the engine finishes them.

    A prompt that leaves no room for an answer of max_new_tokens is rendered anew with less of its
    schema. Where that is not possible it is not sent, never cut: ``prompt_too_long``.

    Args:
        engine: the model.
        questions: with their messages.
        config: decoding settings.
        around: schemas, template and what repairs.
    """
    room = config.max_model_len - config.max_new_tokens
    asked: dict[int, Answer] = {}
    prompts: list[Prompt] = []
    for question in questions:
        prompt, whole = _fitting_prompt(engine, question, config, around, room)
        blank = Answer(
            question.id,
            question.db_id,
            sha256_text(prompt.text),
            len(prompt.tokens),
            unpruned_sha256="" if whole == prompt.text else sha256_text(whole),
        )
        if len(prompt.tokens) > room:
            yield blank
            continue
        asked[question.id] = blank
        prompts.append(prompt)
    for number, completions, facts in _decode(engine, prompts, asked, config, around, room):
        yield replace(
            asked[number],
            texts=[done.text for done in completions],
            finish_reasons=[done.finish_reason for done in completions],
            completion_tokens=sum(done.completion_tokens for done in completions),
            seconds=round(sum(done.seconds for done in completions), 4),
            **facts,
        )


def _fitting_prompt(
    engine: Engine, question: Question, config: InferConfig, around: Surroundings, room: int
) -> tuple[Prompt, str]:
    """Return the prompt of a question, one that fits if that can be had, and its whole text."""
    text = whole = render_text(question.messages, around.template)
    tokens = engine.encode(text)
    if len(tokens) > room and around.fitter:
        fitted = around.fitter.fit(question, room, engine.encode)
        if fitted:
            question, text = fitted, render_text(fitted.messages, around.template)
            tokens = engine.encode(text)
    grammar = scope = None
    if around.fitter and (config.decoding.grammar or config.decoding.scope):
        schema = around.fitter.schema(question.db_id)
        if schema and config.decoding.grammar:
            grammar = schema_grammar(schema)
        if schema and config.decoding.scope and schema.dialect == "sqlite":
            scope = NameScope(schema).allows
    listener = around.listeners.get(question.id)
    prompt = Prompt(
        question.id,
        tokens,
        text,
        question.messages,
        grammar=grammar,
        scope=scope,
        listener=listener,
    )
    return prompt, whole


def _decode(
    engine: Engine,
    prompts: list[Prompt],
    asked: Mapping[int, Answer],
    config: InferConfig,
    around: Surroundings,
    room: int,
) -> Iterator[tuple[int, list[Completion], dict[str, Any]]]:
    """Yield each question's id with its completions and what became of their repairs."""
    count = config.decoding.samples
    if count > 1:
        prompts = [
            replace(prompt, id=prompt.id * count + sample, sample=sample, listener=None)
            for prompt in prompts
            for sample in range(count)
        ]
    written: Iterator[tuple[Completion, dict[str, str]]]
    if config.decoding.repair and around.repair:
        db_ids = {prompt.id: asked[prompt.id // count].db_id for prompt in prompts}
        written = around.repair(engine, prompts, db_ids, room)
    else:
        written = ((done, {}) for done in engine.generate(prompts))
    waiting: dict[int, dict[int, tuple[Completion, dict[str, str]]]] = defaultdict(dict)
    for done, facts in written:
        number, sample = divmod(done.id, count)
        waiting[number][sample] = done, facts
        if len(waiting[number]) == count:
            samples = [found for _, found in sorted(waiting.pop(number).items())]
            yield number, [done for done, _ in samples], _repairs([facts for _, facts in samples])


def _repairs(facts: list[dict[str, str]]) -> dict[str, Any]:
    """Return what became of the repairs of a question's texts, as keys of its answer."""
    return {
        "repairs": [fact["repair"] for fact in facts if "repair" in fact],
        "first_errors": [fact["first_error"] for fact in facts if "first_error" in fact],
    }
