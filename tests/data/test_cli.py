"""The commands as a user runs them: what they print, write and exit with."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner, Result

from text2sql.cli import cli
from text2sql.data.config import DataConfig, DecontaminationConfig, Level, resolve
from text2sql.data.rows import Row, read_rows
from text2sql.data.sources import downloads
from text2sql.paths import build_root, config_path
from text2sql.schema import Column, Schema, Table, render_schema

QUESTION = "Which of the snow owls in the northern forest weigh more than two kilograms?"
OWL = "CREATE TABLE owl (id INTEGER PRIMARY KEY, name TEXT, weight REAL)"
BOAT = "CREATE TABLE boat (id INTEGER PRIMARY KEY, length REAL)"
LEAKS: dict[Level, dict[str, str]] = {
    "exact": {"question": QUESTION, "context": BOAT, "answer": "SELECT 1"},
    "normalized": {"question": QUESTION.upper(), "context": BOAT, "answer": "SELECT 1"},
    "ngram": {"question": f"Tell me: {QUESTION}", "context": BOAT, "answer": "SELECT 1"},
    "jaccard": {"question": QUESTION.replace("two", "2"), "context": BOAT, "answer": "SELECT 1"},
    "skeleton": {"question": "Heavy?", "context": OWL, "answer": "SELECT id FROM owl WHERE id > 9"},
    "schema": {"question": "Any?", "context": OWL, "answer": "SELECT 1"},
}
CLEAN = {
    "question": "How long is the longest boat?",
    "context": BOAT,
    "answer": "SELECT max(length) FROM boat",
}


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["dataset", *map(str, arguments)])


def fails(result: Result, text: str) -> None:
    """Exit status 2 and, progress aside, one line that holds `text`."""
    assert result.exit_code == 2, result.output
    progress = ("/s]", "data: started")
    lines = [
        line
        for line in result.output.splitlines()
        if line and not any(part in line for part in progress)
    ]
    assert len(lines) == 1, lines
    assert text in lines[0]


@pytest.fixture
def spider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of Spider's shape with one question, and a build folder."""
    folder = tmp_path / "spider"
    (folder / "database" / "owls").mkdir(parents=True)
    connection = sqlite3.connect(folder / "database" / "owls" / "owls.sqlite")
    connection.execute(OWL)
    connection.close()
    gold = {"question": QUESTION, "query": "SELECT name FROM owl WHERE weight > 2", "db_id": "owls"}
    (folder / "dev.json").write_text(json.dumps([gold]))
    (folder / "tables.json").write_text("[]")
    monkeypatch.setenv("SPIDER_DIR", str(folder))
    monkeypatch.setenv("TEXT2SQL_BUILD", str(tmp_path / "build"))
    return folder


def write_config(folder: Path, rows: list[dict[str, str]], **values: object) -> Path:
    (folder / "rows.json").write_text(json.dumps(rows))
    path = folder / "own.yaml"
    settings = {
        "train": [str(folder / "rows.json")],
        "evaluation": "{spider}/dev.json",
        "database": "{spider}/database",
    }
    path.write_text(yaml.safe_dump(settings | values))
    return path


def prepare(config: str | Path) -> Result:
    """Run the data stage on a dataset's config, by name or path."""
    options = ["--profile", "smollm2-135m", "--dataset", str(config)]
    return CliRunner().invoke(cli, ["stage", "data", *options])


def prepared() -> Path:
    """Where `prepare` leaves the data of `write_config`."""
    return build_root() / "runs" / "smollm2-135m" / "own" / "data"


def test_prepare_then_report(spider: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path, [CLEAN, LEAKS["exact"]])
    result = prepare(config)
    assert result.exit_code == 0, result.output
    assert len(json.loads((prepared() / "train.json").read_text())) == 1
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    result = run("report", prepared(), "--output", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "out" / "data_report.png").read_bytes().startswith(b"\x89PNG")


def test_check_names_what_is_missing(spider: Path) -> None:
    result = run("check")
    assert result.exit_code == 0, result.output
    assert "| train_spider.json | missing | training on Spider |" in result.output
    assert "no rows in: owls.owl | results and values from 1 of their tables |" in result.output
    assert "| data/sample | complete | nothing |" in result.output
    assert "| text2sql_126k | missing |" in result.output
    downloads().mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist([CLEAN]), downloads() / "text2sql_dataset.parquet")
    assert "| text2sql_126k | 1 rows | nothing |" in run("check").output


def test_check_without_spider_says_how_to_get_it(spider: Path, tmp_path: Path) -> None:
    result = run("check", "--folder", tmp_path / "none")
    assert result.exit_code == 0
    assert "| dev.json | missing | evaluation on Spider dev |" in result.output
    assert "text2sql dataset download spider" in result.output


def test_missing_spider_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPIDER_DIR", str(tmp_path / "no-spider"))
    fails(prepare("spider"), "set SPIDER_DIR")


def test_unknown_key_is_one_line(spider: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path, [CLEAN], colour="red")
    fails(prepare(config), "colour")


def test_max_rejects_names_the_row(spider: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path, [CLEAN, CLEAN | {"answer": ""}], max_rejects=0)
    fails(prepare(config), "rows.json: row 2: empty sql")
    assert not prepared().exists()


