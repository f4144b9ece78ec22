"""The infer stage: every evaluation question through a model, written down as it is answered."""

from __future__ import annotations

import json
import time
from collections import Counter
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from test_suite_sql_eval.executor import SqlExecutor

from text2sql.artifacts import PREDICT_FILE, PREDICTIONS, QUESTIONS
from text2sql.config import check_config
from text2sql.data.config import DataConfig
from text2sql.data.stage import data_config
from text2sql.errors import UserError
from text2sql.files import atomic_open, read_jsonl, sha256_text, write_text
from text2sql.infer.answers import Surroundings, answer
from text2sql.infer.config import InferConfig, load_infer_config
from text2sql.infer.examples import add_found_examples, read_examples
from text2sql.infer.load import ENGINES, load_engine
from text2sql.infer.shrink_prompt import SchemaFitter
from text2sql.infer.vote_and_repair import Databases
from text2sql.models.gguf_types import F16
from text2sql.prompt import Template, load_template, render_text
from text2sql.stage import Graph, Job, Stage, StageKind
from text2sql.train.stage import model_of

JOURNAL = "journal.jsonl"
# Stands for an answer without SQL. It must fail to run: an empty line would mean something else to
# an evaluator, and a comment runs, which would make it right wherever the gold result is empty.
NO_SQL = "NO_SQL"


def run(job: Job) -> dict[str, Any]:
    """Answer the questions that are not answered yet; write predictions.jsonl and predict.txt.

    Returns:
        Counts of questions, tokens, finish reasons, pruned prompts and answers without SQL; seconds
        and questions per second of this process; what the engine measured of itself.
    """
    template = load_template(job.config["template"], job.inputs["model"])
    style = job.config.get("examples")
    values = {k: v for k, v in job.config.items() if k not in ("template", "examples")}
    config = check_config(values, InferConfig, source=job.stage.name)
    questions = {
        row["id"]: row | {"prompt": render_text(row["messages"], template)}
        for row in read_jsonl(job.inputs["data"] / QUESTIONS)
    }
    load = partial(
        load_engine,
        job.inputs["model"],
        config,
        template.stop_words,
        job.settings["device"],
        job.inputs.get("adapter"),
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
    measured: dict[str, Any] = {}
    started = time.monotonic()
    if waiting:
        engine = engine or load()
        with ExitStack() as stack, journal.open("a", encoding="utf-8") as stream:
            around = _surroundings(job, config, template, stack)
            for record in answer(engine, waiting, config, around):
                answered[record["id"]] = record
                stream.write(json.dumps(record, ensure_ascii=False) + "\n")
                stream.flush()
                job.progress.update(len(answered), len(questions), "questions")
        measured = engine.measurements()
    seconds = time.monotonic() - started
    records = [answered[key] for key in sorted(answered)]
    write_predictions(job.output, records)
    journal.unlink(missing_ok=True)
    return (
        summarize(records)
        | counts
        | {
            "seconds": round(seconds, 1),
            "questions_per_second": round(len(waiting) / seconds, 2) if waiting else None,
        }
        | measured
    )


def _surroundings(
    job: Job, config: InferConfig, template: Template, stack: ExitStack
) -> Surroundings:
    folder = Path(job.settings["databases"])
    values = {k: v for k, v in job.stage.inputs["data"].config.items() if k != "limit"}
    fitter = SchemaFitter(check_config(values, DataConfig, "data"), folder, template)
    databases = None
    if config.decoding.samples > 1 or config.decoding.repair:
        executor = stack.enter_context(SqlExecutor())
        timeout = config.decoding.execution_timeout_seconds
        databases = Databases(folder, executor, timeout)
    return Surroundings(template, fitter, databases)


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
        if sha256_text(questions[record["id"]]["prompt"])
        == record.get("unpruned_sha256", record["prompt_sha256"])
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
        "prompts_pruned": sum(record.get("prompt_pruned", False) for record in records),
        "finish_reasons": dict(Counter(record["finish_reason"] for record in records)),
    } | decoding_counts(records)


def decoding_counts(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Count what voting and repair did, where there was any."""
    counts: dict[str, Any] = {}
    if any("repair" in record for record in records):
        counts["repairs"] = dict(Counter(record["repair"] for record in records))
    if any("samples" in record for record in records):
        counts["samples"] = sum(record.get("samples", 0) for record in records)
        counts["failed_samples"] = sum(record.get("failed_samples", 0) for record in records)
    return counts


def _rows(graph: Graph) -> list[str]:
    return [row.name for row in graph.run.rows]


def _stage(graph: Graph, row_name: str) -> Stage:
    profile = graph.run.profile
    row = graph.run.row(row_name)
    infer = load_infer_config(row.infer or profile.infer)
    config = infer.model_dump(mode="json") | {"template": profile.model.template}
    model, data = model_of(graph, row), graph.stage("data")
    inputs = {"model": model, "data": data}
    if infer.adapter:  # by request beside the base model, in place of the merged one
        if model.kind != "merge":
            raise UserError(f"row '{row.name}': adapter: true needs a LoRA recipe")
        inputs = model.inputs | {"data": data}
    if row.retrieval:
        inputs["examples"] = graph.stage("retrieve", row.name)
        retrieval = inputs["examples"].config["retrieval"]
        config["examples"] = {key: retrieval[key] for key in ("form", "order")}
    return Stage(
        f"infer:{row.name}",
        "infer",
        config,
        graph.run.folder / "infer" / row.name,
        inputs=inputs,
        code=(ENGINES[infer.engine],),
        settings=graph.run.settings("infer")
        | {"databases": str(data_config(graph.run).databases())},
        seed=infer.seed,
    )


def _types(graph: Graph) -> list[str]:
    quantization = graph.run.profile.quantization
    return [F16, *quantization.types] if quantization else []


def _quantized(graph: Graph, kind: str) -> Stage:
    """The questions of the quantized row again, answered by llama.cpp from one of its files."""
    profile = graph.run.profile
    assert profile.quantization is not None  # it names the types that are the keys
    infer = load_infer_config(profile.quantization.infer)
    row = profile.quantization.row
    file = graph.stage("gguf", row) if kind == F16 else graph.stage("quantize", kind)
    return Stage(
        f"quantized-infer:{kind}",
        "quantized-infer",
        infer.model_dump(mode="json") | {"template": profile.model.template},
        graph.run.folder / "gguf" / row / "infer" / kind,
        inputs={"model": file, "data": graph.stage("data")},
        code=(ENGINES[infer.engine],),
        settings=graph.run.settings(None) | {"databases": str(data_config(graph.run).databases())},
        seed=infer.seed,
        alone=True,
    )


KINDS = (
    StageKind(
        "infer", "answer the evaluation questions with every row's model", run, _stage, _rows
    ),
    StageKind(
        "quantized-infer",
        "answer the questions from every GGUF file",
        run,
        _quantized,
        _types,
        command="quantization-table",
    ),
)
