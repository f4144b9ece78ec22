"""How long the training rows are in the model's tokens, and what a cutoff takes from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ijson

from text2sql.data.sharing import Sharing
from text2sql.errors import UserError
from text2sql.prompt import (
    Message,
    Template,
    load_template,
    render_reply,
    render_text,
    shared_text,
)
from text2sql.schema.prune import estimate_tokens

TOKENIZED_AT_ONCE = 1000
ROWS_PACKED_TOGETHER = 1000  # LLaMA-Factory's preprocessing_batch_size


@dataclass(frozen=True)
class Lengths:
    """Tokens of every row: of the prompt, and of the answer with the token that ends it.

    `schemas` has the number of each row's schema, `beginnings` the tokens that the rows about each
    schema begin with.
    """

    prompts: Sequence[int]
    answers: Sequence[int]
    counted: bool  # by the model's tokenizer, not estimated
    schemas: Sequence[int] = ()
    beginnings: Sequence[int] = ()

    @property
    def rows(self) -> list[int]:
        """Whole rows."""
        return [p + a for p, a in zip(self.prompts, self.answers, strict=True)]


@dataclass(frozen=True)
class Cut:
    """Rows that a cutoff shortens: at the end of the prompt, and in the SQL."""

    prompts: int
    answers: int
    rows: int

    def describe(self, cutoff: int) -> str | None:
        """One line of warning, or None when nothing is cut."""
        if not self.prompts and not self.answers:
            return None
        return (
            f"cutoff_len {cutoff} cuts the end of the prompt, with the question in it, in"
            f" {self.prompts / self.rows:.2%} of the rows, and the SQL in"
            f" {self.answers / self.rows:.2%} ({self.prompts} and {self.answers} of {self.rows});"
            " raise cutoff_len, or set the dataset's schema_budget"
        )


def count_cut(lengths: Lengths, cutoff: int) -> Cut:
    """Count the rows that a cutoff shortens, by LLaMA-Factory's own rule."""
    from llamafactory.data.processor.processor_utils import infer_seqlen

    prompts = answers = 0
    for prompt, answer in zip(lengths.prompts, lengths.answers, strict=True):
        left = infer_seqlen(prompt, answer, cutoff)
        prompts += left[0] < prompt
        answers += left[1] < answer
    return Cut(prompts, answers, len(lengths.prompts))


def measure_lengths(data: Path, template: str, model: Path | None) -> Lengths:
    """Count the tokens of every row of a prepared dataset.

    Args:
        data: output of the data stage.
        template: name of the prompt template.
        model: the model's folder; without one, lengths are estimated from the characters.

    Raises:
        UserError: no prepared dataset there.
    """
    path = data / "train.json"
    if not path.is_file():
        raise UserError(f"{path}: no training data; run: make data")
    prompts: list[int] = []
    answers: list[int] = []
    tokenizer = tokenizer_of(model)
    written = load_template(template, model if tokenizer else None)
    batch: list[tuple[str, str]] = []
    numbers: dict[str, int] = {}
    schemas: list[int] = []
    with path.open("rb") as stream:
        for row in ijson.items(stream, "item"):
            batch.append(_texts(row, written))
            schemas.append(numbers.setdefault(shared_text(batch[-1][0]), len(numbers)))
            if len(batch) == TOKENIZED_AT_ONCE:
                _count(batch, tokenizer, prompts, answers)
                batch.clear()
    _count(batch, tokenizer, prompts, answers)
    if not prompts:
        raise UserError(f"{path}: holds no rows")
    beginnings: list[int] = []
    _count([(text, "") for text in numbers], tokenizer, beginnings, [])
    return Lengths(prompts, answers, tokenizer is not None, schemas, beginnings)


def packed_rows(lengths: Sequence[int], cutoff: int) -> int:
    """Return how many packed sequences LLaMA-Factory makes, batch by batch."""
    from llamafactory.data.processor.processor_utils import greedy_knapsack

    rows = [min(length, cutoff) for length in lengths]
    starts = range(0, len(rows), ROWS_PACKED_TOGETHER)
    return sum(
        len(greedy_knapsack(rows[start : start + ROWS_PACKED_TOGETHER], cutoff)) for start in starts
    )


def shared_sequences(lengths: Lengths, rows: int, cutoff: int) -> list[int]:
    """Return the tokens of each sequence that the first rows become where they share schemas."""
    sharing = Sharing(cutoff)
    for schema, tokens in zip(lengths.schemas[:rows], lengths.rows[:rows], strict=True):
        whole = min(tokens, cutoff)
        sharing.add(schema, min(lengths.beginnings[schema], whole), whole)
    return sharing.sequences


def _texts(row: dict[str, Any], template: Template) -> tuple[str, str]:
    human, *answers = (turn["value"] for turn in row["conversations"])
    answers += [row[key]["value"] for key in ("chosen", "rejected") if key in row]
    messages: list[Message] = [{"role": "user", "content": human}]
    if row.get("system"):
        messages.insert(0, {"role": "system", "content": row["system"]})
    return render_text(messages, template), render_reply(max(answers, key=len), template)


def tokenizer_of(model: Path | None) -> Any:
    """Return the tokenizer of a model's folder; None where it has no ``tokenizer.json``."""
    if model is None or not (model / "tokenizer.json").is_file():
        return None
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(model / "tokenizer.json"))


def _count(
    batch: list[tuple[str, str]], tokenizer: Any, prompts: list[int], answers: list[int]
) -> None:
    for position, found in ((0, prompts), (1, answers)):
        texts = [pair[position] for pair in batch]
        if tokenizer is None:
            found.extend(estimate_tokens(text) for text in texts)
        else:
            encoded = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
            found.extend(len(ids) for ids in encoded)
