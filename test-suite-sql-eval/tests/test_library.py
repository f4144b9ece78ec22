"""The package alone: from Python, by its own name, and from a wheel in a clean environment."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import test_suite_sql_eval as tse
from test_suite_sql_eval.cli import main
from test_suite_sql_eval.settings import METRICS_VERSION

from .conftest import make_database

PACKAGE = Path(__file__).resolve().parents[1]
GOLDS = [("SELECT name FROM singer WHERE age > 30", "music"), ("SELECT 1", "music")]


def test_evaluates_lists(db_dir: Path) -> None:
    preds = ["SELECT name\nFROM singer\nWHERE age >= 31", "SELECT\t2"]
    report = tse.evaluate(GOLDS, preds, db_dir, settings=tse.Settings(jobs=1))
    assert [v["exec"] for v in report.verdicts] == [1, 0]
    assert isinstance(report, tse.Report)


def test_evaluates_a_file_against_a_list(tmp_path: Path, db_dir: Path) -> None:
    gold = tmp_path / "gold.txt"
    gold.write_text("".join(f"{sql}\t{db_id}\n" for sql, db_id in GOLDS))
    report = tse.evaluate(gold, ["SELECT 1", "SELECT 1"], str(db_dir))
    assert [v["exec"] for v in report.verdicts] == [0, 1]


@pytest.mark.parametrize(
    ("golds", "preds", "message"),
    [
        ([], [], "no gold query"),
        (GOLDS, ["SELECT 1"], "2 gold queries .* but 1 predictions"),
        ([("SELECT 1", "nothing")], ["SELECT 1"], "gold query 1: unknown db_id 'nothing'"),
        ([(None, "music")], ["SELECT 1"], "gold query 1: not a text but NoneType"),
    ],
)
def test_wrong_lists_are_said(db_dir: Path, golds: list, preds: list, message: str) -> None:
    with pytest.raises(tse.InputError, match=message):
        tse.evaluate(golds, preds, db_dir)


def test_a_prediction_that_is_no_text_counts_as_wrong(db_dir: Path) -> None:
    preds = [None, "SELECT '\ud800'"]
    report = tse.evaluate(GOLDS, preds, db_dir)  # type: ignore[arg-type]
    assert [v["error"] for v in report.verdicts] == ["unreadable", "unreadable"]
    assert "prediction 1: not a text but NoneType" in report.verdicts[0]["error_message"]
    json.dumps(report.verdicts, ensure_ascii=False).encode()


def test_only_what_is_asked_for_is_there() -> None:
    assert set(tse.__all__) <= {*dir(tse), *tse._HOMES}
    with pytest.raises(AttributeError, match="nothing"):
        _ = tse.nothing  # type: ignore[attr-defined]


def test_version_and_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert (
        capsys.readouterr().out
        == f"test-suite-sql-eval {tse.__version__} (metrics {METRICS_VERSION})\n"
    )
    with pytest.raises(SystemExit):
        main(["--help"])
    help_text = capsys.readouterr().out
    assert help_text.startswith("usage: test-suite-sql-eval ")
    for status in ("0 judged", "1 --check", "2 wrong input", "3 judged, but", "130 stopped"):
        assert status in " ".join(help_text.split())


@pytest.mark.parametrize("flag", ["--output", "--verdicts"])
def test_output_paths_are_checked_before_judging(
    tmp_path: Path, db_dir: Path, capsys: pytest.CaptureFixture[str], flag: str
) -> None:
    (tmp_path / "gold.txt").write_text("SELECT 1\tmusic\n")
    (tmp_path / "pred.txt").write_text("SELECT 1\n")
    flags = [f"--gold={tmp_path}/gold.txt", f"--pred={tmp_path}/pred.txt", f"--db={db_dir}"]
    for path in (tmp_path / "absent" / "out.json", db_dir):
        assert main([*flags, flag, str(path)]) == 2
        captured = capsys.readouterr()
        assert str(path) in captured.err
        assert captured.out == ""


def test_hints_name_only_what_pip_finds() -> None:
    """This package itself is not on PyPI."""
    on_pypi = {"pandas", "sqlglot", "sqlparse", "sacrebleu", "rouge-score"}
    hinted = set()
    for path in sorted((PACKAGE / "test_suite_sql_eval").rglob("*.py")):
        for names in re.findall(r"pip install ([\w' \[\]-]+)", path.read_text(encoding="utf-8")):
            hinted.update(names.split())
    assert hinted == on_pypi


def _run(*command: object, **more: object) -> subprocess.CompletedProcess[str]:
    words = [str(word) for word in command]
    return subprocess.run(words, capture_output=True, text=True, check=False, **more)  # type: ignore[call-overload, no-any-return]


def test_wheel_works_in_a_clean_environment(tmp_path: Path) -> None:
    pytest.importorskip("setuptools", reason="setuptools builds the wheel")
    source = tmp_path / "source"  # a copy: building leaves folders behind
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "build", "tests")
    shutil.copytree(PACKAGE, source, ignore=ignored)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    build = ["wheel", "--no-deps", "--no-index", "--no-build-isolation", "-w", tmp_path, source]
    done = _run(*pip, *build)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name == f"test_suite_sql_eval-{tse.__version__}-py3-none-any.whl"

    clean = tmp_path / "clean"
    done = _run(sys.executable, "-m", "venv", "--without-pip", clean)
    assert done.returncode == 0, done.stderr
    python = clean / "bin" / "python"
    done = _run(*pip, "--python", python, "install", "--no-index", "--quiet", wheel)
    assert done.returncode == 0, done.stderr

    make_database(tmp_path / "database" / "music" / "music.sqlite")
    (tmp_path / "gold.txt").write_text("SELECT count(*) FROM singer\tmusic\n")
    (tmp_path / "pred.txt").write_text("SELECT 5\n")
    flags = ["--gold=gold.txt", "--pred=pred.txt", "--db=database", "--gold_cache=none"]
    for program in ([python, "-I", "-m", "test_suite_sql_eval"], [clean / "bin" / PACKAGE.name]):
        done = _run(*program, *flags, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines()[3].split() == [
            "execution",
            "1.000",
            *["0.000"] * 3,
            "1.000",
        ]
    script = (
        "import test_suite_sql_eval as tse, threading;"
        "threading.Thread(target=threading.Event().wait, daemon=True).start();"  # no forking then
        "report = tse.evaluate([('SELECT 5', 'music')], ['SELECT 6'], 'database');"
        "print(report.scores['all']['exec'], tse.__file__)"
    )
    done = _run(python, "-I", "-c", script, cwd=tmp_path)
    assert done.stdout.startswith("0.0 "), done.stderr
    assert str(clean) in done.stdout
    assert done.stderr == ""
