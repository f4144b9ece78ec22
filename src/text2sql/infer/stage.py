"""The infer stage: every evaluation question through a model, written down as it is answered."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from text2sql.files import atomic_open, read_jsonl, sha256_text, write_text
from text2sql.infer.config import InferConfig
from text2sql.infer.engine import Completion, Engine, Prompt, load_engine
from text2sql.infer.examples import add_found_examples, read_examples
from text2sql.infer.extract import extract_sql
from text2sql.prompt import render_text, stop_words

if TYPE_CHECKING:
    from text2sql.worker import Job

PREDICTIONS = "predictions.jsonl"
JOURNAL = "journal.jsonl"
PREDICT_FILE = "predict.txt"
# Stands for an answer without SQL. It must fail to run: an empty line would mean something else to
# an evaluator, and a comment runs, which would make it right wherever the gold result is empty.
NO_SQL = "NO_SQL"


def run(job: Job) -> dict[str, Any]:
    """Answer the questions that are not answered yet; write predictions.jsonl and predict.txt.

    Returns:
        Counts of questions, tokens, finish reasons and answers without SQL; seconds and questions
        per second of this process.
    """
    template = job.config["template"]
    style = job.config.get("examples")
    config = InferConfig.model_validate(
        {k: v for k, v in job.config.items() if k not in ("template", "examples")}
    )
    questions = {
        row["id"]: row | {"prompt": render_text(row["messages"], template)}
        for row in read_jsonl(job.inputs["data"] / "questions.jsonl")
    }
    load = partial(
        load_engine, job.inputs["model"], config, stop_words(template), job.settings["device"]
    )
    engine = None
    counts: dict[str, Any] = {}
    if style:
        engine = load()  # first, because its tokens say how many examples fit
        found = read_examples(job.inputs["examples"])
        room = config.max_model_len - config.max_new_tokens
        counts = add_found_examples(questions, found, style, template, engine, room)
    journal = job.output / JOURNAL
    answered = read_journal(journal, questions)
    waiting = [row for row in questions.values() if row["id"] not in answered]
    started = time.monotonic()
    if waiting:
        engine = engine or load()
        with journal.open("a", encoding="utf-8") as stream:
            for record in answer(engine, waiting, config):
                answered[record["id"]] = record
                stream.write(json.dumps(record, ensure_ascii=False) + "\n")
                stream.flush()
                job.progress.update(len(answered), len(questions), "questions")
    seconds = time.monotonic() - started
    records = [answered[key] for key in sorted(answered)]
    write_predictions(job.output, records)
    journal.unlink(missing_ok=True)
    return (summarize(records) | counts) | {
        "seconds": round(seconds, 1),
        "questions_per_second": round(len(waiting) / seconds, 2) if waiting else None,
    }


def answer(
    engine: Engine, questions: Iterable[dict[str, Any]], config: InferConfig
) -> Iterator[dict[str, Any]]:
    """Yield a prediction record for every question, in the order the engine finishes them.

    A prompt that leaves no room for an answer of max_new_tokens is not sent and never cut; its
    record says ``prompt_too_long``.
    """
    asked = {row["id"]: row for row in questions}
    prompts = [Prompt(key, engine.encode(row["prompt"])) for key, row in asked.items()]
    room = config.max_model_len - config.max_new_tokens
    lengths = {prompt.id: len(prompt.tokens) for prompt in prompts}
    for prompt in prompts:
        if len(prompt.tokens) > room:
            skipped = Completion(prompt.id, "", 0, 0.0, "prompt_too_long")
            yield _record(asked[prompt.id], lengths[prompt.id], skipped)
    for done in engine.generate([p for p in prompts if len(p.tokens) <= room]):
        yield _record(asked[done.id], lengths[done.id], done)


def _record(question: dict[str, Any], prompt_tokens: int, done: Completion) -> dict[str, Any]:
    return {
        "id": question["id"],
        "db_id": question["db_id"],
        "prompt_sha256": sha256_text(question["prompt"]),
        "raw": done.text,
        "sql": extract_sql(done.text),
        "prompt_tokens": prompt_tokens,
        "completion_tokens": done.completion_tokens,
        "seconds": done.seconds,
        "finish_reason": done.finish_reason,
    }


def read_journal(path: Path, questions: dict[int, dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """Return the answers an interrupted run left; a line cut short by a kill is taken off."""
    if not path.is_file():
        return {}
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if whole != data:
        write_text(path, whole.decode("utf-8"))
    return {
        record["id"]: record
        for record in read_jsonl(path)
        if sha256_text(questions[record["id"]]["prompt"]) == record["prompt_sha256"]
    }


def write_predictions(folder: Path, records: list[dict[str, Any]]) -> None:
    """Write the records in the order of the questions, and the evaluator's file, one SQL a line."""
    with atomic_open(folder / PREDICTIONS) as stream:
        for record in records:
            stream.write(json.dumps(record, ensure_ascii=False) + "\n")
    write_text(folder / PREDICT_FILE, "".join(f"{r['sql'] or NO_SQL}\n" for r in records))


def summarize(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Count what was asked and answered."""
    return {
        "questions": len(records),
        "without_sql": sum(not record["sql"] for record in records),
        "prompt_tokens": sum(record["prompt_tokens"] for record in records),
        "completion_tokens": sum(record["completion_tokens"] for record in records),
        "finish_reasons": dict(Counter(record["finish_reason"] for record in records)),
    }
