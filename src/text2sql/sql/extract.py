"""Take the SQL out of what a model answered."""

from __future__ import annotations

import json
import re

THOUGHT = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL)
THOUGHT_END = re.compile(r".*</think(?:ing)?>", re.DOTALL)
FENCE = re.compile(r"```[ \t]*(\w*)[ \t]*\n(.*?)(?:```|\Z)", re.DOTALL)
NEXT_QUESTION = re.compile(r"\[(?:QUESTION|SCHEMA)\]|<\|im_start\|>user")  # made up by the model
ANSWER_MARKS = ("[ANSWER]", "[SQL]", "<answer>", "<sql>")
# WITH is also an English word, so it counts only where a common table expression follows.
STATEMENT = re.compile(
    r"\bselect\b|\bwith\s+(?:recursive\s+)?[\w\"`\[\]]+\s*(?:\([^)]*\)\s*)?as\s*\(", re.IGNORECASE
)
# "Select the names ..." and "to select all singers ..." are English, "select a from b" is not.
ENGLISH = re.compile(
    r"[Ss]elect\s+(?:the|all|only|those|these|every|each|just|a|an|any|which|both|from\s+the)\s+"
    r"(?!from\b|as\b)[a-z]+\b(?!\s*,|\s+FROM\b)"
)
KEY_BEFORE = re.compile(r'"\w+"\s*:\s*"$')  # of an answer written as JSON
# One lexical unit of SQL: a comment, a quoted text or name, a run of space, a sign.
UNIT = re.compile(
    r"(?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z))"
    r"|(?P<quoted>'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`)"
    r"|(?P<gap>[ \t\r]*\n[ \t\r]*\n\s*)"
    r"|(?P<line>[ \t\r]*\n[ \t\r]*)"
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
# Lines that begin something else: prose, a label, a heading, a list, a turn of the conversation.
OTHER_LINE = re.compile(
    r"(?:This|The|That|These|It|Here|Note|We|You|I|Let|Please|However|Hope|Since|Because|Therefore"
    r"|If|In this|Alternatively)[,']?\s+[a-z]"
    r"|\*\*[A-Z]|#{1,6}\s|(?:[A-Z]\w*(?: [a-z]+)?|SQL\w*):(?!:)|\[/?[A-Z]+\]|\d+[.)]\s+[A-Z]"
)
TURN_END = re.compile(r"<\||</s>|</?(?:answer|sql)>|\[/(?:ANSWER|SQL|INST)\]")


def extract_sql(answer: str) -> str:
    """Return the first SQL query in a model's answer, on one line.

    Thoughts and questions that the model made up are dropped, then the text after the last answer
    mark, then the first code block that
    holds a query is taken; the query ends at a semicolon outside quotes, at the end of the block,
    where the conversation's next turn begins, or at a line that is an explanation.

    Args:
        answer: what the model wrote.

    Returns:
        The query without its semicolon and comments, runs of white space as one space; empty when
        there is no query in the answer.
    """
    text = THOUGHT_END.sub("", THOUGHT.sub("", answer))
    text = NEXT_QUESTION.split(text)[0]
    for mark in ANSWER_MARKS:
        parts = text.split(mark)
        text = next((part for part in reversed(parts) if STATEMENT.search(part)), parts[-1])
    blocks = [body for _, body in FENCE.findall(text) if STATEMENT.search(body)]
    if blocks:
        text = blocks[0]
    start = _start(text)
    return "" if start is None else _first_statement(_unwrapped(text, start))


def _start(text: str) -> int | None:
    """Return where the query begins: the first place that does not read as English."""
    places = [match.start() for match in STATEMENT.finditer(text)]
    likely = [place for place in places if not ENGLISH.match(text, place)]
    return next(iter(likely or places), None)


def _unwrapped(text: str, start: int) -> str:
    """Return the text from a query's start, freed from JSON, backticks or parentheses."""
    before = text[:start]
    if KEY_BEFORE.search(before):
        try:
            return str(json.JSONDecoder().raw_decode(text, start - 1)[0])
        except ValueError:
            return text[start:].rsplit('"', 1)[0]
    if before.endswith("`") and not before.endswith("``"):
        return text[start:].split("`", 1)[0]
    return _without_closing(text[start:]) if before.rstrip().endswith("(") else text[start:]


def _without_closing(text: str) -> str:
    """Cut a query that stood in parentheses where they close."""
    depth = 0
    for unit in UNIT.finditer(text):
        depth += {"(": 1, ")": -1}.get(unit.group(), 0)
        if depth < 0:
            return text[: unit.start()]
    return text


def _first_statement(text: str) -> str:
    parts: list[str] = []
    for unit in UNIT.finditer(text):
        kind, value = unit.lastgroup, unit.group()
        if value == ";" or text.startswith("```", unit.start()):
            break
        if TURN_END.match(text, unit.start()):
            break
        if kind == "gap" and not CLAUSE.match(text, unit.end()):
            break
        if kind in ("gap", "line") and OTHER_LINE.match(text, unit.end()):
            break
        if kind in ("gap", "line", "space", "comment"):
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
