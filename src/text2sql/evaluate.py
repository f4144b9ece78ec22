"""The eval stage: judge predictions with this repository's test-suite evaluator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from test_suite_sql_eval.api import Report, Settings, evaluate
from test_suite_sql_eval.errors import InputError

from text2sql.artifacts import GOLD, PREDICTIONS, QUESTIONS, SCORES, VERDICTS
from text2sql.data.stage import data_config
from text2sql.errors import UserError
from text2sql.files import write_json, write_jsonl
from text2sql.paths import repository_root
from text2sql.profile import EvalConfig
from text2sql.question import read_questions
from text2sql.stage import Graph, Job, Stage, StageKind

#: What a verdict on the test suite adds to the one on the plain database.
SUITE_KEYS = ("exec", "error", "error_message", "witness")


def run(job: Job) -> dict[str, Any]:
    """Judge the predictions; write scores.json and verdicts.jsonl.

    With a test suite the scores hold a second set of scores and its database fingerprint under
    ``test_suite``, and so does each verdict.

    Returns:
        Number of questions and the accuracies over all of them, in per cent.

    Raises:
        UserError: the evaluator refuses the files, as when a database is missing.
    """
    config = EvalConfig.model_validate(job.config)
    report = _judge(job, config, job.settings["databases"], "questions", extra=True)
    result = report.to_dict()
    verdicts = report.verdicts
    suites = job.settings.get("test_suite")
    if suites:
        if not Path(suites).is_dir():
            raise UserError(f"{suites}: no test suite here; make it with 'make test-suite'")
        on_suites = _judge(job, config, suites, "questions on the test suite", extra=False)
        result["test_suite"] = on_suites.to_dict()
        verdicts = [
            verdict | {"test_suite": {key: other[key] for key in SUITE_KEYS}}
            for verdict, other in zip(verdicts, on_suites.verdicts, strict=True)
        ]
    write_json(job.output / SCORES, result)
    write_jsonl(job.output / VERDICTS, verdicts)
    for warning in report.warnings:
        print(warning, flush=True)
    scores = result["scores"]["all"]
    summary = {"questions": scores["count"], "execution_accuracy": round(100 * scores["exec"], 2)}
    if suites:
        share = result["test_suite"]["scores"]["all"]["exec"]
        summary["test_suite_accuracy"] = round(100 * share, 2)
    return summary


def _judge(job: Job, config: EvalConfig, databases: str, unit: str, extra: bool) -> Report:
    settings = Settings(
        etype="exec",
        plug_value=config.plug_value,
        keep_distinct=config.keep_distinct,
        extra=extra,
        jobs=job.settings["jobs"],
        timeout=config.timeout_seconds,
    )
    # The difficulty that the data set gives, if it does; else the evaluator's, which is Spider's.
    levels = [question.level for question in read_questions(job.inputs["data"] / QUESTIONS)]
    try:
        return evaluate(
            str(job.inputs["data"] / GOLD),
            str(job.inputs["predictions"] / PREDICTIONS),
            databases,
            settings=settings,
            progress=lambda done, total, _: job.progress.update(done, total, unit),
            levels=levels if any(levels) else None,
        )
    except InputError as error:
        raise UserError(str(error).splitlines()[0]) from None


def _stage(graph: Graph, row_name: str) -> Stage:
    return _judged(graph, "eval", row_name, graph.stage("extract", row_name), "eval")


def _quantized(graph: Graph, kind: str) -> Stage:
    assert graph.run.profile.quantization is not None  # it names the types that are the keys
    folder = f"gguf/{graph.run.profile.quantization.row}/eval"
    return _judged(graph, "quantized-eval", kind, graph.stage("quantized-extract", kind), folder)


def _judged(graph: Graph, kind: str, key: str, predictions: Stage, folder: str) -> Stage:
    evaluation = graph.run.profile.evaluation
    databases = [data_config(graph.run).databases()]
    settings = {"jobs": graph.run.machine.evaluation_jobs, "databases": str(databases[0])}
    if evaluation.test_suite:
        databases.append(repository_root() / evaluation.test_suite)
        settings["test_suite"] = str(databases[-1])
    return Stage(
        f"{kind}:{key}",
        kind,
        evaluation.model_dump(mode="json"),
        graph.run.folder / folder / key,
        inputs={"predictions": predictions, "data": graph.stage("data")},
        databases=tuple(databases),
        settings=settings,
    )


CODE = (f"{__name__}:run", "test_suite_sql_eval")  # the evaluator runs itself in processes
KINDS = (
    StageKind(
        "eval",
        "judge the answers by executing them",
        run,
        _stage,
        lambda graph: graph.run.row_names,
        code=CODE,
    ),
    StageKind(
        "quantized-eval",
        "judge the answers of every GGUF file",
        run,
        _quantized,
        lambda graph: graph.run.gguf_types,
        command="quantization-table",
        code=CODE,
    ),
)
