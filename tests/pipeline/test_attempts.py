"""The record of a stage that was stopped and went on tells the time and commits of all attempts."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from text2sql.files import write_json
from text2sql.progress import PROGRESS, Progress
from text2sql.records import (
    begin_attempt,
    command_line,
    git_state,
    read_manifest,
    write_manifest,
)
from text2sql.report.record import commits

FIRST = {"sha": "1" * 40, "dirty": False}
SECOND = {"sha": "2" * 40, "dirty": True}


def stop_after(folder: Path, started: datetime, seconds: float) -> None:
    """Leave the folder as a process does that is killed so long after its start."""
    Progress(folder).update(1, 2, "rows")
    end = (started + timedelta(seconds=seconds)).timestamp()
    os.utime(folder / PROGRESS, (end, end))


def test_time_until_the_last_sign_of_life_counts(tmp_path: Path) -> None:
    started, earlier = begin_attempt(tmp_path, FIRST)
    assert earlier == []
    stop_after(tmp_path, started.replace(microsecond=0), 90)
    _, earlier = begin_attempt(tmp_path, SECOND)
    assert [(attempt["seconds"], attempt["git"]) for attempt in earlier] == [(90.0, FIRST)]


def test_an_attempt_without_any_progress_counts_nothing(tmp_path: Path) -> None:
    started, _ = begin_attempt(tmp_path, FIRST)
    stop_after(tmp_path, started.replace(microsecond=0), 10)
    begin_attempt(tmp_path, FIRST)
    (tmp_path / PROGRESS).unlink()
    _, earlier = begin_attempt(tmp_path, FIRST)
    assert [attempt["seconds"] for attempt in earlier] == [10.0, 0.0]


def test_manifest_and_commits_tell_of_every_attempt(tmp_path: Path) -> None:
    write_json(tmp_path / "out.json", {})
    write_manifest(
        tmp_path,
        stage="toy",
        key="k",
        config={},
        inputs={},
        seed=None,
        started=datetime.now(UTC),
        details={},
        earlier=[{"started": "2026-01-01T00:00:00+00:00", "seconds": 90.0, "git": SECOND}],
    )
    manifest = read_manifest(tmp_path)
    assert manifest is not None
    assert 90 <= manifest["seconds"] < 120
    assert "2222222222+" in commits({"stages": {"toy": manifest}})


def test_a_record_names_no_folder_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    choices = '{"profile": "/home/me/p.yaml"}'
    monkeypatch.setattr(sys, "argv", ["/a/b/run_stage.py", "infer:x", choices, "c/d"])
    assert command_line() == 'run_stage.py infer:x {"profile": "p.yaml"} c/d'


def test_the_commit_is_that_of_the_checkout_named_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "configs").mkdir()
    monkeypatch.setenv("TEXT2SQL_ROOT", str(tmp_path))
    outside = {"sha": None, "dirty": None}
    assert git_state() == outside
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    checkout = tmp_path / "checkout"
    (checkout / "configs").mkdir(parents=True)
    subprocess.run([*git, "init", "-q", str(checkout)], check=True)
    commit = ["-C", str(checkout), "commit", "-q", "--allow-empty", "-m", "first"]
    subprocess.run([*git, *commit], check=True)
    monkeypatch.setenv("TEXT2SQL_ROOT", str(checkout))
    assert git_state()["sha"] and git_state()["dirty"] is False
    monkeypatch.setenv("TEXT2SQL_ROOT", str(tmp_path))
    assert git_state() == outside
