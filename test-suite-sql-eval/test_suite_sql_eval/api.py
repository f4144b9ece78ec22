"""``evaluate``: judge a file of predictions and return scores and verdicts."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence

from . import errors, report
from .checks import Databases, check_tables
from .databases import fingerprint, has_unsaved_wal
from .errors import InputError
from .inputs import Question, read_questions
from .running import judge_all
from .settings import METRICS_VERSION, Settings
from .value_word import value_words

TYPE_CHECKING = False  # importing typing takes milliseconds
if TYPE_CHECKING:
    from typing import Any

    from .inputs import Golds, Path, Predictions


class Report:
    """What an evaluation gives.

    Attributes:
        scores: scores by level and turn, as in the official tables.
        verdicts: one dictionary a question, in file order: index, turn, db_id, hardness, exec,
            keep_distinct_ex, exact, gold, pred, error, error_message, witness, seconds (and strict,
            bird_set, executes).
        settings: the settings used.
        metrics: further scores by name.
        warnings: things a reader of the scores should know.
        db_dir: the folder of the databases.
        with_turns: whether the files held more than one interaction.
        resumed: how many answers were in the journal of an interrupted run.
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
        resumed: int = 0,
    ) -> None:
        self.scores = scores
        self.verdicts = verdicts
        self.settings = settings
        self.metrics = metrics
        self.warnings = warnings
        self.db_dir = db_dir
        self.with_turns = with_turns
        self.resumed = resumed

    @property
    def failures(self) -> dict[str, int]:
        """How many questions got no result: timeout, memory and worker_crash, if any."""
        kinds = [verdict["error"] for verdict in self.verdicts]
        names = (errors.TIMEOUT, errors.MEMORY, errors.CRASH)
        return {name: kinds.count(name) for name in names if name in kinds}

    @property
    def changed_by_distinct(self) -> list[int]:
        """The questions, by index, whose verdict is another with ``keep_distinct``."""
        return [v["index"] for v in self.verdicts if v["keep_distinct_ex"] != v["exec"]]

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
    gold: Golds,
    pred: Predictions,
    db_dir: Path,
    tables: Path | None = None,
    settings: Settings | None = None,
    progress: Callable[[int, int, dict[str, Any]], None] | None = None,
    levels: Sequence[str] | None = None,
    journal: Path | None = None,
) -> Report:
    """Judge predictions.

    Args:
        gold: file of gold queries, ``SQL<tab>db_id`` a line, or JSON Lines or JSON (`json_inputs`);
            or a list of (SQL, database id).
        pred: file of predictions, one SQL a line, or JSON Lines or JSON; or a list of SQL.
        db_dir: folder with one folder of .sqlite files per database id.
        tables: tables.json; needed for exact match.
        settings: how to judge; the default is the official execution accuracy.
        progress: called with (questions done, questions in all, verdict) after each question.
        levels: the data set's own level of each question, in place of Spider's hardness.
        journal: file that takes every answer as it comes; a run that finds the file of an
            interrupted one of the same questions and settings goes on from there.

    Returns:
        A ``Report``.

    Raises:
        InputError: files or settings are wrong; the text says where and what to do.
    """
    settings = settings or Settings()
    db_dir = os.fspath(db_dir)
    tables = None if tables is None else os.fspath(tables)
    questions, sessions = read_questions(gold, pred)
    databases = Databases(questions, db_dir)
    problems = check_tables(questions, tables, settings.etype)
    if not settings.allow_gold_errors or not any(databases.files.values()):
        problems = [*databases.faults.values(), *problems]
    if problems:
        raise InputError("\n".join(problems))
    if levels is not None and len(levels) != len(questions):
        raise InputError(f"{len(levels)} levels for {len(questions)} questions")
    answers, resumed = judge_all(
        questions,
        databases,
        db_dir,
        tables,
        settings,
        progress or (lambda _done, _total, _answer: None),
        None if journal is None else os.fspath(journal),
        hardness=levels is None,
    )
    verdicts = [
        _verdict(number, question, answer, settings)
        for number, (question, answer) in enumerate(zip(questions, answers, strict=True))
    ]
    if levels is None:
        scores = report.compute(verdicts, sessions, settings.etype)
    else:
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
        resumed,
    )


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
        "keep_distinct_ex": None,
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
    if settings.etype != "match":
        out["keep_distinct_ex"] = answer.get("keep_distinct_ex", out["exec"])
    if settings.extra and settings.etype != "match":  # a killed worker tells none of them
        out.update(dict.fromkeys(("strict", "bird_set", "executes", "keep_distinct_ex"), 0))
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
    return unusable + databases.remarks + bad_golds + unparsed + logs + value_words(questions)


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
            ("keep_distinct_ex", "keep_distinct_ex"),
        ):
            out[name] = sum(extra.get(key, 0) for extra in extras) / total
    return out
