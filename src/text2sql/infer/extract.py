"""Take the SQL out of what a model answered."""

from __future__ import annotations

import re

THOUGHT = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
FENCE = re.compile(r"```[ \t]*(\w*)[ \t]*\n(.*?)(?:```|\Z)", re.DOTALL)
ANSWER_MARKS = ("[ANSWER]", "[SQL]")
# WITH is also an English word, so it counts only where a common table expression follows.
STATEMENT = re.compile(
    r"\bselect\b|\bwith\s+(?:recursive\s+)?[\w\"`\[\]]+\s*(?:\([^)]*\)\s*)?as\s*\(", re.IGNORECASE
)
# One lexical unit of SQL: a comment, a quoted text or name, a blank line, a run of space, a sign.
UNIT = re.compile(
    r"(?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z))"
    r"|(?P<quoted>'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`)"
    r"|(?P<gap>[ \t\r]*\n[ \t\r]*\n\s*)"
    r"|(?P<space>\s+)"
    r"|(?P<other>.)",
    re.DOTALL,
)
# What may stand after a blank line inside one statement; anything else there is an explanation.
CLAUSE = re.compile(
    r"(?:select|from|where|group|order|having|limit|join|left|right|inner|cross|natural|on|and|or"
    r"|union|intersect|except|with|case|when|then|else|end|offset|window)\b|[()\"'`*,]",
    re.IGNORECASE,
)


def extract_sql(answer: str) -> str:
    """Return the first SQL query in a model's answer, on one line.

    Thoughts are dropped, then the text after the last answer mark, then the first code block that
    holds a query is taken; the query ends at a semicolon outside quotes, at the end of the block,
    or at a blank line that no SQL clause follows.

    Args:
        answer: what the model wrote.

    Returns:
        The query without its semicolon and comments, runs of white space as one space; empty when
        there is no query in the answer.
    """
    text = THOUGHT.sub("", answer).replace("</think>", "")
    for mark in ANSWER_MARKS:
        text = text.rsplit(mark, 1)[-1]
    blocks = [body for _, body in FENCE.findall(text) if STATEMENT.search(body)]
    if blocks:
        text = blocks[0]
    start = STATEMENT.search(text)
    return _first_statement(text[start.start() :]) if start else ""


def _first_statement(text: str) -> str:
    parts: list[str] = []
    for unit in UNIT.finditer(text):
        kind, value = unit.lastgroup, unit.group()
        if value == ";" or text.startswith("```", unit.start()):
            break
        if kind == "gap" and not CLAUSE.match(text, unit.end()):
            break
        if kind in ("gap", "space", "comment"):
            parts.append(" ")
        else:
            parts.append(" ".join(value.split("\n")) if kind == "quoted" else value)
    return _collapse(parts)


def _collapse(parts: list[str]) -> str:
    """Join units with at most one space between them; quoted texts keep their inner spaces."""
    kept: list[str] = []
    for part in parts:
        if part == " " and (not kept or kept[-1] == " "):
            continue
        kept.append(part)
    return "".join(kept).strip()
