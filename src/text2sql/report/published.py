"""Judge the prediction files of a published results table, and keep what came out as a record."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from test_suite_sql_eval.api import Report, Settings
from test_suite_sql_eval.distill.choose import Options
from test_suite_sql_eval.distill.suite import make_suites
from test_suite_sql_eval.errors import InputError
from test_suite_sql_eval.inputs import read_questions

from text2sql import hardware
from text2sql.errors import UserError
from text2sql.files import read_json, sha256_file
from text2sql.paths import build_root
from text2sql.records import command_line, git_state, package_versions, peak_memory_mb
from text2sql.report.record import LEVELS, accuracies
from text2sql.report.rescore import judge, progress_bar
from text2sql.report.uncertainty import (
    SIGNIFICANCE,
    discordant,
    holm,
    mcnemar,
    standard_error,
)

GOLD, SUITE_GOLD = "gold.txt", "dev_gold.sql"
# Measured on two idle cores of a Xeon (74 s for nine files), for the estimate before the work.
SECONDS_A_SUITE, SECONDS_A_QUESTION = 1.2, 0.014


@dataclass(frozen=True)
class Inputs:
    """What is judged, and on what.

    Attributes:
        predictions: folder with one prediction file a row, ``<row>.txt``, and ``gold.txt``.
        spider: folder of Spider 1.0.
        reference: JSON file with the published scores and what each prediction file is.
    """

    predictions: Path
    spider: Path
    reference: Path

    @property
    def gold(self) -> Path:
        """The gold queries published with the predictions."""
        return self.predictions / GOLD

    def check(self) -> dict[str, dict[str, Any]]:
        """Return what the reference says of each prediction file that is there, by row.

        Raises:
            UserError: a file or folder is missing, or a file has not a line for each gold query.
        """
        known = read_json(self.reference)
        if not self.predictions.is_dir():
            raise UserError(
                f"{self.predictions}: no such folder; PREDICTIONS names the one with the published"
                " prediction files"
            )
        for path in (self.gold, *map(self.file, known["rows"])):
            if not path.is_file():
                needed = ", ".join([GOLD, *(f"{name}.txt" for name in known["rows"])])
                raise UserError(f"{path}: no such file; the folder has to hold {needed}")
        for path in (self.spider / "database", self.spider / SUITE_GOLD):
            if not path.exists():
                raise UserError(f"{path}: not there; SPIDER_DIR names the folder of Spider 1.0")
        rows = known["rows"] | known["further_predictions"]
        present = {name: row for name, row in rows.items() if self.file(name).is_file()}
        try:
            for name in present:
                read_questions(str(self.gold), str(self.file(name)))
        except InputError as error:
            raise UserError(str(error).splitlines()[0]) from None
        return present

    def file(self, row: str) -> Path:
        """The prediction file of a row."""
        return self.predictions / f"{row}.txt"


def estimate(inputs: Inputs, jobs: int) -> str:
    """Return, as a line, what is about to be judged and about how long that takes.

    Raises:
        UserError: as `Inputs.check` does.
    """
    rows = inputs.check()
    questions = len(inputs.gold.read_text(encoding="utf-8").splitlines())
    suite_gold = (inputs.spider / SUITE_GOLD).read_text(encoding="utf-8").splitlines()
    databases = len({line.rpartition("\t")[2].strip() for line in suite_gold if line.strip()})
    seconds = databases * SECONDS_A_SUITE + len(rows) * questions * SECONDS_A_QUESTION
    return (
        f"{len(rows)} prediction files of {questions:,} questions, on {databases} databases and"
        f" their test suites: about {seconds / jobs / 60:.0f} minutes with --jobs {jobs} where the"
        " cores have nothing else to do; what an earlier run did is not done again"
    )


def reproduce(inputs: Inputs, seed: int, jobs: int, timeout: float) -> dict[str, Any]:
    """Make the suites of Spider's dev databases, judge every prediction file, return the record.

    Suites and verdicts are kept below ``build/``, so that a run that was stopped goes on.

    Args:
        inputs: what is judged, and on what.
        seed: seed of the suites.
        jobs: processes that judge.
        timeout: seconds of processor time one question may take.

    Returns:
        The record: per row the accuracy in per cent by level on suites and on the plain databases,
        the verdict on each question, the difference to the published score, the standard error and
        the comparison with the first row; the fingerprints of all files; how it was made.

    Raises:
        UserError: as `Inputs.check` does, or a gold query or database is faulty.
    """
    started, git = datetime.now(UTC), git_state()  # files may change while this works
    known, rows = read_json(inputs.reference), inputs.check()
    options = Options(seed=seed)
    suites = build_root() / "test-suites" / f"spider-dev_seed{seed}"
    with progress_bar("test suites", "database") as tell:
        _make_suites(inputs, suites, options, jobs, tell)
    places = {"plain": inputs.spider / "database", "suites": suites}
    settings = Settings(plug_value=True, timeout=timeout, jobs=jobs)
    judged = {name: _judge(inputs, name, places, settings, seed) for name in rows}
    first = judged[next(iter(rows))]
    measured = first["suites"].to_dict()
    return {
        "title": f"{known['title']}, published predictions",
        "reference": inputs.reference.stem,
        "dataset": "spider dev",
        "source": known["source"],
        "metric": {
            "name": "test-suite accuracy",
            "version": measured["metrics_version"],
            "plug_value": True,
            "keep_distinct": False,
            "sqlite": sqlite3.sqlite_version,
        },
        "settings": measured["settings"],
        "suite_options": asdict(options),
        "files": {
            "gold": sha256_file(inputs.gold),
            "gold_of_the_suites": sha256_file(inputs.spider / SUITE_GOLD),
        },
        "database_set": first["plain"].to_dict()["database_set"],
        "test_suite_set": measured["database_set"],
        "levels": [verdict["hardness"] for verdict in first["suites"].verdicts],
        "rows": _rows(inputs, rows, judged, known["rows"]),
        "git": git,
        "versions": package_versions(),
        "hardware": hardware.describe(),
        "started": started.isoformat(timespec="seconds"),
        "seconds": round((datetime.now(UTC) - started).total_seconds(), 1),
        "peak_memory_mb": peak_memory_mb(),
        "command": command_line(),
    }


def _judge(
    inputs: Inputs, row: str, places: dict[str, Path], settings: Settings, seed: int
) -> dict[str, Report]:
    """Judge a row's predictions on the databases of each place."""
    journals = build_root() / "published" / inputs.reference.stem
    journals.mkdir(parents=True, exist_ok=True)
    reports = {}
    for place, databases in places.items():
        with progress_bar(f"{row}, {place}", "question") as tell:
            reports[place] = judge(
                inputs.gold,
                inputs.file(row),
                databases,
                settings=settings,
                progress=tell,
                journal=journals / f"{row}_{place}_seed{seed}.jsonl",
            )
    return reports


