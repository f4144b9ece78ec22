"""The index of a database's values: what a question means is found, what is private is not kept."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from text2sql.cli import cli
from text2sql.errors import UserError
from text2sql.schema import read_schema, render_schema
from text2sql.schema import value_index as module
from text2sql.schema.value_index import build_value_index
from text2sql.schema.value_search import ValueIndex, with_values

SCRIPT = """
CREATE TABLE student (id INTEGER, last_name TEXT, state TEXT, phone TEXT, country TEXT, mark TEXT);
INSERT INTO student VALUES
  (1, 'Timmothy', 'NorthCarolina', '+49 30 123456', 'France', 'A'),
  (2, 'Ward', 'South Dakota', '+49 30 123457', 'JetBlue Land', 'B'),
  (3, 'Haiti', 'Carolina', '+49 30 123458', 'Europe', '7');
CREATE TABLE film (title TEXT, plot TEXT, town TEXT, made DATE, code BLOB);
INSERT INTO film VALUES
  ('The Rise of the Blue Beetle!', 'long', '北京', '2020-01-01', x'00ff'),
  ('Caribbean Nights', 'short', 'Zürich', '2021-01-01', x'01');
"""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "school.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(SCRIPT)
        long = "word " * 40
        connection.execute("UPDATE film SET plot = ? WHERE plot = 'long'", (long,))
        connection.commit()
    return path


@pytest.fixture
def index(database: Path, tmp_path: Path) -> Iterator[ValueIndex]:
    counts = build_value_index(database, tmp_path / "values.sqlite")
    assert (counts["personal_columns"], counts["cut_columns"]) == (1, 0)
    with closing(ValueIndex(tmp_path / "values.sqlite")) as opened:
        yield opened


@pytest.mark.parametrize(
    ("question", "first"),
    [
        ("Which students live in north carolina?", ("student", "state", "NorthCarolina")),
        ("Who lives in South Dakota?", ("student", "state", "South Dakota")),
        ("Who made the rise of the blue beetle", ("film", "title", "The Rise of the Blue Beetle!")),
        ("Films of Carribean nights", ("film", "title", "Caribbean Nights")),
        ("Students from jetblue land", ("student", "country", "JetBlue Land")),
        ("Which European students are there?", ("student", "country", "Europe")),
        ("北京的电影有哪些?", ("film", "town", "北京")),
        ("Films made in Zurich", ("film", "town", "Zürich")),
        ("Who has mark A", None),  # a word without which the question is the same
        ("How many films are there?", None),
        ("Is there a country named Mark?", None),  # words of column names
        ("", None),
    ],
)
def test_what_a_question_means_comes_first(
    index: ValueIndex, question: str, first: tuple[str, str, str] | None
) -> None:
    found = [(each.table, each.column, each.value) for each in index.search(question)]
    assert (found[0] if found else None) == first


def test_a_part_of_a_longer_value_that_was_found_is_left_out(index: ValueIndex) -> None:
    values = [each.value for each in index.search("Who lives in North Carolina?")]
    assert values[0] == "NorthCarolina" and "Carolina" not in values[:1]


def test_private_columns_long_texts_and_other_types_are_not_kept(
    index: ValueIndex, database: Path, tmp_path: Path
) -> None:
    assert index.search("Where does Timmothy Ward live?") == []
    kept = (tmp_path / "values.sqlite").read_bytes()
    for private in (b"Timmothy", b"+49 30", b"word word", b"2020-01-01"):
        assert private not in kept
    build_value_index(database, tmp_path / "all.sqlite", personal_data=True)
    with closing(ValueIndex(tmp_path / "all.sqlite")) as opened:
        assert {each.value for each in opened.search("Timmothy Ward?")} == {"Timmothy", "Ward"}


def test_the_database_is_only_read(database: Path, tmp_path: Path) -> None:
    before = database.read_bytes()
    build_value_index(database, tmp_path / "values.sqlite")
    assert database.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["school.sqlite", "values.sqlite"]


def test_columns_of_too_many_values_are_cut_and_counted(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_VALUES", 2)
    assert build_value_index(database, tmp_path / "values.sqlite")["cut_columns"] > 0


@pytest.mark.parametrize("style", ["ddl-values", "m-schema"])
def test_values_stand_beside_types(index: ValueIndex, database: Path, style: str) -> None:
    schema = read_schema(database, 1)
    shown = render_schema(with_values(schema, index.search("Who is from Europe?")), style)
    (line,) = [line for line in shown.splitlines() if "country" in line]
    assert "Europe" in line and "TEXT" in line.upper() and "France" not in line
    assert with_values(schema, []) is schema
    assert [other for other in shown.splitlines() if other != line] == [
        other for other in render_schema(schema, style).splitlines() if "country" not in other
    ]


def test_a_mistake_is_one_line(tmp_path: Path, database: Path) -> None:
    with pytest.raises(UserError, match="index-values"):
        ValueIndex(tmp_path / "none.sqlite")
    with pytest.raises(UserError, match="build it again"):
        ValueIndex(database)
    with pytest.raises(UserError, match="no such"):
        build_value_index(tmp_path / "gone.sqlite", tmp_path / "values.sqlite")


def test_the_command_writes_it_beside_the_snapshot(database: Path, build_folder: Path) -> None:
    result = CliRunner().invoke(cli, ["database", "index-values"], env={"DB_URL": str(database)})
    assert result.exit_code == 0, result.output
    assert "1 columns left out that look personal" in result.output
    assert (build_folder / "own" / "school" / "values.sqlite").is_file()
