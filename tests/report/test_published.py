"""Prediction files of a published table are judged on suites made here; a record keeps it."""

from __future__ import annotations

import copy
import json
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from text2sql.cli import cli
from text2sql.errors import UserError
from text2sql.report import pages, publish, published
from text2sql.report.published import Inputs, estimate, reproduce
from text2sql.report.published_text import long_block, record_path, seeds_block, short_block

GOLD = "SELECT name FROM singer WHERE age > 45"
FORGIVEN = "SELECT name FROM singer WHERE age >= 45"  # right on the plain database alone
WRONG = "SELECT age FROM singer WHERE age > 45"
QUESTIONS = 8


def scores(value: float) -> dict[str, float]:
    return dict.fromkeys(("easy", "medium", "hard", "extra", "all"), value)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    """Predictions of two rows and a further file, all of one question asked eight times."""
    folder = tmp_path_factory.mktemp("published")
    spider = folder / "spider"
    database = spider / "database" / "music" / "music.sqlite"
    database.parent.mkdir(parents=True)
    with sqlite3.connect(database) as connection:
        connection.executescript(
            "CREATE TABLE singer (id INTEGER PRIMARY KEY, name TEXT, age INTEGER);"
            "INSERT INTO singer VALUES (1, 'Ana', 31), (2, 'Bo', 24), (3, 'Cy', 52);"
        )
    connection.close()
    gold = f"{GOLD}\tmusic\n"
    (spider / "dev_gold.sql").write_text(gold)
    predictions = folder / "predictions"
    predictions.mkdir()
    (predictions / "gold.txt").write_text(gold * QUESTIONS)
    for name, queries in {
        "baseline": [GOLD] * 2 + [FORGIVEN] + [WRONG] * 5,
        "full": [GOLD] * 8,
        "full_p1": [WRONG] * 8,
    }.items():
        (predictions / f"{name}.txt").write_text("".join(f"{query}\n" for query in queries))
    reference = {
        "title": "A model",
        "source": "a table",
        "rows": {
            "baseline": {"label": "Baseline", "scores": scores(24.0)},
            "full": {"label": "Full", "scores": scores(99.0)},
        },
        "further_predictions": {"full_p1": {"label": "Full, P1", "note": "asked otherwise"}},
    }
    (folder / "model.json").write_text(json.dumps(reference))
    return Inputs(predictions, spider, folder / "model.json")


@pytest.fixture(scope="module")
def build(inputs: Inputs) -> Iterator[Path]:
    """The build folder of the measurement, from a checkout without changes."""
    with pytest.MonkeyPatch.context() as patch:
        folder = inputs.reference.parent / "build"
        patch.setenv("TEXT2SQL_BUILD", str(folder))
        patch.setattr(published, "git_state", lambda: {"sha": "0123456789ab", "dirty": False})
        yield folder


@pytest.fixture(scope="module")
def measured(inputs: Inputs, build: Path) -> dict[str, Any]:
    """The record of the measurement."""
    return reproduce(inputs, 0, 1, 5.0)


@pytest.fixture
def record(measured: dict[str, Any]) -> dict[str, Any]:
    """A copy of the record, to change."""
    return copy.deepcopy(measured)


def by_name(record: dict[str, Any]) -> dict[str, Any]:
    return {row["name"]: row for row in record["rows"]}


def test_the_estimate_counts_files_questions_and_databases(inputs: Inputs) -> None:
    assert "3 prediction files of 8 questions, on 1 databases" in estimate(inputs, 1)


def test_the_record_holds_both_accuracies_and_what_follows(record: dict[str, Any]) -> None:
    rows = by_name(record)
    assert rows["baseline"]["accuracy"]["all"] == 25.0
    assert rows["baseline"]["plain"]["accuracy"]["all"] == 37.5
    assert rows["baseline"]["outcomes"] == "11000000"
    assert rows["baseline"]["difference"]["all"] == 1.0
    assert rows["baseline"]["standard_error"]["all"] == 15.31
    assert rows["baseline"]["against_first"] is None
    against = rows["full"]["against_first"]
    assert (against["only_first"], against["only_this"], against["p"]) == (0, 6, 0.03125)
    assert against["p_corrected"] == 0.0625 and not against["significant"]
    assert rows["full_p1"]["published"] is rows["full_p1"]["difference"] is None
    assert not rows["full_p1"]["in_the_published_table"]
    assert record["suite_options"]["seed"] == 0
    assert record["settings"]["plug_value"] and record["metric"]["plug_value"]
    variants = record["test_suite_set"]["databases"]["music"]["variants"]
    assert variants > 1 == record["database_set"]["databases"]["music"]["variants"]


