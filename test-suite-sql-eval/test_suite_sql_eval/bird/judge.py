"""Judge a file of predictions by BIRD's metrics."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from .. import errors
from ..checks import Databases
from ..databases import schema_file
from ..errors import InputError
from ..inputs import Question, read_questions
from ..pool import Failure, Pool
from ..settings import DEFAULT_MAX_MEMORY, DEFAULT_MAX_STEPS, default_jobs
from .metrics import r_ves, reward, time_ratio

TYPE_CHECKING = False  # importing typing takes milliseconds
if TYPE_CHECKING:
    from typing import Any

    from ..inputs import Golds, Path, Predictions

#: How often BIRD's program runs the queries of a right question to time them.
ITERATIONS = 100
TIMEOUT = 30.0
LEVELS = ("simple", "moderate", "challenging")


class BirdSettings:
    """How to judge.

    Attributes:
        iterations: how often both queries of a right question run for R-VES; 0 leaves it out.
        timeout: seconds of processor time of a query; the timed runs of a question together may
            take that many times `iterations`.
        max_steps: steps of SQLite a query may take.
        jobs: worker processes. Where R-VES is asked for, one: what runs beside disturbs the times.
        max_memory: bytes a worker may use.
    """

    __slots__ = ("iterations", "timeout", "max_steps", "jobs", "max_memory")

    def __init__(
        self,
        iterations: int = 0,
        timeout: float = TIMEOUT,
        max_steps: int = DEFAULT_MAX_STEPS,
        jobs: int | None = None,
        max_memory: int = DEFAULT_MAX_MEMORY,
    ) -> None:
        """Take the settings; raise InputError for one that has no meaning."""
        if iterations < 0 or iterations == 1:
            raise InputError(f"iterations must be 0 or at least 2, not {iterations}")
        if timeout <= 0:
            raise InputError(f"timeout must be more than 0, not {timeout}")
        self.iterations = iterations
        self.timeout = timeout
        self.max_steps = max_steps
        self.jobs = (1 if iterations else default_jobs()) if jobs is None else jobs
        self.max_memory = max_memory

    def to_dict(self) -> dict[str, Any]:
        """Return the settings by name."""
        return {name: getattr(self, name) for name in self.__slots__}


class BirdReport:
    """What `judge` gives.

    Attributes:
        scores: by level and ``all``: count, and the shares ex, soft_f1 and, where asked for, r_ves.
        verdicts: a dictionary a question, in file order: index, db_id, level, ex, soft_f1, error,
            error_message and, where asked for, time_ratio and reward.
        settings: the settings used.
    """

    def __init__(
        self,
        scores: dict[str, dict[str, Any]],
        verdicts: list[dict[str, Any]],
        settings: BirdSettings,
    ) -> None:
        self.scores = scores
        self.verdicts = verdicts
        self.settings = settings

    def text(self) -> str:
        """Return the scores as a table, in per cent."""
        kinds = {"ex": "EX", "soft_f1": "Soft-F1", "r_ves": "R-VES"}
        kinds = {key: title for key, title in kinds.items() if key in self.scores["all"]}
        lines = [f"{'':14}{'count':>8}" + "".join(f"{title:>10}" for title in kinds.values())]
        for level, score in self.scores.items():
            cells = "".join(f"{100 * score[key]:10.2f}" for key in kinds)
            lines.append(f"{level:14}{score['count']:8}{cells}")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return scores and settings, ready for JSON."""
        return {"scores": self.scores, "settings": self.settings.to_dict()}


def judge(
    gold: Golds,
    pred: Predictions,
    db_dir: Path,
    settings: BirdSettings | None = None,
    levels: Sequence[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> BirdReport:
    """Judge predictions by BIRD's EX, Soft-F1 and R-VES; queries run as they are written.

    A question whose gold query fails counts as wrong, as in BIRD's program, and its verdict says
    so (error ``gold_error``).

    Args:
        gold: as of `evaluate`; BIRD's ``dev.json`` and ``dev.sql`` are read.
        pred: as of `evaluate`; BIRD's ``predict_dev.json`` is read.
        db_dir: folder with one folder of a .sqlite file per database id.
        settings: how to judge; by default without R-VES.
        levels: the difficulty of each question, if known.
        progress: called with questions done and in all.

    Raises:
        InputError: files or settings are wrong.
    """
    settings = settings or BirdSettings()
    questions, _ = read_questions(gold, pred)
    problems = Databases(questions, os.fspath(db_dir)).faults.values()
    if problems:
        raise InputError("\n".join(problems))
    if levels is not None and len(levels) != len(questions):
        raise InputError(f"{len(levels)} levels for {len(questions)} questions")
    answers = _answers(
        questions, os.fspath(db_dir), settings, progress or (lambda _done, _all: None)
    )
    verdicts = [
        _verdict(number, question, answers[number], levels[number] if levels else None, settings)
        for number, question in enumerate(questions)
    ]
    return BirdReport(_scores(verdicts, settings), verdicts, settings)


def _answers(
    questions: Sequence[Question],
    db_dir: str,
    settings: BirdSettings,
    progress: Callable[[int, int], None],
) -> list[dict[str, Any]]:
    answers: list[dict[str, Any]] = [
        {"kind": errors.UNREADABLE, "message": question.fault} for question in questions
    ]
    tasks = [
        (number, (os.path.abspath(schema_file(db_dir, q.db_id)), q.gold, q.pred))
        for number, q in enumerate(questions)
        if q.fault is None
    ]
    config = {
        "timeout": float(settings.timeout),
        "max_steps": settings.max_steps,
        "iterations": settings.iterations,
        "max_memory": settings.max_memory,
    }
    jobs = max(1, min(settings.jobs, len(tasks)))
    with Pool("test_suite_sql_eval.bird.handler", config, jobs, try_again=True) as pool:
        for done, (number, answer) in enumerate(pool.map([[task] for task in tasks]), 1):
            if isinstance(answer, Failure):
                answer = {"kind": answer.kind, "message": answer.message}
            answers[number] = answer
            progress(done, len(tasks))
    return answers


def _verdict(
    number: int,
    question: Question,
    answer: dict[str, Any],
    level: str | None,
    settings: BirdSettings,
) -> dict[str, Any]:
    out = {
        "index": number,
        "db_id": question.db_id,
        "level": level,
        "ex": answer.get("ex", 0),
        "soft_f1": answer.get("soft_f1", 0.0),
        "error": answer.get("kind"),
        "error_message": answer.get("message"),
    }
    if settings.iterations:
        timed = "gold_seconds" in answer
        ratio = time_ratio(answer["gold_seconds"], answer["pred_seconds"]) if timed else None
        out["time_ratio"] = ratio
        out["reward"] = 0.0 if ratio is None else reward(ratio)
    return out


def _scores(
    verdicts: Sequence[dict[str, Any]], settings: BirdSettings
) -> dict[str, dict[str, Any]]:
    named = {verdict["level"] for verdict in verdicts if verdict["level"]}
    order = [*(level for level in LEVELS if level in named), *sorted(named.difference(LEVELS))]
    groups = {level: [v for v in verdicts if v["level"] == level] for level in order}
    groups["all"] = list(verdicts)
    scores: dict[str, dict[str, Any]] = {}
    for level, group in groups.items():
        mean = {key: sum(v[key] for v in group) / len(group) for key in ("ex", "soft_f1")}
        scores[level] = {"count": len(group), **mean}
        if settings.iterations:
            scores[level]["r_ves"] = r_ves([v["reward"] for v in group])
    return scores
