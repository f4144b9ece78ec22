"""Prediction files that others published for Spider dev, judged alike: a board, and its record."""

from __future__ import annotations

import csv
import io
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from test_suite_sql_eval.api import Report, Settings
from test_suite_sql_eval.errors import InputError
from test_suite_sql_eval.inputs import read_questions

from text2sql import hardware
from text2sql.errors import UserError
from text2sql.files import read_json, sha256_file, write_text
from text2sql.paths import build_root, repository_root
from text2sql.records import command_line, git_state, package_versions
from text2sql.report.formats import Table, markdown_text
from text2sql.report.published import SUITE_GOLD, progress_bar
from text2sql.report.record import LEVELS, per_cent, titles
from text2sql.report.rescore import judge
from text2sql.sql.statement import one_line

REFERENCE = "results/board/reference.json"
RECORD = "results/board/record.json"
COLUMN = "PREDICTED SQL"  # of the answers in files that are tables
# What each column of the board is judged with.
MODES: dict[str, dict[str, Any]] = {
    "exec": {"etype": "all", "extra": True},
    "exec_plug_value": {"plug_value": True},
}


def measure(folder: Path, spider: Path, jobs: int, timeout: float) -> dict[str, Any]:
    """Judge the files of the board that are in a folder, and return the record.

    Verdicts are kept below ``build/``, so that a run that was stopped goes on.

    Args:
        folder: holds ``<repository>/<file>`` for each row of the reference (see
            ``results/board/reference.json``), the repository by the name after its owner.
        spider: folder of Spider 1.0.
        jobs: processes that judge.
        timeout: seconds of processor time one question may take.

    Returns:
        The record: per row accuracy in per cent by level without flags and with ``--plug_value``,
        exact match, the share of answers that run, wrong answers by error class; how it was made.

    Raises:
        UserError: no file is there, or one has not an answer for each question.
    """
    started, git = datetime.now(UTC), git_state()  # files may change while this works
    known = read_json(repository_root() / REFERENCE)
    places = {name: _file(folder, row) for name, row in known["rows"].items()}
    present = {name: path for name, path in places.items() if path}
    if not present:
        raise UserError(
            f"{folder}: none of the board's files is here; it has to hold repositories by their"
            f" names, as {REFERENCE} lists them"
        )
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as temporary:
        for name, path in present.items():
            lines = _lines(path, Path(temporary) / f"{name}.txt")
            reports = _judge(name, lines, spider, jobs, timeout)
            described = known["rows"][name] | {"name": name, "predictions": sha256_file(path)}
            rows.append(described | _scores(reports))
    first = reports["exec"].to_dict()
    return {
        "title": known["title"],
        "questions": len(reports["exec"].verdicts),
        "version": first["metrics_version"],
        "sqlite": first["sqlite_version"],
        "database_set": first["database_set"],
        "rows": rows,
        "git": git,
        "versions": package_versions(),
        "hardware": hardware.describe(),
        "started": started.isoformat(timespec="seconds"),
        "command": command_line(),
    }


def _file(folder: Path, row: dict[str, Any]) -> Path | None:
    """Where a row's file is in the folder; None where it is not."""
    path = folder / row["repository"].rpartition("/")[2] / row["file"]
    return path if path.is_file() else None


def _lines(path: Path, output: Path) -> Path:
    """Write a file's answers one a line, as the evaluator reads them, and return where."""
    text = path.read_text(encoding="utf-8", errors="replace")
    if path.suffix == ".csv":
        answers = [one_line(row[COLUMN]) for row in csv.DictReader(io.StringIO(text))]
    else:
        answers = [line.strip() for line in text.split("\n")]
        answers = answers[:-1] if not answers[-1] else answers
    # A blank line would end an interaction: an answer without SQL is one that cannot run.
    write_text(output, "".join(f"{answer or 'none'}\n" for answer in answers))
    return output


def _judge(
    name: str, predictions: Path, spider: Path, jobs: int, timeout: float
) -> dict[str, Report]:
    gold, journals = spider / SUITE_GOLD, build_root() / "board"
    try:
        read_questions(str(gold), str(predictions))
    except InputError as error:
        raise UserError(f"{name}: {str(error).splitlines()[0]}") from None
    journals.mkdir(parents=True, exist_ok=True)
    reports = {}
    for mode, flags in MODES.items():
        settings = Settings(timeout=timeout, jobs=jobs, **flags)
        with progress_bar(f"{name}, {mode}", "question") as tell:
            reports[mode] = judge(
                gold,
                predictions,
                spider / "database",
                spider / "tables.json",
                settings,
                tell,
                journals / f"{name}_{mode}.jsonl",
            )
    return reports


def _scores(reports: dict[str, Report]) -> dict[str, Any]:
    plain = reports["exec"]
    return {
        "accuracy": {level: per_cent(plain.scores[level]["exec"]) for level in LEVELS},
        "with_plug_value": per_cent(reports["exec_plug_value"].scores["all"]["exec"]),
        "exact": per_cent(plain.scores["all"]["exact"]),
        "execution_success": per_cent(plain.metrics["execution_success"]),
        "errors": plain.metrics["errors"],
    }


def board_block() -> str:
    """Return the board as Markdown, best first; nothing where there is no record of it."""
    path = repository_root() / RECORD
    if not path.is_file():
        return ""
    record = read_json(path)
    rows = sorted(record["rows"], key=lambda row: -row["accuracy"]["all"])
    lines = [
        [
            row["label"],
            *(f"{row['accuracy'][level]:.1f}" for level in LEVELS),
            _published(row, "exec"),
            f"{row['with_plug_value']:.1f}",
            f"{row['exact']:.1f}",
            _published(row, "exact"),
        ]
        for row in rows
    ]
    header = ["Predictions", *titles(LEVELS), "published", "plug_value", "EM", "published EM"]
    notes = [
        f"- {row['label']}: {row['repository']}, `{row['file']}`; {row['note']}." for row in rows
    ]
    return "\n\n".join(
        [
            f"**{record['title']}**, {record['questions']:,} questions: execution accuracy in per"
            " cent without flags on the plain databases, beside it what the publisher says;"
            " All with `--plug_value`; exact match. Gold queries are Spider's own"
            f" (`{SUITE_GOLD}`).",
            markdown_text(Table(header, lines)),
            "\n".join(notes),
            f"{len(record['database_set']['databases'])} databases, SHA-256"
            f" {record['database_set']['sha256'][:12]}; test-suite-sql-eval {record['version']},"
            f" SQLite {record['sqlite']}; commit {record['git']['sha'][:10]}."
            f" Record: [{RECORD}](../{RECORD})",
        ]
    )


def _published(row: dict[str, Any], metric: str) -> str:
    score = (row.get("published") or {}).get(metric)
    return "" if score is None else f"{score:.1f}"
