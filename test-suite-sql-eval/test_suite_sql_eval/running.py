"""Judge all questions: each distinct one once, and none that an interrupted run has answered."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from . import errors
from .checks import Databases
from .databases import ContentKeys, schema_file
from .handler import KEEPING_DISTINCT, preload
from .inputs import Question
from .judge import fill_value_word, may_differ
from .pool import Failure, Pool
from .schedule import batches, in_order
from .settings import Settings

TYPE_CHECKING = False  # importing typing takes milliseconds
if TYPE_CHECKING:
    from typing import Any

    Answer = dict[str, Any]
    Progress = Callable[[int, int, Answer], None]


def judge_all(
    questions: list[Question],
    databases: Databases,
    db_dir: str,
    tables: str | None,
    settings: Settings,
    progress: Progress,
    journal: str | None,
    hardness: bool,
) -> tuple[list[Answer], int]:
    """Return the answer to each question, and how many of them the journal held.

    Args:
        questions: what is judged.
        databases: the database files.
        db_dir: their folder.
        tables: tables.json, or None.
        settings: how to judge.
        progress: called after each question with questions done, questions in all and the answer.
        journal: file that takes the answers as they come, or None.
        hardness: whether anybody asks for Spider's hardness levels.
    """
    answers = [_without_judging(question, databases) for question in questions]
    notes = None
    resumed = 0
    if journal is not None:
        from .journal import Journal, run_name  # here, because start-up must be quick

        notes = Journal(journal, run_name(questions, databases, tables, settings))
        resumed = len(notes.answers)
        for number, answer in notes.answers.items():
            answers[number] = answer
    same: dict[tuple[str, str, str], list[int]] = {}
    for number, question in enumerate(questions):
        if not answers[number]:
            same.setdefault((question.db_id, question.gold, question.pred), []).append(number)
    done = len(questions) - sum(map(len, same.values()))
    config = _config(databases, db_dir, tables, settings, hardness)
    preload(config)
    jobs = min(settings.jobs, len(same))
    with Pool("test_suite_sql_eval.handler", config, jobs, try_again=True) as pool:
        for key, answer in _answers(pool, list(same), config, settings):
            if notes is not None:
                notes.add(same[key], answer)
            for number in same[key]:
                answers[number] = answer
                done += 1
                progress(done, len(questions), answer)
        if notes is not None:
            notes.close()
        if settings.etype != "match" and not (settings.extra or settings.keep_distinct):
            _judge_keeping_distinct(pool, questions, answers, config, settings)
    _judge_unrun(questions, answers, db_dir, tables, settings, hardness)
    return answers, resumed


def _without_judging(question: Question, databases: Databases) -> Answer:
    """Return the answer to a question that cannot be judged, else an empty one."""
    if question.db_id in databases.faults:
        return {"kind": errors.DATABASE, "message": databases.faults[question.db_id]}
    if question.fault is not None:
        return {"kind": errors.UNREADABLE, "message": question.fault, "unrun": True}
    return {}


def _config(
    databases: Databases, db_dir: str, tables: str | None, settings: Settings, hardness: bool
) -> dict[str, Any]:
    """Return what the worker processes have to know."""
    contents = ContentKeys(settings.gold_cache)
    paths = {db_id: contents.distinct(found) for db_id, found in databases.files.items() if found}
    files = {db_id: (schema_file(db_dir, db_id), found) for db_id, found in paths.items()}
    in_use = [path for schema, found in files.values() for path in (schema, *found)]
    return {
        "etype": settings.etype,
        "plug_value": settings.plug_value,
        "keep_distinct": settings.keep_distinct,
        "timeout": float(settings.timeout),
        "max_steps": settings.max_steps,
        "em": settings.em,
        "extra": settings.extra,
        "hardness": hardness,
        "databases": files,
        "tables": tables if settings.etype != "exec" else None,
        "max_memory": settings.max_memory,
        "gold_cache": settings.gold_cache,
        "content_keys": {path: contents.of(path) for path in in_use if settings.gold_cache},
    }


def _answers(
    pool: Pool,
    keys: list[tuple[str, str, str]],
    config: dict[str, Any],
    settings: Settings,
    how: tuple[str, ...] = (),
) -> Iterator[tuple[tuple[str, str, str], Answer]]:
    """Yield the answer to each (database id, gold query, prediction), as they come."""
    weights = {
        db_id: 1 + sum(os.path.getsize(path) for path in found) / 1e6
        for db_id, (_, found) in config["databases"].items()
    }
    keys = in_order(keys, weights)
    tasks = [(number, (*key, *how)) for number, key in enumerate(keys)]
    for number, answer in pool.map(list(batches(tasks, keys, weights, settings.jobs))):
        if isinstance(answer, Failure):
            answer = {
                "exec": 0,
                "exact": 0,
                "kind": answer.kind,
                "message": answer.message,
                "unrun": True,
                "seconds": settings.timeout if answer.kind == errors.TIMEOUT else 0.0,
            }
        yield keys[number], answer


def _judge_keeping_distinct(
    pool: Pool,
    questions: list[Question],
    answers: list[Answer],
    config: dict[str, Any],
    settings: Settings,
) -> None:
    """Add the verdicts that --keep_distinct gives, where a query holds DISTINCT.

    They are judged after all the others, so that a query that only then takes too long costs no
    verdict that counts.
    """
    same: dict[tuple[str, str, str], list[int]] = {}
    for number, (question, answer) in enumerate(zip(questions, answers, strict=True)):
        pred = fill_value_word(question.pred, question.gold)
        if "exec" in answer and may_differ(question.gold, pred):
            same.setdefault((question.db_id, question.gold, question.pred), []).append(number)
    for key, kept in _answers(pool, list(same), config, settings, KEEPING_DISTINCT):
        for number in same[key]:
            answers[number] = {**answers[number], "keep_distinct_ex": kept.get("exec", 0)}


def _judge_unrun(
    questions: list[Question],
    answers: list[dict[str, Any]],
    db_dir: str,
    tables: str | None,
    settings: Settings,
    hardness: bool,
) -> None:
    """Give questions without an execution the verdicts that need none."""
    unrun = [index for index, answer in enumerate(answers) if answer.get("unrun")]
    if not unrun:
        return
    from .matching import MatchJudge

    match = MatchJudge(tables if settings.etype != "exec" else None, settings.em)
    for index in unrun:
        question = questions[index]
        path = schema_file(db_dir, question.db_id)
        answer = dict(answers[index])
        if hardness:
            answer.update(match.hardness(path, question.db_id, question.gold))
        if settings.etype != "exec":
            pred = fill_value_word(question.pred, question.gold)
            answer.update(match.exact(path, question.db_id, question.gold, pred))
        answers[index] = answer
