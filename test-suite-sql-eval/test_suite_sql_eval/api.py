"""``evaluate``: judge a file of predictions and return scores and verdicts."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence

from . import errors, report
from .checks import Databases, check_tables
from .databases import ContentKeys, fingerprint, has_unsaved_wal, schema_file
from .errors import InputError
from .inputs import Question, read_questions
from .pool import Failure, Pool
from .schedule import batches, in_order
from .settings import Settings

TYPE_CHECKING = False  # importing typing takes milliseconds
if TYPE_CHECKING:
    from typing import Any

#: Version of the metric definitions; it changes when a verdict can change.
METRICS_VERSION = "1.0"


class Report:
    """What an evaluation gives.

    Attributes:
        scores: scores by level and turn, as in the official tables.
        verdicts: one dictionary a question, in file order: index, turn, db_id, hardness, exec,
            exact, gold, pred, error, error_message, witness, seconds (and strict, bird_set,
            executes).
        settings: the settings used.
        metrics: further scores by name.
        warnings: things a reader of the scores should know.
        db_dir: the folder of the databases.
        with_turns: whether the files held more than one interaction.
    """

    def __init__(
        self,
        scores: report.Scores,
        verdicts: list[dict[str, Any]],
        settings: Settings,
        metrics: dict[str, Any],
        warnings: list[str],
        db_dir: str,
        with_turns: bool,
    ) -> None:
        self.scores = scores
        self.verdicts = verdicts
        self.settings = settings
        self.metrics = metrics
        self.warnings = warnings
        self.db_dir = db_dir
        self.with_turns = with_turns

    @property
    def failures(self) -> dict[str, int]:
        """How many questions got no result: timeout, memory and worker_crash, if any."""
        kinds = [verdict["error"] for verdict in self.verdicts]
        names = (errors.TIMEOUT, errors.MEMORY, errors.CRASH)
        return {name: kinds.count(name) for name in names if name in kinds}

    def text(self) -> str:
        """Return the official tables."""
        return report.render(self.scores, self.settings.etype, self.with_turns)

    def to_dict(self) -> dict[str, Any]:
        """Return scores, settings and the fingerprint of the database set, ready for JSON."""
        judged = [v["db_id"] for v in self.verdicts if v["error"] != errors.DATABASE]
        return {
            "metrics_version": METRICS_VERSION,
            "sqlite_version": sqlite3.sqlite_version,
            "settings": self.settings.to_dict(),
            "scores": self.scores,
            "metrics": self.metrics,
            "warnings": self.warnings,
            "database_set": fingerprint(self.db_dir, judged),
        }


def evaluate(
    gold: str,
    pred: str,
    db_dir: str,
    tables: str | None = None,
    settings: Settings | None = None,
    progress: Callable[[int, int, dict[str, Any]], None] | None = None,
    levels: Sequence[str] | None = None,
) -> Report:
    """Judge the predictions of one file.

    Args:
        gold: file of gold queries, ``SQL<tab>db_id`` a line.
        pred: file of predictions, one SQL a line.
        db_dir: folder with one folder of .sqlite files per database id.
        tables: tables.json; needed for exact match.
        settings: how to judge; the default is the official execution accuracy.
        progress: called with (questions done, questions in all, verdict) after each question.
        levels: the data set's own level of each question, in place of Spider's hardness.

    Returns:
        A ``Report``.

    Raises:
        InputError: files or settings are wrong; the text says where and what to do.
    """
    settings = settings or Settings()
    questions, sessions = read_questions(gold, pred)
    databases = Databases(questions, db_dir)
    problems = check_tables(questions, tables, settings.etype)
    if not settings.allow_gold_errors or not any(databases.files.values()):
        problems = [*databases.faults.values(), *problems]
    if problems:
        raise InputError("\n".join(problems))
    if levels is not None and len(levels) != len(questions):
        raise InputError(f"{len(levels)} levels for the {len(questions)} questions of {gold}")
    answers = _judge_all(questions, databases, db_dir, tables, settings, progress)
    verdicts = [
        _verdict(number, question, answer, settings)
        for number, (question, answer) in enumerate(zip(questions, answers, strict=True))
    ]
    if levels is None:
        scores = report.compute(verdicts, sessions, settings.etype)
    else:
        for answer in answers:
            answer.pop("parse_error", None)  # nothing hangs on Spider's grammar then
        for verdict, level in zip(verdicts, levels, strict=True):
            verdict["hardness"] = level
        scores = report.compute(verdicts, sessions, settings.etype, dict.fromkeys(levels))
    warnings = _warnings(questions, answers, databases, settings)
    for verdict in verdicts:
        verdict.pop("session")
    return Report(
        scores,
        verdicts,
        settings,
        _metrics(verdicts, answers, settings),
        warnings,
        db_dir,
        sessions > 1,
    )


def _judge_all(
    questions: list[Question],
    databases: Databases,
    db_dir: str,
    tables: str | None,
    settings: Settings,
    progress: Callable[[int, int, dict[str, Any]], None] | None,
) -> list[dict[str, Any]]:
    """Judge each distinct (database, gold, prediction) once and spread the answers."""
    answers: list[dict[str, Any]] = [{} for _ in questions]
    same: dict[tuple[str, str, str], list[int]] = {}
    for number, question in enumerate(questions):
        if question.db_id in databases.faults:
            answers[number] = {"kind": errors.DATABASE, "message": databases.faults[question.db_id]}
            continue
        same.setdefault((question.db_id, question.gold, question.pred), []).append(number)
    contents = ContentKeys(settings.gold_cache)
    paths = {db_id: contents.distinct(found) for db_id, found in databases.files.items()}
    weights = {
        db_id: 1 + sum(os.path.getsize(path) for path in found) / 1e6
        for db_id, found in paths.items()
    }
    keys = in_order(list(same), weights)
    tasks = list(enumerate(keys))
    files = {id_: (schema_file(db_dir, id_), found) for id_, found in paths.items() if found}
    in_use = [path for schema, found in files.values() for path in (schema, *found)]
    config = {
        "etype": settings.etype,
        "plug_value": settings.plug_value,
        "keep_distinct": settings.keep_distinct,
        "timeout": float(settings.timeout),
        "em": settings.em,
        "extra": settings.extra,
        "databases": files,
        "tables": tables if settings.etype != "exec" else None,
        "max_memory": settings.max_memory,
        "gold_cache": settings.gold_cache,
        "content_keys": {path: contents.of(path) for path in in_use if settings.gold_cache},
    }
    done = len(questions) - sum(map(len, same.values()))
    with Pool("test_suite_sql_eval.handler", config, min(settings.jobs, len(tasks))) as pool:
        for number, answer in pool.map(list(batches(tasks, keys, weights, settings.jobs))):
            if isinstance(answer, Failure):
                answer = {
                    "exec": 0,
                    "exact": 0,
                    "kind": answer.kind,
                    "message": answer.message,
                    "killed": True,
                    "seconds": settings.timeout if answer.kind == errors.TIMEOUT else 0.0,
                }
            for index in same[keys[number]]:
                answers[index] = answer
                done += 1
                if progress is not None:
                    progress(done, len(questions), answer)
    _repair_killed(questions, answers, db_dir, tables, settings)
    return answers


def _repair_killed(
    questions: list[Question],
    answers: list[dict[str, Any]],
    db_dir: str,
    tables: str | None,
    settings: Settings,
) -> None:
    """Give questions whose worker was killed the verdicts that need no execution."""
    killed = [index for index, answer in enumerate(answers) if answer.get("killed")]
    if not killed:
        return
    from .judge import fill_value_word
    from .matching import MatchJudge

    match = MatchJudge(tables if settings.etype != "exec" else None, settings.em)
    for index in killed:
        question = questions[index]
        path = schema_file(db_dir, question.db_id)
        answer = dict(answers[index], **match.hardness(path, question.db_id, question.gold))
        if settings.etype != "exec":
            pred = fill_value_word(question.pred, question.gold)
            answer.update(match.exact(path, question.db_id, question.gold, pred))
        answers[index] = answer


def _verdict(
    number: int, question: Question, answer: dict[str, Any], settings: Settings
) -> dict[str, Any]:
    out: dict[str, Any] = {
        "index": number,
        "session": question.session,
        "turn": question.turn,
        "db_id": question.db_id,
        "hardness": answer.get("hardness"),
        "exec": answer.get("exec", 0) if settings.etype != "match" else None,
        "exact": answer.get("exact", 0) if settings.etype != "exec" else None,
        "gold": question.gold,
        "pred": question.pred,
        "error": "gold_error" if "gold_error" in answer else answer.get("kind"),
        "error_message": answer.get("gold_error", answer.get("message")),
        "witness": answer.get("witness"),
        "seconds": round(answer.get("seconds", 0.0), 6),
    }
    if settings.etype != "exec":
        out["partial"] = answer.get("partial")
    if settings.extra and settings.etype != "match":  # a killed worker tells none of them
        out.update(dict.fromkeys(("strict", "bird_set", "executes"), 0))
    out.update(answer.get("extra", {}))
    return out


def _warnings(
    questions: list[Question],
    answers: list[dict[str, Any]],
    databases: Databases,
    settings: Settings,
) -> list[str]:
    bad_golds = [
        f"{question.gold_place}: the gold query fails: {answer['gold_error']}"
        for question, answer in zip(questions, answers, strict=True)
        if "gold_error" in answer
    ]
    if bad_golds and not settings.allow_gold_errors:
        bad_golds.append(
            "correct these lines, raise --timeout if time ran out, or pass --allow_gold_errors to "
            "count these questions as wrong"
        )
        raise InputError("\n".join(bad_golds))
    unparsed = [
        f"{question.gold_place}: the gold query is outside Spider's grammar "
        f"({answer['parse_error']}); it counts in 'all' only"
        for question, answer in zip(questions, answers, strict=True)
        if answer.get("parse_error")
    ]
    logs = [
        f"{path}-wal holds changes that are not in the database file and were not seen; "
        "run PRAGMA wal_checkpoint on it"
        for found in databases.files.values()
        for path in found
        if has_unsaved_wal(path)
    ]
    ids = [question.db_id for question in questions]
    unusable = [
        f"{fault}; its questions ({ids.count(db_id)}) count as wrong"
        for db_id, fault in databases.faults.items()
    ]
    return unusable + databases.remarks + bad_golds + unparsed + logs


def _metrics(
    verdicts: list[dict[str, Any]], answers: list[dict[str, Any]], settings: Settings
) -> dict[str, Any]:
    """Scores beyond the official tables; each is a share of all questions."""
    out: dict[str, Any] = {}
    total = len(verdicts)
    if settings.etype != "match":
        kinds = [verdict["error"] for verdict in verdicts if verdict["error"]]
        out["errors"] = {kind: kinds.count(kind) for kind in sorted(set(kinds))}
    extras = [answer.get("extra", {}) for answer in answers]
    if settings.extra and settings.etype != "match":
        for name, key in (
            ("strict_ex", "strict"),
            ("strict_ex_both_empty", "both_empty"),
            ("bird_set_ex", "bird_set"),
            ("execution_success", "executes"),
            ("gold_empty", "gold_empty"),
        ):
            out[name] = sum(extra.get(key, 0) for extra in extras) / total
    return out