def _make_suites(
    inputs: Inputs, suites: Path, options: Options, jobs: int, tell: Callable[..., None]
) -> None:
    try:
        make_suites(
            inputs.spider / "database",
            inputs.spider / SUITE_GOLD,
            suites,
            options,
            jobs=jobs,
            progress=tell,
        )
    except InputError as error:
        raise UserError(str(error).splitlines()[0]) from None


def _rows(
    inputs: Inputs,
    rows: dict[str, dict[str, Any]],
    judged: dict[str, dict[str, Report]],
    in_the_table: dict[str, Any],
) -> list[dict[str, Any]]:
    """What was measured of each prediction file, with what follows from it."""
    scored = {
        name: {place: _scores(report) for place, report in reports.items()}
        for name, reports in judged.items()
    }
    against = _against_first(
        {name: scores["suites"]["outcomes"] for name, scores in scored.items()}
    )
    out = []
    for name, row in rows.items():
        on_suites, published = scored[name]["suites"], row.get("scores")
        accuracy = on_suites["accuracy"]
        out.append(
            {
                "name": name,
                "label": row["label"],
                "note": row.get("note"),
                "in_the_published_table": name in in_the_table,
                "predictions": sha256_file(inputs.file(name)),
                **on_suites,
                "plain": scored[name]["plain"],
                "published": published,
                "difference": published
                and {level: round(accuracy[level] - published[level], 2) for level in LEVELS},
                "standard_error": {
                    level: round(100 * standard_error(accuracy[level] / 100, number), 2)
                    for level, number in on_suites["questions"].items()
                },
                "against_first": against.get(name),
            }
        )
    return out


def _against_first(outcomes: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Compare every row but the first with it, question by question (McNemar, Holm)."""
    verdicts = {name: [int(outcome) for outcome in text] for name, text in outcomes.items()}
    base, *others = verdicts
    counts = {name: discordant(verdicts[base], verdicts[name]) for name in others}
    p_values = [mcnemar(*pair) for pair in counts.values()]
    return {
        name: {
            "only_first": only_first,
            "only_this": only_this,
            "p": p,
            "p_corrected": corrected,
            "significant": corrected < SIGNIFICANCE,
        }
        for (name, (only_first, only_this)), p, corrected in zip(
            counts.items(), p_values, holm(p_values), strict=True
        )
    }


def _scores(report: Report) -> dict[str, Any]:
    return accuracies(report.scores, report.verdicts, LEVELS, "exec")
