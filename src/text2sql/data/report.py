"""Statistics of a prepared dataset, as Markdown and PNG."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import ijson
from tqdm import tqdm

from text2sql.artifacts import QUESTIONS
from text2sql.data.report_page import markdown, plot
from text2sql.data.statistics import Statistics
from text2sql.errors import UserError
from text2sql.files import write_text
from text2sql.prompt import Message, Template, load_template, render_text
from text2sql.question import read_questions
from text2sql.schema.prune import estimate_tokens

SCHEMA_TEXT = re.compile(r"\[SCHEMA\]\n(.*)\n\[QUESTION\]\n", re.DOTALL)


def data_report(
    folder: Path,
    output: Path,
    cutoff_len: int,
    template: str = "qwen3",
    tokenizer: str | None = None,
) -> str:
    """Write ``data_report.md`` and ``data_report.png`` for a prepared dataset.

    Hardness is Spider's, by the evaluator's own function (`test_suite_sql_eval.hardness`).

    Args:
        folder: output of `prepare`.
        output: folder for the two files.
        cutoff_len: LLaMA-Factory's cutoff; longer rows are cut in training.
        template: name of the prompt template that the rows are counted in.
        tokenizer: path of a model's folder with its ``tokenizer.json``; without one, lengths are
            estimates and the report says so.

    Returns:
        The Markdown text.

    Raises:
        UserError: no prepared dataset there, or the tokenizer cannot be loaded.
    """
    path = folder / "train.json"
    if not path.is_file():
        raise UserError(f"{path}: no prepared dataset; leave the folder out to report a run's")
    count = _counter(tokenizer)
    prompts = load_template(template, Path(tokenizer) if tokenizer else None)
    sets = [
        _count(name, rows, prompts, count)
        for name, rows in (
            ("training", _training_rows(path)),
            ("evaluation", ((q.messages, q.gold) for q in read_questions(folder / QUESTIONS))),
        )
    ]
    sets = [found for found in sets if found.lengths]
    if not sets:
        raise UserError(f"{path}: holds no rows")
    text = markdown(sets, cutoff_len, template, tokenizer)
    plot(sets, cutoff_len, estimated=tokenizer is None, path=output / "data_report.png")
    write_text(output / "data_report.md", text)
    return text


def _count(
    name: str,
    rows: Iterator[tuple[Sequence[Message], str]],
    template: Template,
    count: Callable[[str], int],
) -> Statistics:
    found = Statistics(name)
    for messages, sql in tqdm(rows, desc=f"{name} rows", unit="row", mininterval=1.0):
        schema = SCHEMA_TEXT.search(next(m["content"] for m in messages if m["role"] == "user"))
        length = count(render_text(messages, template) + sql)
        found.add(length, schema.group(1) if schema else "", sql)
    return found


def _training_rows(path: Path) -> Iterator[tuple[Sequence[Message], str]]:
    with path.open("rb") as stream:
        for row in ijson.items(stream, "item"):
            human, answer = (turn["value"] for turn in row["conversations"])
            yield (
                [
                    {"role": "system", "content": row["system"]},
                    {"role": "user", "content": human},
                ],
                answer,
            )


def _counter(tokenizer: str | None) -> Callable[[str], int]:
    if tokenizer is None:
        return estimate_tokens
    from tokenizers import Tokenizer

    try:
        made: Any = Tokenizer.from_file(str(Path(tokenizer) / "tokenizer.json"))
    except Exception as error:  # the Rust library raises nothing more precise
        raise UserError(f"{tokenizer}: cannot load tokenizer.json: {error}") from None
    return lambda text: len(made.encode(text, add_special_tokens=False).ids)
