"""The official rule on DISTINCT rejects right rewrites; a note says where."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from test_suite_sql_eval import pool
from test_suite_sql_eval.api import Settings, evaluate
from test_suite_sql_eval.cli import main
from test_suite_sql_eval.judge import ExecutionJudge

DISTINCT = "SELECT DISTINCT country FROM singer"
COUNT = "SELECT count(DISTINCT country) FROM singer"
REWRITES = [
    (DISTINCT, "SELECT country FROM singer GROUP BY country"),
    (DISTINCT, "SELECT country FROM singer UNION SELECT country FROM singer"),
    (
        COUNT,
        "SELECT count(*) FROM (SELECT country FROM singer GROUP BY country HAVING country <> '')",
    ),
]


@pytest.mark.parametrize(("gold", "pred"), REWRITES)
def test_right_rewrites_are_wrong_unless_distinct_is_kept(
    db_dir: Path, gold: str, pred: str
) -> None:
    for keep, right in ((False, 0), (True, 1)):
        settings = Settings(keep_distinct=keep, extra=True)
        (verdict,) = evaluate([(gold, "music")], [pred], db_dir, settings=settings).verdicts
        assert verdict["exec"] == right
        assert verdict["keep_distinct_ex"] == 1


@pytest.mark.parametrize("plug_value", [False, True])
def test_the_further_verdict_is_that_of_the_flag(db_dir: Path, plug_value: bool) -> None:
    preds = [
        "SELECT country FROM singer",
        DISTINCT,
        "SELECT country FROM singer GROUP BY 1",
        "SELECT DISTINCT country FROM singer WHERE age > 3",
        "SELECT 1; SELECT 2",
        "SELECT nothing FROM singer",
        "",
    ]
    golds = [(DISTINCT, "music")] * len(preds) + [("SELECT country FROM singer", "music")] * len(
        preds
    )
    with_extra, kept = (
        evaluate(golds, preds * 2, db_dir, settings=Settings(plug_value=plug_value, **more))  # type: ignore[arg-type]
        for more in ({"extra": True}, {"keep_distinct": True})
    )
    further = [verdict["keep_distinct_ex"] for verdict in with_extra.verdicts]
    assert further == [verdict["exec"] for verdict in kept.verdicts]
    assert with_extra.metrics["keep_distinct_ex"] == kept.scores["all"]["exec"]


def test_the_report_names_them(
    tmp_path: Path, db_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "gold.txt").write_text(f"SELECT 1\tmusic\n{DISTINCT}\tmusic\n{DISTINCT}\tmusic\n")
    (tmp_path / "pred.txt").write_text(f"SELECT 1\n{REWRITES[0][1]}\nSELECT country FROM singer\n")
    flags = [f"--gold={tmp_path}/gold.txt", f"--pred={tmp_path}/pred.txt", f"--db={db_dir}"]
    assert main([*flags, "--extra"]) == 0
    printed = capsys.readouterr().out
    assert "question 2: wrong, but not with --keep_distinct\n" in printed
    assert "question 3: right, but not with --keep_distinct\n" in printed
    assert printed.count("--keep_distinct") == 2


def test_a_note_names_them_without_further_flags(
    tmp_path: Path, db_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "gold.txt").write_text(f"SELECT 1\tmusic\n{DISTINCT}\tmusic\n{DISTINCT}\tmusic\n")
    (tmp_path / "pred.txt").write_text(f"SELECT 1\n{REWRITES[0][1]}\n{DISTINCT.lower()};\n")
    flags = [f"--gold={tmp_path}/gold.txt", f"--pred={tmp_path}/pred.txt", f"--db={db_dir}"]
    assert main(flags) == 0
    assert (
        "note: 1 verdicts would be others with --keep_distinct, of the questions 2;"
        in capsys.readouterr().err
    )
    assert main([*flags, "--keep_distinct"]) == 0
    assert "note:" not in capsys.readouterr().err


def test_what_only_distinct_brings_down_costs_no_verdict(
    db_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = ExecutionJudge.judge

    def fragile(self: ExecutionJudge, *arguments: Any) -> Any:
        *_, keep_distinct = arguments
        if keep_distinct:
            os.abort()
        return judge(self, *arguments)

    monkeypatch.setattr(pool, "_may_fork", lambda: True)  # so that the workers have it, too
    monkeypatch.setattr(ExecutionJudge, "judge", fragile)
    golds = [("SELECT 1 FROM singer", "music")]
    report = evaluate(golds, ["SELECT DISTINCT 1 FROM singer"], db_dir)
    (verdict,) = report.verdicts
    assert (verdict["exec"], verdict["error"], verdict["keep_distinct_ex"]) == (1, None, 0)
    assert report.failures == {}
