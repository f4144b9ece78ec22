"""Commands whose output cannot be written say so in a line."""

from __future__ import annotations

import errno
import json
import sqlite3
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from test_suite_sql_eval.distill.__main__ import main as make_suites

from text2sql.cli import UsersMistake, cli

COMMANDS = {
    "create-data": "database create-data --total 4 --db-url {database} --output {blocked}/own",
    "dataset prepare": "stage data --profile smollm2-135m --limit 4",
    "decontaminate": "dataset decontaminate sample --report {blocked}/report.json",
    "translate-ddl": "dataset translate-ddl {prose} {blocked}/ddl.jsonl",
    "index-values": "database index-values --db-url {database} --output {blocked}/v.sqlite",
    "eval-private": (
        "database eval-private --db-url {database} --gold {gold} --predictions {predictions}"
        " --output {blocked}/judged"
    ),
}


@pytest.fixture
def places(tmp_path: Path) -> dict[str, Path]:
    """A small database with questions, and a file where a folder should be."""
    (tmp_path / "blocked").write_text("a file")
    with sqlite3.connect(tmp_path / "owls.sqlite") as connection:
        connection.executescript(
            "CREATE TABLE owl (id INTEGER PRIMARY KEY, name TEXT, weight REAL);"
            "INSERT INTO owl VALUES (1, 'Ada', 1.5), (2, 'Bo', 2.5), (3, 'Cy', 2.0);"
        )
    (tmp_path / "gold.sql").write_text("SELECT name FROM owl\towls\n")
    (tmp_path / "predicted.sql").write_text("SELECT name FROM owl\n")
    prose = "owls contains tables such as owl. Table owl has columns such as id, name."
    rows = [{"instruction": prose, "input": "Names?", "output": "SELECT name FROM owl"}]
    (tmp_path / "prose.json").write_text(json.dumps(rows))
    return {
        "blocked": tmp_path / "blocked",
        "database": tmp_path / "owls.sqlite",
        "gold": tmp_path / "gold.sql",
        "predictions": tmp_path / "predicted.sql",
        "prose": tmp_path / "prose.json",
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_one_line(
    name: str, places: dict[str, Path], build_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "{blocked}" not in COMMANDS[name]:
        monkeypatch.setenv("TEXT2SQL_BUILD", str(places["blocked"]))
    arguments = COMMANDS[name].format_map(places).split()
    result = CliRunner().invoke(cli, arguments)
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == UsersMistake.exit_code
    last = result.output.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert "blocked" in last
    assert "Traceback" not in result.output


def test_test_suite_is_one_line(
    places: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--db", str(places["database"]), "--output", str(places["blocked"] / "suites")]
    assert make_suites([*arguments, "--gold", str(places["gold"])]) == 2
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert told.startswith("error: ") and "blocked" in told


def test_a_full_disk_is_one_line(monkeypatch: pytest.MonkeyPatch, build_folder: Path) -> None:
    @click.command("full")
    def full() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setitem(cli.commands, "full", full)
    result = CliRunner().invoke(cli, ["full"])
    assert result.exit_code == UsersMistake.exit_code
    assert "cannot be written (No space left on device;" in result.output
    assert "run the same command again" in result.output
