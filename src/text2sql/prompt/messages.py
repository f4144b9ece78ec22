"""Question and schema as chat messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypedDict

from text2sql.errors import UserError


class Message(TypedDict):
    """A chat message; a last one from the assistant is a reply begun for the model to finish."""

    role: str
    content: str


class Example(NamedTuple):
    """A solved question shown to the model."""

    question: str
    sql: str


ExamplesForm = Literal["reference_list", "plain"]

TASK = "Given the database schema and the user question, generate the corresponding SQL query."
ONLY_SQL = (
    "The output must be only a valid SQL query, without explanations, comments, or extra text."
)
QUESTION_MARK = "\n[QUESTION]\n"
EXAMPLES_INTRODUCTION = "Here are some reference examples that might help you:"
ANSWER_OPENING = "[ANSWER]\n"

# p1 to p3 are the prompts of Text2SQL-Qwen3-1.7B, so that its recipe can be run as published;
# short is ours, for small models and short contexts.
SYSTEM_PRESETS = {
    "p1": TASK,
    "p2": f"{TASK}\n{ONLY_SQL}",
    "p3": f"{TASK}\n{ONLY_SQL}",
    "short": "Write one SQLite query that answers the question.",
}


def render_messages(
    question: str,
    schema_text: str,
    system: str = "p2",
    evidence: str = "",
) -> list[Message]:
    """Return the messages that ask for the SQL of a question.

    Args:
        question: the question in plain words.
        schema_text: the schema as `text2sql.schema.render_schema` gives it.
        system: a preset: ``p1``, ``p2``, ``p3`` or ``short``. With ``p3`` the messages end in an
            assistant message that opens the reply with ``[ANSWER]``.
        evidence: what the data set says besides the question; with none nothing is added.

    Raises:
        UserError: no such preset.
    """
    if system not in SYSTEM_PRESETS:
        raise UserError(f"no system preset '{system}'; there are: {', '.join(SYSTEM_PRESETS)}")
    asked = f"\n[SCHEMA]\n{schema_text}{QUESTION_MARK}{question}\n"
    asked += f"[EVIDENCE]\n{evidence}\n" if evidence else ""
    messages: list[Message] = [
        {"role": "system", "content": SYSTEM_PRESETS[system]},
        {"role": "user", "content": asked},
    ]
    if system == "p3":
        messages.append({"role": "assistant", "content": ANSWER_OPENING})
    return messages


def shared_text(user: str) -> str:
    """Return what a user message of `render_messages` has in common with others: the schema."""
    return user.partition(QUESTION_MARK)[0]


def add_history(messages: Sequence[Message], turns: Sequence[Example]) -> list[Message]:
    """Return messages of `render_messages` before which others were asked and answered.

    The schema stands with the first question, so that each prompt of a conversation begins with
    the one before it.

    Args:
        messages: as rendered for the latest question; they are left as they are.
        turns: the earlier questions with their SQL, oldest first; with none nothing is added.
    """
    if not turns:
        return list(messages)
    system, latest, *opening = messages
    schema, mark, asked = latest["content"].partition(QUESTION_MARK)
    told: list[Message] = []
    for question, sql in turns:
        told.append({"role": "user", "content": f"{schema}{mark}{question}\n"})
        told.append({"role": "assistant", "content": sql})
        schema = ""
    return [system, *told, {"role": "user", "content": f"{mark}{asked}"}, *opening]


def add_examples(
    messages: Sequence[Message], examples: Sequence[Example], form: ExamplesForm
) -> list[Message]:
    """Return messages of `render_messages` whose system text also shows solved questions.

    Args:
        messages: as rendered without examples; they are left as they are.
        examples: in the order in which they shall stand; with none nothing is added.
        form: ``reference_list`` as Text2SQL-Qwen3-1.7B writes them, or ``plain``, a question and
            its SQL on a line each, which costs fewer tokens.
    """
    if not examples:
        return list(messages)
    text = _reference_list(examples) if form == "reference_list" else _plain(examples)
    system: Message = {"role": "system", "content": f"{messages[0]['content']}\n{text}"}
    return [system, *messages[1:]]


def _plain(examples: Sequence[Example]) -> str:
    return "\n\n".join(["Examples:", *(f"{question}\n{sql}" for question, sql in examples)])


def _reference_list(examples: Sequence[Example]) -> str:
    lines = [EXAMPLES_INTRODUCTION, "<reference_list>"]
    for number, (question, sql) in enumerate(examples):
        lines += [
            f'  <reference_item id="{number}">',
            f"  [QUESTION] {question}",
            f"  [ANSWER] {sql}",
            "  </reference_item>",
        ]
    return "\n".join([*lines, "</reference_list>"])
