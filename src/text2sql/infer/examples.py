"""Retrieved examples in prompts, as many as the model's context has room for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from text2sql.artifacts import EXAMPLES
from text2sql.errors import UserError
from text2sql.files import read_jsonl
from text2sql.infer.engine import Engine
from text2sql.prompt import Example, Template, add_examples, render_text


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
    questions: dict[int, dict[str, Any]],
    found: dict[int, list[Example]],
    style: dict[str, Any],
    template: Template,
    engine: Engine,
    room: int,
) -> dict[str, int]:
    """Put examples into the prompts of questions, and say how many.

    Args:
        questions: records; their ``messages`` and ``prompt`` are replaced.
        found: examples by question id, best first.
        style: ``form`` and ``order`` of a retrieval config.
        template: the model's chat template.
        engine: counts tokens.
        room: most tokens of a prompt; the worst examples are left out until it fits.

    Returns:
        Counts: ``examples`` shown, and ``examples_without_room``.

    Raises:
        UserError: a question was not searched for.
    """
    shown = dropped = 0
    for key, row in questions.items():
        if key not in found:
            raise UserError(f"question {key} has no entry in {EXAMPLES}; run: make retrieve")
        kept = len(fit_examples(row, found[key], style, template, engine, room))
        shown, dropped = shown + kept, dropped + len(found[key]) - kept
    return {"examples": shown, "examples_without_room": dropped}


def fit_examples(
    row: dict[str, Any],
    examples: list[Example],
    style: dict[str, Any],
    template: Template,
    engine: Engine,
    room: int,
) -> list[Example]:
    """Put the best examples that fit into a question's prompt; return them, best first.

    Args:
        row: a record; its ``messages`` and ``prompt`` are replaced.
        examples: best first.
        style: ``form`` and ``order`` of a retrieval config.
        template: the model's chat template.
        engine: counts tokens.
        room: most tokens of a prompt; the worst examples are left out until it fits.
    """
    kept: list[Example] = []
    messages, prompt = row["messages"], render_text(row["messages"], template)
    for count in range(len(examples), 0, -1):
        ordered = examples[:count][::-1] if style["order"] == "best_last" else examples[:count]
        shown = add_examples(row["messages"], ordered, style["form"])
        rendered = render_text(shown, template)
        if len(engine.encode(rendered)) <= room:
            kept, messages, prompt = examples[:count], shown, rendered
            break
    row["messages"], row["prompt"] = messages, prompt
    return kept
