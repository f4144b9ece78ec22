"""Rows made for training chat models: Alpaca's instructions, and conversations.

Their prompt is one text. Where schema and question can be told apart in it they are, so that such a
row is asked in the same words as all others; where they cannot, the text stays as it is.
"""

from __future__ import annotations

import re
from typing import Any

CHAT_KEYS = ("conversations", "messages")
# ShareGPT's names of speakers, and those of OpenAI's messages.
SPEAKERS = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "system": "system",
}
OUR_PROMPT = re.compile(r"\s*\[SCHEMA\]\n(.*?)\n\[QUESTION\]\n(.*)", re.DOTALL)
PROSE = re.compile(r"(?:^|\n)(\S+) contains tables such as ")
# What a schema has and an instruction has not, in any of the forms that we know.
SCHEMA = re.compile(
    r"create\s+table|contains tables such as|has columns|^# Table:|【"
    r"|\w+\s*\([\w \"`]+(?:,[\w \"`]+)*\)",
    re.IGNORECASE | re.MULTILINE,
)


def read_instruction(taken: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    """Return the parts of a row in Alpaca's form.

    Args:
        taken: as `SHAPES` reads them: the instruction, or a translation of it, as the schema.
        value: the row.

    Returns:
        The same parts, with the database that DB-GPT-Hub's prose names; where the instruction is no
        schema, ``prompt`` in place of ``schema``: instruction and input, as LLaMA-Factory joins
        them.
    """
    instruction = value["instruction"]
    if not isinstance(instruction, str) or not isinstance(taken["question"], str):
        return taken
    named = PROSE.search(instruction)
    if named:
        return taken | {"db_id": named[1]}
    if "table_creating" in value or SCHEMA.search(instruction) or not taken["question"].strip():
        return taken
    prompt = f"{instruction}\n{taken['question']}"
    rest = {key: part for key, part in taken.items() if key != "schema"}
    system = value.get("system") or ""
    return rest | _parts(prompt, taken["question"]) | {"system": system}


def read_chat(value: dict[str, Any], key: str) -> dict[str, str] | str:
    """Return the parts of a conversation of one question and one answer, or what is wrong with it.

    Args:
        value: the row, in ShareGPT's form or as OpenAI's messages.
        key: where its turns are.
    """
    turns = value[key]
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        return f"{key} is no list of turns"
    system, spoken = str(value.get("system") or ""), []
    for turn in turns:
        speaker = SPEAKERS.get(str(turn.get("from", turn.get("role"))))
        text = turn.get("value", turn.get("content"))
        if speaker is None or not isinstance(text, str):
            return f"{key}: a turn without a known speaker (human, gpt, ...) or without a text"
        if speaker == "system":
            system = text
        else:
            spoken.append((speaker, text))
    if [speaker for speaker, _ in spoken] != ["user", "assistant"]:
        return f"{key}: holds {len(spoken)} turns; one question and its answer are read"
    (_, asked), (_, sql) = spoken
    return {**_parts(asked, asked), "sql": sql, "system": system}


def _parts(prompt: str, question: str) -> dict[str, str]:
    """Return schema and question of a prompt of ours, else the prompt whole."""
    ours = OUR_PROMPT.fullmatch(prompt)
    if ours:
        return {"schema": ours[1], "question": ours[2]}
    return {"prompt": prompt, "question": question}
