"""Retrieved examples in prompts, as many as the model's context has room for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from text2sql.artifacts import EXAMPLES
from text2sql.errors import UserError
from text2sql.files import read_jsonl
from text2sql.infer.engine import Engine
from text2sql.prompt import Example, Template, add_examples, render_text
from text2sql.question import Question


def read_examples(folder: Path) -> dict[int, list[Example]]:
    """Return the examples of a retrieve stage by question id, best first."""
    path = folder / EXAMPLES
    found: dict[int, list[Example]] = {}
    for number, row in enumerate(read_jsonl(path), start=1):
        try:
            found[row["id"]] = [Example(e["question"], e["sql"]) for e in row["examples"]]
        except (KeyError, TypeError):
            raise UserError(f"{path}:{number}: no id and examples; run: make retrieve") from None
    return found


def add_found_examples(
    questions: Iterable[Question],
    found: Mapping[int, list[Example]],
    style: dict[str, Any],
    template: Template,
    engine: Engine,
    room: int,
) -> tuple[list[Question], dict[str, int]]:
    """Put examples, by question id, into the messages of questions; see `fit_examples`.

    Returns:
        The questions; counts: ``examples`` shown, and ``examples_without_room``.

    Raises:
        UserError: a question was not searched for.
    """
    with_examples, shown, dropped = [], 0, 0
    for question in questions:
        if question.id not in found:
            raise UserError(
                f"question {question.id} has no entry in {EXAMPLES}; run: make retrieve"
            )
        examples = found[question.id]
        question, kept = fit_examples(question, examples, style, template, engine, room)
        with_examples.append(question)
        shown, dropped = shown + len(kept), dropped + len(examples) - len(kept)
    return with_examples, {"examples": shown, "examples_without_room": dropped}


def fit_examples(
    question: Question,
    examples: list[Example],
    style: dict[str, Any],
    template: Template,
    engine: Engine,
    room: int,
) -> tuple[Question, list[Example]]:
    """Put the best examples that fit into a question's messages.

    Args:
        question: without examples.
        examples: best first.
        style: ``form`` and ``order`` of a retrieval config.
        template: the model's chat template.
        engine: counts tokens.
        room: most tokens of a prompt; the worst examples are left out until it fits.

    Returns:
        The question with them, and those that fit, best first.
    """
    for count in range(len(examples), 0, -1):
        ordered = examples[:count][::-1] if style["order"] == "best_last" else examples[:count]
        messages = add_examples(question.messages, ordered, style["form"])
        if len(engine.encode(render_text(messages, template))) <= room:
            return replace(question, messages=messages), examples[:count]
    return question, []
