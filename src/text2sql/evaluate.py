"""The eval stage: judge predictions with this repository's test-suite evaluator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from test_suite_sql_eval import bird, spider2
from test_suite_sql_eval.api import Report, Settings, evaluate
from test_suite_sql_eval.errors import InputError
from test_suite_sql_eval.report import TURNS, compute
from test_suite_sql_eval.spider2.files import GOLD as GOLD_FOLDER

from text2sql.artifacts import GOLD, PREDICTIONS, QUESTIONS, SCORES, VERDICTS
from text2sql.data.spider2 import INSTANCES, instances_of, spider2_folder
from text2sql.data.stage import data_config
from text2sql.errors import UserError
from text2sql.files import read_json, read_jsonl, write_json, write_jsonl
from text2sql.paths import repository_root, shown
from text2sql.profile import EvalConfig
from text2sql.question import read_questions
from text2sql.stage import Graph, Job, Stage, StageKind

BIRD_METRIC = "bird_set"  # of data sets that are also judged by BIRD's other metrics
BIRD = "bird"  # key of theirs in the stage's config and in scores
GOLD_ERRORS = "gold_errors_are_wrong"  # key in the stage's config
SPIDER2 = "spider2"  # the same, and the metric of data sets that are judged by Spider 2.0's rule
#: Names in scores that are no levels of difficulty.
NO_LEVELS = (*TURNS, "joint_all")
OF_DATA = (BIRD, GOLD_ERRORS)  # keys of the stage's config that the data set decides
#: What a verdict on the test suite adds to the one on the plain database.
SUITE_KEYS = ("exec", "error", "error_message", "witness")


def run(job: Job) -> dict[str, Any]:
    """Judge the predictions; write scores.json and verdicts.jsonl.

    With a test suite the scores hold a second set of scores and its database fingerprint under
    ``test_suite``, and so does each verdict. Where the data set's metric is BIRD's they hold those
    of BIRD's own programs under ``bird``, and each verdict its Soft-F1.

    Returns:
        Number of questions and the accuracies over all of them, in per cent.

    Raises:
        UserError: the evaluator refuses the files, as when a database is missing.
    """
    if SPIDER2 in job.config:
        return _run_spider2(job)
    config = EvalConfig.model_validate({k: v for k, v in job.config.items() if k not in OF_DATA})
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
    if job.config.get(BIRD):
        verdicts = _add_bird(job, config, result, verdicts)
    for scores in (result["scores"], result.get("test_suite", {}).get("scores")):
        if scores:
            scores["joint_all"] = _joint(scores)
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


def _joint(scores: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the scores over interactions, where each question is one of its own.

    The evaluator takes a file without blank lines for one interaction, and so would count all or
    nothing.
    """
    return {name: scores["all"].get(name, value) for name, value in scores["joint_all"].items()}


def _judge(job: Job, config: EvalConfig, databases: str, unit: str, extra: bool) -> Report:
    settings = Settings(
        etype="exec",
        plug_value=config.plug_value,
        keep_distinct=config.keep_distinct,
        extra=extra,
        allow_gold_errors=GOLD_ERRORS in job.config,
        jobs=job.settings["jobs"],
        timeout=config.timeout_seconds,
    )
    # The difficulty that the data set gives, if it does; else the evaluator's, which is Spider's.
    levels = _levels(job)
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


def _run_spider2(job: Job) -> dict[str, Any]:
    """Judge by Spider 2.0's rule; the files written are of the same form."""
    if "test_suite" in job.settings:
        raise UserError("Spider 2.0 has results in place of gold SQL; leave test_suite out")
    instances = {each.id: each for each in instances_of(Path(job.settings[SPIDER2]))}
    asked = [instances[row["instance_id"]] for row in read_jsonl(job.inputs["data"] / INSTANCES)]
    queries = [row["sql"] for row in read_jsonl(job.inputs["predictions"] / PREDICTIONS)]
    predictions = {each.id: sql for each, sql in zip(asked, queries, strict=True)}
    config = EvalConfig.model_validate({k: v for k, v in job.config.items() if k != SPIDER2})
    judged = spider2.judge(
        asked,
        predictions,
        config.timeout_seconds,
        lambda done, total: job.progress.update(done, total, "questions"),
    )
    verdicts = [
        {
            "index": number,
            "session": 0,
            "turn": 0,
            "db_id": each["db"],
            "hardness": None,
            "exec": each["score"],
            SPIDER2: each["score"],
            "gold": "",
            "seconds": 0.0,
            "witness": None,
        }
        | each
        for number, each in enumerate(judged)
    ]
    scores = compute(verdicts, 1, "exec")
    for score in scores.values():
        score[SPIDER2] = score["exec"]
    ran = sum(verdict["error"] in (None, "wrong_result") for verdict in verdicts)
    metrics = {"execution_success": ran / len(verdicts)}
    settings = Settings(timeout=config.timeout_seconds, jobs=1)
    databases = job.settings["databases"]
    report = Report(scores, verdicts, settings, metrics, [], databases, False)
    write_json(job.output / SCORES, report.to_dict())
    write_jsonl(job.output / VERDICTS, verdicts)
    return {
        "questions": len(verdicts),
        "execution_accuracy": round(100 * scores["all"]["exec"], 2),
    }


