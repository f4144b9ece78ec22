"""The eval stage: judge predictions with this repository's test-suite evaluator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from test_suite_sql_eval.api import Report, Settings, evaluate
from test_suite_sql_eval.errors import InputError

from text2sql.errors import UserError
from text2sql.files import atomic_open, write_json
from text2sql.infer.stage import PREDICT_FILE
from text2sql.profile import EvalConfig

if TYPE_CHECKING:
    from text2sql.stage import Job

SCORES = "scores.json"
VERDICTS = "verdicts.jsonl"
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
    with atomic_open(job.output / VERDICTS) as stream:
        for verdict in verdicts:
            stream.write(json.dumps(verdict, ensure_ascii=False) + "\n")
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
    try:
        return evaluate(
            str(job.inputs["data"] / "gold.sql"),
            str(job.inputs["predictions"] / PREDICT_FILE),
            databases,
            settings=settings,
            progress=lambda done, total, _: job.progress.update(done, total, unit),
        )
    except InputError as error:
        raise UserError(str(error).splitlines()[0]) from None
