"""What a converted model is checked with: strings for its tokenizer, prompts with their answers."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from text2sql.prompt import Template, render_text
from text2sql.question import read_questions

STRINGS = 1000
PERPLEXITY_QUESTIONS = 400  # at most; all of the sample set's
SEED = 42
# Pieces that tokenizers treat in their own ways: case, digits, space, signs, scripts, emoji.
PIECES = (
    "SELECT", "select", " Count", "(*)", "FROM", " t1.", "_id", "camelCase", "snake_case_name",
    "1", "22", "333", "2024-01-31", "3.14159", "-0", "1e-9", " ", "  ", "   ", "\t", "\n", "\n\n",
    " \n ", "\r\n", "'", "''", '"', "`", ";", "--", "/*", "*/", "!=", "<>", ">=", "||", "%", "…",
    "it's", "We'll", "naïve", "Größe", "São Paulo", "Žluťoučký", "ΑΒΓ", "привет", "שלום", "مرحبا",
    "数据库", "查询", "テーブル", "데이터", "हिन्दी", "ไทย", "🙂", "👩‍💻", "🇫🇷", "é", "ﬁ", "²", "½",
    "\u200b",
    "<|im_start|>", "<|im_end|>", "<think>", "</think>", "[ANSWER]", "```sql", "<", "|", "{", "}",
)  # fmt: skip


@dataclass(frozen=True)
class Probe:
    """A prompt as the model reads it and the answer that is right."""

    prompt: str
    answer: str


def read_probes(questions: Path, template: Template) -> list[Probe]:
    """Return the questions of a data stage (its ``questions.jsonl``) as probes."""
    return [Probe(render_text(q.messages, template), q.gold) for q in read_questions(questions)]


def spread(probes: list[Probe], count: int) -> list[Probe]:
    """Return `count` probes spread evenly over the list, or all where there are fewer."""
    if len(probes) <= count:
        return probes
    return [probes[place * len(probes) // count] for place in range(count)]


def tokenizer_strings(probes: list[Probe], count: int = STRINGS) -> list[str]:
    """Return strings to compare tokenizers on: prompts and answers, the rest random pieces."""
    strings = [
        text for probe in spread(probes, count // 5) for text in (probe.prompt, probe.answer)
    ]
    chooser = random.Random(SEED)
    while len(strings) < count:
        strings.append("".join(chooser.choices(PIECES, k=chooser.randint(1, 40))))
    return strings[:count]
