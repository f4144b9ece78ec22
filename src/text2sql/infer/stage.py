"""The infer stage: every evaluation question through a model, written down as it is answered."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from text2sql.artifacts import ANSWERS, QUESTIONS
from text2sql.config import check_config
from text2sql.data.prepare import SchemaTexts
from text2sql.data.stage import config_of, data_config
from text2sql.errors import UserError
from text2sql.files import LENIENT, json_line, sha256_text, write_jsonl, write_text
from text2sql.infer.answers import Answer, Surroundings, answer, read_answers
from text2sql.infer.config import ENGINES, InferConfig, load_infer_config
from text2sql.infer.examples import add_found_examples, read_examples
from text2sql.infer.load import REPAIR, load_engine
from text2sql.infer.shrink_prompt import SchemaFitter
from text2sql.models.gguf_types import F16
from text2sql.prompt import Template, load_template, render_text
from text2sql.question import Question, read_questions
from text2sql.stage import Graph, Job, Stage, StageKind
from text2sql.train.stage import model_of

JOURNAL = "journal.jsonl"


def run(job: Job) -> dict[str, Any]:
    """Answer the questions that are not answered yet; write answers.jsonl.

    Returns:
        Counts of questions, tokens, finish reasons and pruned prompts; seconds and questions per
        second of this process; what the engine measured of itself.
    """
    template = load_template(job.config["template"], job.inputs["model"])
    style = job.config.get("examples")
    values = {k: v for k, v in job.config.items() if k not in ("template", "examples")}
    config = check_config(values, InferConfig, source=job.stage.name)
    questions = read_questions(job.inputs["data"] / QUESTIONS)
    engine = load_engine(
        job.inputs["model"],
        config,
        template.stop_words,
        job.settings["device"],
        job.inputs.get("adapter"),
    )
    counts: dict[str, Any] = {}
    if style:
        found = read_examples(job.inputs["examples"])
        room = config.max_model_len - config.max_new_tokens
        questions, counts = add_found_examples(questions, found, style, template, engine, room)
    journal = job.output / JOURNAL
    answered = read_journal(journal, questions, template)
    waiting = [question for question in questions if question.id not in answered]
    started = time.monotonic()
    with ExitStack() as stack, journal.open("a", encoding="utf-8", errors=LENIENT) as stream:
        around = _surroundings(job, config, template, stack)
        for done in answer(engine, waiting, config, around):
            answered[done.id] = done
            stream.write(json_line(done))
            stream.flush()
            job.progress.update(len(answered), len(questions), "questions")
    seconds = time.monotonic() - started
    answers = [answered[key] for key in sorted(answered)]
    write_jsonl(job.output / ANSWERS, answers)
    journal.unlink(missing_ok=True)
    return (
        summarize(answers)
        | counts
        | {
            "seconds": round(seconds, 1),
            "questions_per_second": round(len(waiting) / seconds, 2) if waiting else None,
        }
        | engine.measurements()
    )


def _surroundings(
    job: Job, config: InferConfig, template: Template, stack: ExitStack
) -> Surroundings:
    data = config_of(job.stage.inputs["data"])
    texts = SchemaTexts(data)
    fitter = SchemaFitter(
        texts.schema, data.schema_style, data.system, template, linker=texts.linker
    )
    repair = None
    if config.decoding.repair:
        timeout = config.decoding.execution_timeout_seconds
        repairing = resolve_name(REPAIR)(data.databases(), timeout, template)
        repair = stack.enter_context(repairing).answers
    return Surroundings(template, fitter, repair)


def read_journal(path: Path, questions: list[Question], template: Template) -> dict[int, Answer]:
    """Return the answers an interrupted run left; a line cut short by a kill is taken off."""
    if not path.is_file():
        return {}
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if whole != data:
        write_text(path, whole.decode("utf-8"))
    asked = {q.id: sha256_text(render_text(q.messages, template)) for q in questions}
    return {
        done.id: done
        for done in read_answers(path)
        if asked[done.id] == (done.unpruned_sha256 or done.prompt_sha256)
    }


def summarize(answers: list[Answer]) -> dict[str, Any]:
    """Count what was asked and answered, and what repair did where it was asked for."""
    repairs = Counter(repair for done in answers for repair in done.repairs)
    return {
        "questions": len(answers),
        "prompt_tokens": sum(done.prompt_tokens for done in answers),
        "completion_tokens": sum(done.completion_tokens for done in answers),
        "prompts_pruned": sum(bool(done.unpruned_sha256) for done in answers),
        "finish_reasons": dict(Counter(r for done in answers for r in done.finish_reasons)),
    } | ({"repairs": dict(repairs)} if repairs else {})


def _code(infer: InferConfig) -> tuple[str, ...]:
    """Where the code begins that the config names."""
    return (ENGINES[infer.engine], *((REPAIR,) if infer.decoding.repair else ()))


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
        sources=data_config(graph.run).linker_files(),
        code=_code(infer),
        settings=graph.run.settings("infer"),
        seed=infer.seed,
    )


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
        sources=data_config(graph.run).linker_files(),
        code=_code(infer),
        settings=graph.run.settings(None),
        seed=infer.seed,
        alone=True,
    )


KINDS = (
    StageKind(
        "infer",
        "answer the evaluation questions with every row's model",
        run,
        _stage,
        lambda graph: graph.run.row_names,
    ),
    StageKind(
        "quantized-infer",
        "answer the questions from every GGUF file",
        run,
        _quantized,
        lambda graph: graph.run.gguf_types,
        command="quantization-table",
    ),
)
