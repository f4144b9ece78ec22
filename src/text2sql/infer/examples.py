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
from text2sql.prompt import Example, Template, fit_examples
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
        messages = question.messages
        messages, kept = fit_examples(messages, examples, style, template, engine.encode, room)
        with_examples.append(replace(question, messages=messages))
        shown, dropped = shown + len(kept), dropped + len(examples) - len(kept)
    return with_examples, {"examples": shown, "examples_without_room": dropped}
