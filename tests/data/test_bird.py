"""BIRD's three configs on files in BIRD's shape, whose databases are samples of ours."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from text2sql.config import load_config
from text2sql.data.config import DataConfig
from text2sql.data.prepare import prepare
from text2sql.data.sample import ensure_sample_databases
from text2sql.errors import UserError
from text2sql.files import read_json, read_jsonl
from text2sql.paths import config_path

SHAPED = Path(__file__).parents[1] / "pipeline" / "bird_shaped"


@pytest.fixture
def bird(tmp_path: Path, build_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder laid out as BIRD's archives are, two databases for training and one for dev."""
    samples = ensure_sample_databases()
    folder = tmp_path / "bird"
    for part, questions, databases, ids in (
        ("train", "train.json", "train_databases", ("bike_rental", "library")),
        ("dev", "dev.json", "dev_databases", ("bike_rental",)),
        ("minidev/MINIDEV", "mini_dev_sqlite.json", "dev_databases", ("bike_rental",)),
    ):
        for db_id in ids:
            shutil.copytree(samples / db_id, folder / part / databases / db_id)
        source = "train.json" if part == "train" else "dev.json"
        shutil.copy(SHAPED / source, folder / part / questions)
    monkeypatch.setenv("BIRD_DIR", str(folder))
    yield folder


def config(name: str) -> DataConfig:
    return load_config(config_path("data", name), DataConfig)


@pytest.mark.parametrize("name", ["bird_dev", "bird_mini_dev"])
def test_evidence_is_the_same_in_training_and_evaluation(
    name: str, bird: Path, tmp_path: Path
) -> None:
    prepare(config(name), tmp_path / "out")
    questions = list(read_jsonl(tmp_path / "out" / "questions.jsonl"))
    assert [q.get("level") for q in questions] == ["simple", "challenging", "moderate", "simple"]
    asked = {q["question"]: q["messages"][1]["content"] for q in questions}
    text = "[QUESTION]\nHow many old shops are there?\n[EVIDENCE]\nold shops refers to"
    assert text in asked["How many old shops are there?"]
    # The training question of the same words leaks, so what training reads comes of the other one.
    trained = read_json(tmp_path / "out" / "train.json")
    (turn,) = [row["conversations"][0]["value"] for row in trained]
    assert "How many members are there?" in turn and "[EVIDENCE]" not in turn


def test_training_set_as_questions(bird: Path, tmp_path: Path) -> None:
    prepare(config("bird_train"), tmp_path / "out")
    questions = list(read_jsonl(tmp_path / "out" / "questions.jsonl"))
    trained = [
        row["conversations"][0]["value"] for row in read_json(tmp_path / "out" / "train.json")
    ]
    assert sorted(trained) == sorted(q["messages"][1]["content"] for q in questions)


def test_one_folder_of_the_databases_of_both(bird: Path, tmp_path: Path) -> None:
    chosen = config("bird_dev")
    for _ in range(2):  # the second time everything is there
        prepare(chosen, tmp_path / "out")
        links = {link.stem: link.resolve() for link in chosen.databases().glob("*/*")}
        assert links == {
            db_id: bird / folder / db_id / f"{db_id}.sqlite"
            for db_id, folder in (
                ("bike_rental", "dev/dev_databases"),
                ("library", "train/train_databases"),
            )
        }
    shutil.rmtree(bird / "train" / "train_databases" / "library")
    summary = prepare_or_say(chosen, tmp_path / "out")
    assert "no training row is left" in summary
    assert [link.stem for link in chosen.databases().glob("*/*")] == ["bike_rental"]


def prepare_or_say(chosen: DataConfig, output: Path) -> str:
    with pytest.raises(UserError) as refused:
        prepare(chosen, output)
    return str(refused.value)


def test_what_is_missing_is_said_with_its_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bird: Path
) -> None:
    shutil.rmtree(bird / "train" / "train_databases")
    assert prepare_or_say(config("bird_dev"), tmp_path / "out").endswith(
        "train_databases: no such folder of databases"
    )
    monkeypatch.setenv("BIRD_DIR", str(tmp_path / "nowhere"))
    assert "set BIRD_DIR" in prepare_or_say(config("bird_dev"), tmp_path / "out")


def test_sql_scripts_are_in_one_folder() -> None:
    values = {"train": ["x"], "evaluation": "x", "database": ["a", "b"], "database_form": "sql"}
    with pytest.raises(ValueError, match="takes one folder"):
        DataConfig.model_validate(values)


def test_shipped_configs_are_of_birds_shape() -> None:
    shaped = load_config(SHAPED / "bird_shaped.yaml", DataConfig)
    row = json.loads((SHAPED / "dev.json").read_text())[0]
    for name in ("bird_dev", "bird_mini_dev"):
        chosen = config(name)
        assert (chosen.fields, chosen.levels, chosen.metric) == (
            shaped.fields,
            shaped.levels,
            shaped.metric,
        )
        assert set((chosen.fields or {}).values()) <= row.keys()