@pytest.mark.parametrize("level", LEAKS)
@pytest.mark.parametrize("store", [True, False])
def test_planted_leak_is_removed(spider: Path, tmp_path: Path, level: Level, store: bool) -> None:
    rows = [CLEAN, LEAKS[level], CLEAN | {"answer": ""}]
    config = write_config(
        tmp_path,
        rows,
        decontamination=DecontaminationConfig(levels=(level,)).model_dump(mode="json"),
    )
    if store:
        source = [tmp_path / "rows.json"]
        report, clean = tmp_path / "leaks.json", tmp_path / "clean.jsonl"
        result = run("decontaminate", config, *source, "--report", report, "--clean", clean)
        assert result.exit_code == 0, result.output
        removed = [json.loads(line) for line in (tmp_path / "leaks-removed.jsonl").open()]
        assert [(r["row"], r["level"]) for r in removed] == [(2, level)]
        assert removed[0]["evaluation_question"] == QUESTION
        for path in (report, clean, tmp_path / "leaks-removed.jsonl"):
            assert f"wrote {path}: " in result.output
        kept = list(read_rows(clean))
        assert [row.question for row in kept if isinstance(row, Row)] == [CLEAN["question"]]
    else:
        result = prepare(config)
        assert result.exit_code == 0, result.output
        report = prepared() / "decontamination.json"
        assert len(json.loads((prepared() / "train.json").read_text())) == 1
    found = json.loads(report.read_text())
    assert (found["checked"], found["removed"], found["found_by_level"]) == (2, 1, {level: 1})
    assert found["examples"][level][0]["question"] == LEAKS[level]["question"]


def test_text2sql_126k_config_on_parquet_of_its_shape(spider: Path, tmp_path: Path) -> None:
    values = yaml.safe_load(config_path("data", "text2sql_126k").read_text())
    shape = {"question": "prompt", "context": "context", "answer": "answer"}
    rows = [{shape[k]: v for k, v in row.items()} for row in (CLEAN, LEAKS["exact"])]
    parquet = tmp_path / "text2sql_dataset.parquet"
    pq.write_table(pa.Table.from_pylist(rows), parquet)
    config = tmp_path / "own.yaml"
    config.write_text(yaml.safe_dump(values | {"train": [str(parquet)]}))
    assert resolve(DataConfig(**values).train[0]) == downloads() / parquet.name
    result = prepare(config)
    assert result.exit_code == 0, result.output
    summary = json.loads((prepared() / "summary.json").read_text())
    assert (summary["train_rows"], summary["removed_as_leaks"]) == (1, 1)


def test_decontaminate_by_name_says_what_it_wrote(spider: Path) -> None:
    result = run("decontaminate", "sample")
    assert result.exit_code == 0, result.output
    folder = build_root() / "data" / "leaks"
    kept = (folder / "sample-clean.jsonl").read_text().splitlines()
    removed = (folder / "sample-removed.jsonl").read_text().splitlines()
    report = json.loads((folder / "sample.json").read_text())
    assert (len(kept) + len(removed), len(removed)) == (report["checked"], report["removed"])
    assert f"wrote {folder / 'sample-clean.jsonl'}: the {len(kept)} rows" in result.output


def test_store_row_of_an_unknown_database_is_told(spider: Path, tmp_path: Path) -> None:
    rows = [CLEAN, {"question": "Any?", "query": "SELECT 1", "db_id": "nowhere"}]
    config = write_config(tmp_path, rows, decontamination={"levels": ["skeleton"]})
    result = run("decontaminate", config, tmp_path / "rows.json", "--report", tmp_path / "r.json")
    assert result.exit_code == 0, result.output
    assert "1 bad rows left out" in result.output
    assert "nowhere" in json.loads((tmp_path / "r.json").read_text())["rejects"][0]["why"]


def test_training_row_of_an_unknown_database_stops_nothing(spider: Path, tmp_path: Path) -> None:
    rows = [CLEAN, {"question": "Any?", "query": "SELECT 1", "db_id": "nowhere"}]
    config = write_config(tmp_path, rows, decontamination={"levels": ["skeleton"]})
    result = prepare(config)
    assert result.exit_code == 0, result.output
    summary = json.loads((prepared() / "summary.json").read_text())
    assert (summary["train_rows"], summary["rejected"], summary["rows_read"]) == (1, 1, 2)


def test_translate_and_check_ddl(tmp_path: Path) -> None:
    schema = Schema("owls", (Table("owl", (Column("id"), Column("name"))),))
    rows = [{"instruction": render_schema(schema, "prose"), "input": "?", "output": "SELECT 1"}]
    source, output = tmp_path / "prose.json", tmp_path / "ddl.jsonl"
    source.write_text(json.dumps(rows))
    result = run("translate-ddl", source, output)
    assert result.exit_code == 0, result.output
    assert "CREATE TABLE owl (" in json.loads(output.read_text())["table_creating"]
    assert "0 of 1 rows fail" in run("check-ddl", output).output
    output.write_text(output.read_text().replace("name TEXT", "nom TEXT"))
    assert "1 of 1 rows fail" in run("check-ddl", output).output
    fails(run("translate-ddl", source, output, "--url", "http://127.0.0.1:1/v1"), "--model")
    source.write_text('[{"instruction": "no schema"}]')
    fails(run("translate-ddl", source, tmp_path / "x.jsonl"), "row 1")
    assert not (tmp_path / "x.jsonl").exists()
    source.write_text('{"a": 1}\n')
    fails(run("check-ddl", source), "row 1")