def _levels(job: Job) -> list[str]:
    return [question.level for question in read_questions(job.inputs["data"] / QUESTIONS)]


def _add_bird(
    job: Job, config: EvalConfig, result: dict[str, Any], verdicts: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Add BIRD's own metrics to the scores; return the verdicts with theirs."""
    levels, iterations = _levels(job), config.r_ves_iterations
    # What runs beside a query that is timed changes its time.
    jobs = 1 if iterations else job.settings["jobs"]
    report = bird.judge(
        str(job.inputs["data"] / GOLD),
        str(job.inputs["predictions"] / PREDICTIONS),
        job.settings["databases"],
        bird.BirdSettings(iterations, config.timeout_seconds, jobs=jobs),
        levels if any(levels) else None,
        progress=lambda done, total: job.progress.update(
            done, total, "questions by BIRD's metrics"
        ),
    )
    result[BIRD] = report.to_dict()
    scores = report.scores["all"]
    result["metrics"] |= {key: scores[key] for key in ("soft_f1", "r_ves") if key in scores}
    keys = ("soft_f1", *(("time_ratio", "reward") if iterations else ()))
    return [
        verdict | {key: other[key] for key in keys}
        for verdict, other in zip(verdicts, report.verdicts, strict=True)
    ]


def _stage(graph: Graph, row_name: str) -> Stage:
    return _judged(graph, "eval", row_name, graph.stage("extract", row_name), "eval")


def _quantized(graph: Graph, kind: str) -> Stage:
    assert graph.run.profile.quantization is not None  # it names the types that are the keys
    folder = f"gguf/{graph.run.profile.quantization.row}/eval"
    return _judged(graph, "quantized-eval", kind, graph.stage("quantized-extract", kind), folder)


def _judged(graph: Graph, kind: str, key: str, predictions: Stage, folder: str) -> Stage:
    evaluation = graph.run.profile.evaluation
    data = data_config(graph.run)
    databases = [data.databases()]
    by_bird = data.metric == BIRD_METRIC
    decided = {BIRD: by_bird, GOLD_ERRORS: data.gold_errors == "wrong"}
    own = {key: True for key, holds in decided.items() if holds}
    settings = {"jobs": graph.run.machine.evaluation_jobs, "databases": str(databases[0])}
    sources: tuple[Path, ...] = ()
    if data.metric == SPIDER2:
        own[SPIDER2] = True
        settings[SPIDER2] = str(spider2_folder(data))
        sources = (spider2_folder(data) / GOLD_FOLDER,)
    if evaluation.test_suite:
        databases.append(repository_root() / evaluation.test_suite)
        settings["test_suite"] = str(databases[-1])
    return Stage(
        f"{kind}:{key}",
        kind,
        evaluation.model_dump(mode="json") | own,
        graph.run.folder / folder / key,
        inputs={"predictions": predictions, "data": graph.stage("data")},
        databases=tuple(databases),
        sources=sources,
        settings=settings,
        alone=by_bird and evaluation.r_ves_iterations > 0,
    )


def _result(stage: Stage) -> str:
    """Say in a line how much of a row is right, by level, and what ended without a verdict."""
    report = read_json(stage.output / SCORES)
    text = f"{stage.name}: {_accuracies(report['scores'])}"
    if "test_suite" in report:
        text += f"; on test suites {_accuracies(report['test_suite']['scores'])}"
    over = report["metrics"].get("errors", {}).get("timeout", 0)
    return f"{text}; stopped by the limit of steps: {over}; in {shown(stage.output)}"


def _accuracies(scores: dict[str, dict[str, Any]]) -> str:
    levels = {name: s for name, s in scores.items() if name not in NO_LEVELS and s["count"]}
    whole = levels.pop("all")
    parts = [f"{name} {100 * score['exec']:.1f}" for name, score in levels.items()]
    return (
        f"execution accuracy {100 * whole['exec']:.1f} % of {whole['count']} questions"
        f" ({', '.join(parts)})"
    )


# The evaluator runs itself in processes, by the names of modules.
CODE = (f"{__name__}:run", "test_suite_sql_eval", "test_suite_sql_eval.bird")
KINDS = (
    StageKind(
        "eval",
        "judge the answers by executing them",
        run,
        _stage,
        lambda graph: graph.run.row_names,
        code=CODE,
        result=_result,
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
