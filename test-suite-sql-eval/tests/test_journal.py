"""Verdicts appear as they come, and an interrupted run goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_suite_sql_eval import pool
from test_suite_sql_eval.api import Report, Settings, evaluate
from test_suite_sql_eval.cli import main
from test_suite_sql_eval.handler import _Handler

QUESTIONS = 60
GOLDS = [(f"SELECT name FROM singer WHERE age > {n}", "music") for n in range(QUESTIONS)]
PREDS = [f"SELECT name FROM singer WHERE age >= {n + n % 2}" for n in range(QUESTIONS)]

Evaluation = Callable[..., Report]


@pytest.fixture
def run(tmp_path: Path, db_dir: Path) -> Evaluation:
    """Evaluate with a journal."""

    def evaluation(preds: list[str] = PREDS, **more: Any) -> Report:
        settings = Settings(
            **{"etype": "exec", "extra": True, "jobs": 1, **more.pop("settings", {})}
        )
        return evaluate(GOLDS, preds, db_dir, None, settings, journal=tmp_path / "journal", **more)

    return evaluation


def _interrupt(done: int, total: int, _answer: dict[str, Any]) -> None:
    if done == total // 2:
        raise KeyboardInterrupt


def _comparable(report: Report) -> list[dict[str, Any]]:
    return [{**verdict, "seconds": None} for verdict in report.verdicts]


def test_an_interrupted_run_goes_on(
    run: Evaluation, tmp_path: Path, db_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(progress=_interrupt)
    lines = (tmp_path / "journal").read_text().splitlines()
    assert len(lines) == 1 + QUESTIONS // 2
    assert {"questions", "exec", "hardness"} <= set(json.loads(lines[1]))
    seen: list[int] = []
    report = run(progress=lambda done, _total, _answer: seen.append(done))
    assert seen == list(range(QUESTIONS // 2 + 1, QUESTIONS + 1))
    assert report.resumed == QUESTIONS // 2
    whole = evaluate(GOLDS, PREDS, db_dir, settings=report.settings)
    assert _comparable(report) == _comparable(whole)
    assert report.scores == whole.scores
    assert report.metrics == whole.metrics


def test_a_cut_line_is_left_out(run: Evaluation, tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            run(progress=_interrupt)
        journal = tmp_path / "journal"
        journal.write_bytes(journal.read_bytes()[:-20])
    report = run()
    assert 0 < report.resumed < QUESTIONS
    assert report.scores["all"]["count"] == QUESTIONS


@pytest.mark.parametrize(
    "change",
    [{"preds": PREDS[::-1]}, {"settings": {"plug_value": True}}, {"settings": {"timeout": 9}}],
    ids=str,
)
def test_another_run_begins_anew(run: Evaluation, change: dict[str, Any]) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(progress=_interrupt)
    assert run(**change).resumed == 0


def test_a_changed_database_begins_anew(run: Evaluation, music: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(progress=_interrupt)
    music.touch()
    assert run().resumed == 0


def test_a_crash_is_judged_again(run: Evaluation, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError("a fault of this program")

    with monkeypatch.context() as patched:
        patched.setattr(pool, "_may_fork", lambda: True)  # so that the workers have it, too
        patched.setattr(_Handler, "__call__", crash)
        assert run().failures == {"worker_crash": QUESTIONS}
    report = run()
    assert report.resumed == 0
    assert report.failures == {}


def test_command_line_keeps_the_journal_until_all_is_written(
    tmp_path: Path,
    db_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "gold.txt").write_text("".join(f"{sql}\t{db_id}\n" for sql, db_id in GOLDS))
    (tmp_path / "pred.txt").write_text("".join(f"{sql}\n" for sql in PREDS))
    names = ("gold.txt", "pred.txt", "database", "verdicts.jsonl")
    gold, pred, database, verdicts = (str(tmp_path / name) for name in names)
    flags = ["--gold", gold, "--pred", pred, "--db", database, "--verdicts", verdicts, "--jobs=1"]
    with monkeypatch.context() as patched:
        patched.setattr("test_suite_sql_eval.cli._progress", lambda _each: _interrupt)
        assert main(flags) == 130
    assert not Path(verdicts).exists()
    assert Path(verdicts + ".partial").exists()
    assert "goes on" in capsys.readouterr().err
    assert main(flags) == 0
    assert f"{QUESTIONS // 2} verdicts are those of an interrupted run" in capsys.readouterr().err
    assert len(Path(verdicts).read_text().splitlines()) == QUESTIONS
    assert not Path(verdicts + ".partial").exists()
