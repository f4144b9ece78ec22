"""The extract stage: a model's answers in, the SQL that counts for each question out.

It asks no model, so a better extractor judges the answers that there are anew.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from text2sql.artifacts import ANSWERS, PREDICT_FILE, PREDICTIONS
from text2sql.data.stage import data_config
from text2sql.files import write_jsonl
from text2sql.infer.answers import Answer, read_answers
from text2sql.infer.queries import NO_SQL, QueryRunner, open_databases, vote
from text2sql.paths import shown
from text2sql.records import read_manifest
from text2sql.sql import official_files
from text2sql.sql.extract import extract_sql
from text2sql.stage import Graph, Job, Stage, StageKind


@dataclass(frozen=True)
class Prediction:
    """The SQL that counts for the question `id`, empty where there is none, and its answer `raw`.

    For `finish_reason` see `Completion`, for the counts, where samples voted, `vote`.
    """

    id: int
    db_id: str
    raw: str
    sql: str
    finish_reason: str
    samples: int = 0
    votes: int = 0
    distinct_results: int = 0
    failed_samples: int = 0


def predict(answer: Answer, databases: QueryRunner | None = None) -> Prediction:
    """Take the SQL out of an answer; where it has several texts, the databases let them vote."""
    queries = [extract_sql(text) for text in answer.texts]
    place, facts = 0, dict[str, int]()
    if len(queries) > 1:
        assert databases is not None  # who asks for samples has them vote
        place, facts = vote(databases.run(answer.db_id, queries))
    text, reason = answer.texts[place], answer.finish_reasons[place]
    return Prediction(answer.id, answer.db_id, text, queries[place], reason, **facts)


def run(job: Job) -> dict[str, Any]:
    """Write predictions.jsonl and predict.txt; return counts (see `write_predictions`)."""
    answers = list(read_answers(job.inputs["answers"] / ANSWERS))
    predictions = []
    with ExitStack() as stack:
        databases = None
        if "vote_timeout_seconds" in job.config:
            folder, timeout = Path(job.settings["databases"]), job.config["vote_timeout_seconds"]
            databases = stack.enter_context(open_databases(folder, timeout))
        for answer in answers:
            predictions.append(predict(answer, databases))
            job.progress.update(len(predictions), len(answers), "questions")
    return write_predictions(job.output, predictions)


def write_predictions(folder: Path, predictions: list[Prediction]) -> dict[str, Any]:
    """Write the predictions in their order, and where it can hold them the official one-line file.

    Returns:
        Counts of questions, of answers without SQL, and of samples where they voted.
    """
    write_jsonl(folder / PREDICTIONS, predictions)
    reason = official_files.write_predictions(
        folder / PREDICT_FILE, [done.sql or NO_SQL for done in predictions]
    )
    if reason:
        print(f"{reason}; {PREDICTIONS} has all", file=sys.stderr, flush=True)
    counts = {"questions": len(predictions), "without_sql": sum(not p.sql for p in predictions)}
    samples, failed = (
        sum(getattr(done, name) for done in predictions) for name in ("samples", "failed_samples")
    )
    return counts | ({"samples": samples, "failed_samples": failed} if samples else {})


def _stage(graph: Graph, row_name: str) -> Stage:
    answers = graph.stage("infer", row_name)
    return _extracted(graph, answers, graph.run.folder / "extract" / row_name)


def _quantized(graph: Graph, kind: str) -> Stage:
    answers = graph.stage("quantized-infer", kind)
    return _extracted(graph, answers, answers.output.parents[1] / "extract" / kind)


def _extracted(graph: Graph, answers: Stage, output: Path) -> Stage:
    kind = answers.kind.replace("infer", "extract")
    name = f"{kind}:{output.name}"
    decoding, inputs = answers.config["decoding"], {"answers": answers}
    if decoding["samples"] == 1:
        return Stage(name, kind, {}, output, inputs)
    folder = data_config(graph.run).databases()
    return Stage(
        name,
        kind,
        {"vote_timeout_seconds": decoding["execution_timeout_seconds"]},
        output,
        inputs,
        databases=(folder,),
        settings={"databases": str(folder)},
    )


def _result(stage: Stage) -> str:
    counts = (read_manifest(stage.output) or {})["details"]
    return (
        f"{stage.name.replace('extract', 'infer')}: {counts['questions']} predictions,"
        f" {counts['without_sql']} without SQL; in {shown(stage.output / PREDICT_FILE)}"
    )


KINDS = (
    StageKind(
        "extract",
        "take the SQL out of every row's answers",
        run,
        _stage,
        lambda graph: graph.run.row_names,
        command="infer",
        result=_result,
    ),
    StageKind(
        "quantized-extract",
        "take the SQL out of the answers from every GGUF file",
        run,
        _quantized,
        lambda graph: graph.run.gguf_types,
        command="quantization-table",
    ),
)
