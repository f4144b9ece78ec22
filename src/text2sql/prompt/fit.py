"""Solved questions in a prompt, as many as there is room for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from text2sql.prompt.messages import Example, Message, add_examples
from text2sql.prompt.template import Template, render_text


def fit_examples(
    messages: Sequence[Message],
    examples: Sequence[Example],
    style: Mapping[str, Any],
    template: Template,
    encode: Callable[[str], Sequence[int]],
    room: int,
) -> tuple[list[Message], list[Example]]:
    """Put the best examples that fit into the messages of a question.

    Args:
        messages: as rendered without examples; they are left as they are.
        examples: best first.
        style: ``form`` and ``order`` of a retrieval config.
        template: the model's chat template.
        encode: gives the model's tokens of a text.
        room: most tokens of a prompt; the worst examples are left out until it fits.

    Returns:
        The messages with them, and those that fit, best first.
    """
    for count in range(len(examples), 0, -1):
        ordered = examples[:count][::-1] if style["order"] == "best_last" else examples[:count]
        longer = add_examples(messages, ordered, style["form"])
        if len(encode(render_text(longer, template))) <= room:
            return longer, list(examples[:count])
    return list(messages), []