def test_a_second_run_judges_nothing_again(
    inputs: Inputs, record: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    resumed = []
    judge = published.judge

    def counting(*args: Any, **options: Any) -> Any:
        report = judge(*args, **options)
        resumed.append(report.resumed)
        return report

    monkeypatch.setattr(published, "judge", counting)
    again = reproduce(inputs, 0, 1, 5.0)
    assert all(resumed) and len(resumed) == 6
    assert again["rows"] == record["rows"]
    assert again["test_suite_set"] == record["test_suite_set"]


def test_pages_and_chart_come_from_the_record(
    record: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = tmp_path / "checkout"
    for folder in ("configs", "docs"):
        (checkout / folder).mkdir(parents=True)
    monkeypatch.setenv("TEXT2SQL_ROOT", str(checkout))
    for name, blocks in pages.PAGES.items():
        text = "".join("\n".join(pages.markers(block)) + "\n" for block in blocks)
        (checkout / name).write_text(text)
    path = publish.publish_measured(record, record_path("model", 0))
    assert path == checkout / "results" / "published" / "model.json"
    other = record | {"suite_options": record["suite_options"] | {"seed": 1}}
    assert publish.publish_measured(other, record_path("model", 1)).name == "model_seed1.json"
    assert (checkout / "figs" / "published_model.png").is_file()
    assert short_block(record) in (checkout / "README.md").read_text()
    assert long_block(record) in (checkout / "docs" / "REPRODUCING.md").read_text()
    assert "| 0 | 25.0 (24.0) |" in " ".join(seeds_block().split())
    assert "| 1 | 25.0 |" in " ".join(seeds_block().split())
    pages.check_pages()


def test_a_record_of_changed_code_stays_in_build(record: dict[str, Any], build: Path) -> None:
    record["git"] = {"sha": "0123456789ab", "dirty": True}
    path = publish.publish_measured(record, record_path("model", 0))
    assert path == build / "results" / "published" / "model.json"


def test_text_says_ours_theirs_and_what_is_signal(record: dict[str, Any]) -> None:
    short = " ".join(short_block(record).split())
    assert "| Baseline | 25.0 (24.0) |" in short
    assert "| Full | 100.0 (99.0) |" in short and "| +75.0 | 0.031 | 100.0 |" in short
    assert "Full, P1" not in short
    assert "from a published figure is 1.0 points in All" in short
    long = " ".join(long_block(record).split())
    assert "- Full, P1: asked otherwise." in long
    assert "| Full | +75.0 | 0.031 | 0 | 6 | 0.062 | no |" in long
    record["rows"][1]["against_first"]["significant"] = True
    assert "| **+75.0** |" in " ".join(short_block(record).split())


def test_mistakes_are_one_line(inputs: Inputs, tmp_path: Path) -> None:
    for folder in (inputs.predictions, inputs.spider):
        shutil.copytree(folder, tmp_path / folder.name)
    inputs = Inputs(tmp_path / "predictions", tmp_path / "spider", inputs.reference)
    with (inputs.predictions / "full.txt").open("a") as stream:
        stream.write(f"{GOLD}\n")
    with pytest.raises(UserError, match=r"full\.txt.* 9 .*8|9 predictions"):
        inputs.check()
    (inputs.predictions / "full.txt").unlink()
    with pytest.raises(UserError, match=r"full\.txt: no such file; the folder has to hold gold"):
        inputs.check()
    shutil.rmtree(inputs.spider)
    shutil.copy(inputs.predictions / "baseline.txt", inputs.predictions / "full.txt")
    with pytest.raises(UserError, match="SPIDER_DIR names the folder of Spider"):
        inputs.check()
    with pytest.raises(UserError, match="no such folder; PREDICTIONS names"):
        Inputs(tmp_path / "none", inputs.spider, inputs.reference).check()
    result = CliRunner().invoke(cli, ["results", "reproduce-published"])
    assert result.exit_code == 2 and "PREDICTIONS=" in result.output
    assert len(result.output.strip().splitlines()) == 1
