"""The eval stage: judge predictions with this repository's test-suite evaluator."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from test_suite_sql_eval.api import Settings, evaluate
from test_suite_sql_eval.errors import InputError

from text2sql.errors import UserError
from text2sql.files import atomic_open, write_json
from text2sql.infer.stage import PREDICT_FILE
from text2sql.profile import EvalConfig

if TYPE_CHECKING:
    from text2sql.worker import Job

SCORES = "scores.json"
VERDICTS = "verdicts.jsonl"


def run(job: Job) -> dict[str, Any]:
    """Judge the predictions; write scores.json and verdicts.jsonl.

    Returns:
        Number of questions and the execution accuracy over all of them, in per cent.

    Raises:
        UserError: the evaluator refuses the files, as when a database is missing.
    """
    config = EvalConfig.model_validate(job.config)
    settings = Settings(
        etype="exec",
        plug_value=config.plug_value,
        keep_distinct=config.keep_distinct,
        extra=True,
        jobs=job.settings["jobs"],
        timeout=config.timeout_seconds,
    )
    try:
        report = evaluate(
            str(job.inputs["data"] / "gold.sql"),
            str(job.inputs["predictions"] / PREDICT_FILE),
            job.settings["databases"],
            settings=settings,
            progress=lambda done, total, _: job.progress.update(done, total, "questions"),
        )
    except InputError as error:
        raise UserError(str(error).splitlines()[0]) from None
    result = report.to_dict()
    write_json(job.output / SCORES, result)
    with atomic_open(job.output / VERDICTS) as stream:
        for verdict in report.verdicts:
            stream.write(json.dumps(verdict, ensure_ascii=False) + "\n")
    for warning in report.warnings:
        print(warning, flush=True)
    scores = result["scores"]["all"]
    return {"questions": scores["count"], "execution_accuracy": round(100 * scores["exec"], 2)}
