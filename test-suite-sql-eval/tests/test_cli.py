"""Command line: report, files written, clear errors, --check."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from test_suite_sql_eval import cli
from test_suite_sql_eval.cli import main

from .conftest import make_database

SCRIPT = Path(__file__).resolve().parents[1] / "evaluation.py"
TABLES = [
    {
        "db_id": "music",
        "table_names_original": ["singer", "concert"],
        "column_names_original": [
            [-1, "*"],
            *[[0, name] for name in ("id", "name", "country", "age")],
            *[[1, name] for name in ("id", "title", "year", "singer_id")],
        ],
        "foreign_keys": [[8, 1]],
        "primary_keys": [1, 5],
    }
]
GOLD = ["SELECT name FROM singer WHERE age > 30", "SELECT count(*) FROM concert"]


@pytest.fixture()
def files(tmp_path: Path, db_dir: Path) -> dict[str, str]:
    """Arguments of a small evaluation with one right and one wrong prediction."""
    (tmp_path / "gold.txt").write_text("".join(f"{sql}\tmusic\n" for sql in GOLD))
    (tmp_path / "pred.txt").write_text(f"{GOLD[0]}\nSELECT count(*) FROM singer WHERE age > 99\n")
    (tmp_path / "tables.json").write_text(json.dumps(TABLES))
    return {
        "--gold": str(tmp_path / "gold.txt"),
        "--pred": str(tmp_path / "pred.txt"),
        "--db": str(db_dir),
        "--table": str(tmp_path / "tables.json"),
    }


def _arguments(files: dict[str, str], *more: str) -> list[str]:
    return [part for pair in files.items() for part in pair] + list(more)


def test_report_and_files(
    files: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, verdicts = tmp_path / "out.json", tmp_path / "verdicts.jsonl"
    more = ["--etype", "all", "--output", str(out), "--verdicts", str(verdicts), "--extra"]
    assert main(_arguments(files, *more)) == 0
    printed = capsys.readouterr().out
    assert "EXECUTION ACCURACY" in printed
    assert "PARTIAL MATCHING F1" in printed
    scores = json.loads(out.read_text())
    assert scores["scores"]["all"]["exec"] == 0.5
    assert scores["scores"]["all"]["exact"] == 0.5
    assert scores["metrics"]["strict_ex"] == 0.5
    assert scores["metrics"]["execution_success"] == 1.0
    database = scores["database_set"]["databases"]["music"]
    assert database["variants"] == 1
    assert len(database["files"]["music.sqlite"]["sha256"]) == 64
    rows = [json.loads(line) for line in verdicts.read_text().splitlines()]
    assert [row["exec"] for row in rows] == [1, 0]
    assert rows[1]["error"] == "wrong_rows"
    wanted = {"index", "turn", "db_id", "hardness", "exec", "exact", "gold", "pred", "error"}
    assert wanted | {"seconds"} <= set(rows[0])


def test_script_runs_with_the_standard_library_alone(files: dict[str, str]) -> None:
    command = [sys.executable, "-S", str(SCRIPT), *_arguments(files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "execution" in done.stdout


def test_interactions_report_turns(
    files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("--gold", "--pred"):
        lines = Path(files[name]).read_text().splitlines()
        Path(files[name]).write_text("\n".join([*lines, "", lines[0]]) + "\n")
    assert main(_arguments(files)) == 0
    printed = capsys.readouterr().out.splitlines()
    assert "joint_all" in printed[0]
    assert printed[1].split() == ["count", "3", "0", "0", "0", "3", "2"]
    assert printed[3].split()[-2:] == ["0.667", "0.500"]
    assert any(line.split()[:3] == ["count", "2", "1"] for line in printed)


def test_test_suite_needs_every_database(
    files: dict[str, str], db_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = "CREATE TABLE singer (id, name, country, age); CREATE TABLE concert (id, title, year);"
    assert main(_arguments(files)) == 0
    make_database(db_dir / "music" / "variant.sqlite", script)
    pred = Path(files["--pred"])
    pred.write_text("SELECT name FROM singer WHERE age >= 31\nSELECT 5\n")
    capsys.readouterr()
    assert main(_arguments(files)) == 0
    assert capsys.readouterr().out.splitlines()[3].split()[-1] == "0.500"


@pytest.mark.parametrize(
    ("gold", "pred", "message"),
    [
        ("SELECT 1\tmusic\n", "SELECT 1\nSELECT 2\n", "1 gold queries"),
        ("SELECT 1\tmusic\n", "\n", "no prediction"),
        ("SELECT 1\tmusic\nSELECT 2\tmusic\n", "SELECT 1\n\n", "pred.txt:2: empty line"),
        ("SELECT 1\tmusic\nSELECT 2\tmusic\n", "SELECT 1\n\nSELECT 2\n", "pred.txt:2: empty line"),
        ("SELECT 1 music\n", "SELECT 1\n", "gold.txt:1: 1 tab-separated fields"),
        ("SELECT 1\tnothing\n", "SELECT 1\n", "gold.txt:1: unknown db_id 'nothing'"),
        ("SELECT 1\tmusic\n", b"SELECT '\xff'\n", "pred.txt:1: byte 0xff is not UTF-8"),
        ("\n\n", "SELECT 1\n", "no gold query"),
        (
            "SELECT count(*) FROM singer\tmusic\nSELECT x FROM singer\tmusic\n",
            "SELECT 1\nSELECT 1\n",
            "gold.txt:2: the gold query fails: no such column: x",
        ),
    ],
)
def test_mistakes_give_one_clear_message(
    files: dict[str, str],
    capsys: pytest.CaptureFixture[str],
    gold: str,
    pred: str | bytes,
    message: str,
) -> None:
    Path(files["--gold"]).write_text(gold)
    Path(files["--pred"]).write_bytes(pred if isinstance(pred, bytes) else pred.encode())
    assert main(_arguments(files)) == 2
    assert message in capsys.readouterr().err


def test_missing_files(files: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    for name, hint in (("--gold", "cannot read"), ("--db", "no database file")):
        assert main(_arguments({**files, name: "/nowhere/at/all"})) == 2
        assert hint in capsys.readouterr().err
    assert main(_arguments({**files, "--table": "/nowhere"}, "--etype", "all")) == 2
    assert "--table" in capsys.readouterr().err


def test_check_reports_everything_and_runs_nothing(
    files: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(_arguments(files, "--check")) == 0
    assert "ready" in capsys.readouterr().out
    Path(files["--gold"]).write_text("SELECT 1\tabsent\nSELECT 1\tmissing\n")
    more = ["--check", "--etype", "match", "--output", str(tmp_path / "no" / "out.json")]
    assert main(_arguments(files, *more)) == 1
    printed = capsys.readouterr().out
    for word in ("'absent'", "'missing'", "tables.json", "out.json"):
        assert word in printed


def test_gold_errors_can_be_allowed(
    files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path(files["--gold"]).write_text(f"{GOLD[0]}\tmusic\nSELECT x FROM singer\tmusic\n")
    assert main(_arguments(files, "--allow_gold_errors")) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines()[3].split()[-1] == "0.500"
    assert "no such column: x" in captured.err


def test_timeout_is_said(files: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    endless = (
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
    )
    Path(files["--pred"]).write_text(f"{GOLD[0]}\n{endless}\n")
    assert main(_arguments(files, "--timeout", "0.3")) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines()[3].split()[-1] == "0.500"
    assert "question 2: no verdict within 0.3 s" in captured.err


@pytest.mark.parametrize(
    "words",
    [
        ["--etype", "all", "--plug_value", "--jobs", "3"],
        ["--etype=match", "--timeout=2.5", "--gold_cache=none"],
        ["--keep_distinct", "--output", "out file.json", "--em=lenient", "--text"],
        [],
    ],
)
def test_plain_flags_mean_what_argparse_reads(words: list[str]) -> None:
    argv = ["--gold", "g", "--pred=p=q", "--db", "d", *words]
    assert cli._parse_plain(argv) == vars(cli._parser().parse_args(argv))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--etype", "both"], "invalid choice: 'both'"),
        (["--jobs", "many"], "invalid int value: 'many'"),
        (["--timeout"], "expected one argument"),
        (["--nothing"], "unrecognized arguments: --nothing"),
        (["--plug_value=1"], "ignored explicit argument '1'"),
    ],
)
def test_wrong_flags_are_left_to_argparse(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--gold", "g", "--pred", "p", "--db", "d", *words])
    assert message in capsys.readouterr().err


def test_shortened_flags_are_known(files: dict[str, str]) -> None:
    assert main([*_arguments(files), "--plug", "--keep"]) == 0


def test_output_holds_only_what_was_judged(files: dict[str, str], tmp_path: Path) -> None:
    for etype, absent in (("exec", ("exact", "partial")), ("match", ("exec",))):
        out = tmp_path / f"{etype}.json"
        assert main(_arguments(files, "--etype", etype, "--output", str(out))) == 0
        scores = json.loads(out.read_text())["scores"]
        assert all(name not in level for level in scores.values() for name in absent)
        assert {"exec": "exec", "match": "exact"}[etype] in scores["all"]


def test_lenient_without_sqlglot_is_one_line(files: dict[str, str]) -> None:
    command = [sys.executable, "-S", str(SCRIPT), *_arguments(files, "--etype=all", "--em=lenient")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "error: --em lenient needs sqlglot: pip install sqlglot\n"


def test_text_metrics_are_printed_with_match(
    files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    for module in ("sqlparse", "sacrebleu", "rouge_score"):
        pytest.importorskip(module, reason=f"the extra 'text' ({module}) is not installed")
    assert main(_arguments(files, "--etype", "match", "--text")) == 0
    assert "text " in capsys.readouterr().out


def test_text_without_its_packages_is_one_line(files: dict[str, str]) -> None:
    command = [sys.executable, "-S", str(SCRIPT), *_arguments(files, "--etype=match", "--text")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


def test_a_gold_query_outside_the_grammar_counts_in_all_only(
    files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    outside = "SELECT CASE WHEN age > 30 THEN 1 END FROM singer"
    Path(files["--gold"]).write_text(f"{GOLD[0]}\tmusic\n{outside}\tmusic\n")
    Path(files["--pred"]).write_text(f"{GOLD[0]}\n{outside}\n")
    assert main(_arguments(files)) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines()[1].split() == ["count", "1", "0", "0", "0", "2"]
    assert captured.out.splitlines()[3].split()[-1] == "1.000"
    assert "gold.txt:2: the gold query is outside Spider's grammar" in captured.err


@pytest.mark.parametrize("quotes", ['""', "``", "[]"])
def test_hardness_reads_quoted_names(
    files: dict[str, str], capsys: pytest.CaptureFixture[str], quotes: str
) -> None:
    """A table that is called as a keyword has to be quoted, which the official grammar does not."""
    with sqlite3.connect(Path(files["--db"]) / "music" / "music.sqlite") as connection:
        connection.executescript('CREATE TABLE "order" (id INTEGER, "group" TEXT);')
    table, column = (f"{quotes[0]}{name}{quotes[1]}" for name in ("order", "Group"))
    golds = [
        f"SELECT count(*) FROM {table}",
        f"SELECT {column} FROM {table} WHERE id = 1 AND {column} = 'x' ORDER BY {column} LIMIT 1",
    ]
    Path(files["--gold"]).write_text("".join(f"{gold}\tmusic\n" for gold in golds))
    Path(files["--pred"]).write_text("".join(f"{gold}\n" for gold in golds))
    assert main(_arguments(files)) == 0
    captured = capsys.readouterr()
    counts = captured.out.splitlines()[1].split()[1:]
    assert (counts[0], sum(map(int, counts[:4])), counts[4]) == ("1", 2, "2")
    assert "outside Spider's grammar" not in captured.err


def test_side_files_are_not_databases(
    files: dict[str, str], db_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for ending in ("-journal", "-shm", "-wal"):
        (db_dir / "music" / f"music.sqlite{ending}").write_bytes(b"")
    assert main(_arguments(files)) == 0
    (db_dir / "music" / "music.sqlite-wal").write_bytes(b"x")
    assert main(_arguments(files)) == 0
    captured = capsys.readouterr()
    assert captured.out.count("EXECUTION ACCURACY") == 2
    assert captured.err.count("music.sqlite-wal holds changes") == 1


def test_text_that_is_not_utf8_loses_its_bad_bytes(
    files: dict[str, str], db_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_database(
        db_dir / "music" / "music.sqlite",
        "INSERT INTO singer VALUES (9, CAST(x'46ff47' AS TEXT), 'x', 1);",
    )
    Path(files["--gold"]).write_text("SELECT name FROM singer WHERE age = 1\tmusic\n")
    Path(files["--pred"]).write_text("SELECT 'FG'\n")
    assert main(_arguments(files)) == 0
    assert capsys.readouterr().out.splitlines()[3].split()[-1] == "1.000"
