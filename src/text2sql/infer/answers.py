"""From questions to prediction records: prompts that fit, the decoding asked for, SQL taken out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from text2sql.files import sha256_text
from text2sql.infer.config import InferConfig
from text2sql.infer.engine import Completion, Engine, Prompt
from text2sql.infer.shrink_prompt import Fitter
from text2sql.infer.sql_gbnf import schema_grammar
from text2sql.infer.vote_and_repair import Choice, QueryRunner, choose, repair
from text2sql.prompt import Template, render_text
from text2sql.sql.extract import extract_sql

REPAIR_REQUEST = (
    "The query failed in {database} with this error: {error}\nWrite the corrected query only."
)
MAX_ERROR_CHARACTERS = 300


@dataclass(frozen=True)
class Surroundings:
    """What answering can draw on beyond the prompts themselves.

    Attributes:
        template: prompt template.
        fitter: renders prompts that are too long anew; None leaves those unanswered.
        databases: runs queries, for voting and repair.
        database: what they are called, for the repair turn.
    """

    template: Template
    fitter: Fitter | None = None
    databases: QueryRunner | None = None
    database: str = "SQLite"


def answer(
    engine: Engine,
    questions: Iterable[dict[str, Any]],
    config: InferConfig,
    around: Surroundings,
) -> Iterator[dict[str, Any]]:
    """Yield a prediction record for every question, in the order the engine finishes them.

    A prompt that leaves no room for an answer of max_new_tokens is rendered anew with less of its
    schema, and its record says ``prompt_pruned``. Where that is not possible it is not sent, never
    cut, and its record says ``prompt_too_long``.

    Args:
        engine: the model.
        questions: records of ``questions.jsonl`` with their rendered ``prompt``.
        config: decoding settings.
        around: databases, schemas and template.
    """
    room = config.max_model_len - config.max_new_tokens
    asked: dict[int, dict[str, Any]] = {}
    prompts: dict[int, Prompt] = {}
    for original in questions:
        question, tokens = _fitting(engine, original, room, around)
        if len(tokens) > room:
            skipped = Completion(question["id"], "", 0, 0.0, "prompt_too_long")
            yield _record(question, len(tokens), Choice(skipped, "", {}))
            continue
        asked[question["id"]] = question
        prompts[question["id"]] = Prompt(
            question["id"],
            tokens,
            question["prompt"],
            question.get("messages", ()),
            grammar=_grammar(question, config, around),
            listener=question.get("listener"),
        )
    for choice in _decode(engine, prompts, asked, config, around, room):
        number = choice.completion.id
        yield _record(asked[number], len(prompts[number].tokens), choice)


def _fitting(
    engine: Engine, question: dict[str, Any], room: int, around: Surroundings
) -> tuple[dict[str, Any], list[int]]:
    """Return a question whose prompt fits, if one can be had, and its tokens."""
    tokens = engine.encode(question["prompt"])
    question = question | {"asked_sha256": sha256_text(question["prompt"])}
    if len(tokens) > room and around.fitter:
        fitted = around.fitter.fit(question, room, engine.encode)
        if fitted:
            return fitted | {"pruned": True}, engine.encode(fitted["prompt"])
    return question, tokens


def _grammar(question: dict[str, Any], config: InferConfig, around: Surroundings) -> str | None:
    if not config.decoding.grammar or around.fitter is None:
        return None
    return schema_grammar(around.fitter.schema(question["db_id"]))


def _decode(
    engine: Engine,
    prompts: dict[int, Prompt],
    asked: dict[int, dict[str, Any]],
    config: InferConfig,
    around: Surroundings,
    room: int,
) -> Iterator[Choice]:
    decoding = config.decoding
    if decoding.samples > 1 and around.databases:
        yield from _voted(engine, prompts, asked, decoding.samples, around.databases)
    elif decoding.repair and around.databases:
        yield from repair(
            engine.generate(list(prompts.values())),
            lambda failures: engine.generate(
                _second_prompts(engine, failures, asked, around, room)
            ),
            lambda number: str(asked[number]["db_id"]),
            around.databases,
        )
    else:
        for done in engine.generate(list(prompts.values())):
            yield Choice(done, extract_sql(done.text), {})


def _voted(
    engine: Engine,
    prompts: dict[int, Prompt],
    asked: dict[int, dict[str, Any]],
    samples: int,
    databases: QueryRunner,
) -> Iterator[Choice]:
    requests = [
        Prompt(
            prompt.id * samples + sample,
            prompt.tokens,
            prompt.text,
            prompt.messages,
            sample,
            prompt.grammar,
        )
        for prompt in prompts.values()
        for sample in range(samples)
    ]
    waiting: dict[int, dict[int, Completion]] = defaultdict(dict)
    for done in engine.generate(requests):
        number, sample = divmod(done.id, samples)
        waiting[number][sample] = Completion(
            number, done.text, done.completion_tokens, done.seconds, done.finish_reason
        )
        if len(waiting[number]) == samples:
            answers = [found for _, found in sorted(waiting.pop(number).items())]
            yield choose(answers, asked[number]["db_id"], databases)


def _second_prompts(
    engine: Engine,
    failures: Sequence[tuple[int, str, str]],
    asked: dict[int, dict[str, Any]],
    around: Surroundings,
    room: int,
) -> list[Prompt]:
    """Prompts that show a failed answer with the database's error; those that fit the context."""
    prompts = []
    for number, text, error in failures:
        turns = [turn for turn in asked[number]["messages"] if turn["role"] != "assistant"]
        reason = error[:MAX_ERROR_CHARACTERS]
        request = REPAIR_REQUEST.format(database=around.database, error=reason)
        messages = [
            *turns,
            {"role": "assistant", "content": text},
            {"role": "user", "content": request},
        ]
        rendered = render_text(messages, around.template)
        tokens = engine.encode(rendered)
        if len(tokens) <= room:
            listener = asked[number].get("listener")
            prompts.append(Prompt(number, tokens, rendered, messages, listener=listener))
    return prompts


def _record(question: dict[str, Any], prompt_tokens: int, choice: Choice) -> dict[str, Any]:
    done = choice.completion
    record = {
        "id": question["id"],
        "db_id": question["db_id"],
        "prompt_sha256": sha256_text(question["prompt"]),
        "raw": done.text,
        "sql": choice.sql,
        "prompt_tokens": prompt_tokens,
        "completion_tokens": done.completion_tokens,
        "seconds": done.seconds,
        "finish_reason": done.finish_reason,
    }
    if question.get("pruned"):
        # The hash by which an interrupted run knows its question again is that of the whole prompt.
        record |= {"prompt_pruned": True, "unpruned_sha256": question["asked_sha256"]}
    return record | choice.facts
