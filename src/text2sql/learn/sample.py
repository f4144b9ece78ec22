"""The stages of `make sample`: training questions, a tuned model's answers, and their judgement."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from test_suite_sql_eval import Settings

from text2sql.artifacts import ANSWERS, QUESTIONS
from text2sql.data.databases import ensure_databases
from text2sql.data.prepare import SchemaTexts
from text2sql.data.stage import config_of, data_config
from text2sql.data.values import schema_texts
from text2sql.errors import UserError
from text2sql.files import read_json, write_json, write_jsonl
from text2sql.infer.answers import read_answers
from text2sql.infer.config import ENGINES, load_infer_config
from text2sql.infer.load import REPAIR
from text2sql.infer.stage import run as run_infer
from text2sql.learn.judged import judge_answers, lesson, write_training_files
from text2sql.learn.questions import Guard, training_questions
from text2sql.paths import repository_root
from text2sql.question import read_questions, write_questions
from text2sql.run import Run
from text2sql.stage import ONE, Graph, Job, Stage, StageKind
from text2sql.train.stage import model_of

RECORD = "samples.jsonl"  # a line a question: chosen and rejected answers, and why
SUMMARY = "summary.json"


def draw(job: Job) -> dict[str, Any]:
    """Write the training questions that are asked; return their number and what was left out."""
    config = config_of(job.stage)
    ensure_databases(config)
    schemas = schema_texts(config)
    guard = Guard(config, schemas)
    questions, left_out = training_questions(config, schemas, guard, job.config["limit"])
    guard.require(questions)
    write_questions(job.output / QUESTIONS, questions)
    return {"questions": len(questions), "left_out": left_out}


def judge(job: Job) -> dict[str, Any]:
    """Judge the answers; write the record of each question and what can be learnt.

    Returns:
        Counts of questions, answers, verdicts and training rows, and the share of questions with
        at least one right answer.

    Raises:
        UserError: a question of an evaluation database is among them, or one that leaks; or a
            database is missing.
    """
    questions = read_questions(job.inputs["questions"] / QUESTIONS)
    config = config_of(job.stage.inputs["questions"])
    Guard(config, SchemaTexts(config)).require(questions)
    folder = Path(job.settings["databases"])
    if not folder.is_dir():
        raise UserError(f"{folder}: no databases here; make suites with 'make test-suite'")
    judged = judge_answers(
        questions,
        read_answers(job.inputs["answers"] / ANSWERS),
        folder,
        Settings(
            plug_value=job.config["plug_value"],
            keep_distinct=job.config["keep_distinct"],
            timeout=job.config["timeout_seconds"],
            jobs=job.settings["jobs"],
        ),
        lambda done, total: job.progress.update(done, total, "answers"),
    )
    lessons = [lesson(each, judged[each.id]) for each in questions]
    write_jsonl(job.output / RECORD, (each.record() for each in lessons))
    rows = write_training_files(lessons, job.output, job.config["answers"])
    solved = sum(bool(each.chosen) for each in lessons)
    verdicts: Counter[str] = Counter()
    for each in lessons:
        verdicts.update(each.verdicts)
    summary = {
        "questions": len(lessons),
        "answers": verdicts.total(),
        "share_with_a_right_answer": round(solved / len(lessons), 4),
        "verdicts": dict(verdicts.most_common()),
        "rows": rows,
    }
    write_json(job.output / SUMMARY, summary)
    return summary


def show(run: Run) -> str:
    """Return what was sampled, in a line."""
    summary = read_json(run.folder / "sample" / "judged" / SUMMARY)
    share, rows = summary["share_with_a_right_answer"], summary["rows"]
    return (
        f"{summary['questions']} questions, {summary['answers']} answers; {100 * share:.1f} % of"
        f" the questions with at least one right answer; {rows['rft']} right answers, {rows['dpo']}"
        f" pairs, {rows['kto']} labelled answers to learn from"
    )


def _keys(graph: Graph) -> tuple[str, ...]:
    return ONE if graph.run.profile.learning else ()


def _questions(graph: Graph, key: str) -> Stage:
    run, config = graph.run, data_config(graph.run)
    learning = run.profile.learning
    assert learning is not None  # else there is no key
    # The config of a data stage, so that answering finds its schemas there.
    limit = min(filter(None, (run.limit, learning.questions)), default=None)
    return Stage(
        "sample-questions",
        "sample-questions",
        config.of_data() | {"limit": limit},
        run.folder / "sample" / "questions",
        inputs={"data": graph.stage("data")},
        sources=(*config.source_files(), *config.linker_files()),
        seed=config.seed,
    )


def _answers(graph: Graph, key: str) -> Stage:
    profile = graph.run.profile
    assert profile.learning is not None
    infer = load_infer_config(profile.learning.infer)
    model = model_of(graph, graph.run.row(profile.learning.row))
    repair = (REPAIR,) if infer.decoding.repair else ()
    return Stage(
        "sample-answers",
        "sample-answers",
        infer.model_dump(mode="json") | {"template": profile.model.template},
        graph.run.folder / "sample" / "answers",
        inputs={"model": model, "data": graph.stage("sample-questions")},
        sources=data_config(graph.run).linker_files(),
        code=(ENGINES[infer.engine], *repair),
        settings=graph.run.settings("infer"),
        seed=infer.seed,
    )


def _judged(graph: Graph, key: str) -> Stage:
    profile, data = graph.run.profile, data_config(graph.run)
    learning, evaluation = profile.learning, profile.evaluation
    assert learning is not None
    folder = repository_root() / learning.suites if learning.suites else data.databases()
    keys = {"plug_value", "keep_distinct", "timeout_seconds"}
    return Stage(
        "sample",
        "sample",
        evaluation.model_dump(mode="json", include=keys)
        | {"answers": learning.answers, "on_suites": learning.suites is not None},
        graph.run.folder / "sample" / "judged",
        inputs={
            "answers": graph.stage("sample-answers"),
            "questions": graph.stage("sample-questions"),
        },
        databases=(folder,),
        settings={"jobs": graph.run.machine.evaluation_jobs, "databases": str(folder)},
    )


# The evaluator runs itself in processes, by the names of modules.
CODE = (f"{__name__}:judge", "test_suite_sql_eval")
KINDS = (
    StageKind(
        "sample-questions",
        "draw training questions to sample answers to",
        draw,
        _questions,
        _keys,
        command="sample",
    ),
    StageKind(
        "sample-answers",
        "sample answers to training questions",
        run_infer,
        _answers,
        _keys,
        command="sample",
    ),
    StageKind(
        "sample",
        "sample answers to training questions and judge them by executing them",
        judge,
        _judged,
        _keys,
        code=CODE,
        show=show,
    ),
)
