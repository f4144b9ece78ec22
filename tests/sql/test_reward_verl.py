"""verl's way of calling the reward gives the reward."""

from __future__ import annotations

import importlib.util
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from text2sql.errors import UserError
from text2sql.sql import reward_verl
from text2sql.sql.reward import RIGHT, TOUCHES

GOLD = "SELECT name FROM singer WHERE age > 30"
INFO = {"db_id": "music"}


@pytest.fixture
def databases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    path = tmp_path / "music" / "music.sqlite"
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "CREATE TABLE singer (name TEXT, age INTEGER);"
            "INSERT INTO singer VALUES ('Ana', 31), ('Bo', 24), ('Cy', 45);"
        )
    monkeypatch.setenv(reward_verl.DATABASES, str(tmp_path))
    yield tmp_path
    reward_verl._reward(str(tmp_path)).close()
    reward_verl._reward.cache_clear()


def test_it_is_the_reward(databases: Path) -> None:
    said = (GOLD, "SELECT name FROM singer WHERE age > 40", "SELECT 1", "DROP TABLE singer")
    assert [reward_verl.compute_score("spider", text, GOLD, INFO) for text in said] == [
        RIGHT,
        TOUCHES,
        0.0,
        0.0,
    ]
    many = reward_verl.compute_scores(
        data_sources=["spider"] * 4,
        solution_strs=list(said),
        ground_truths=[GOLD] * 4,
        extra_infos=[INFO] * 4,
    )
    assert many == [RIGHT, TOUCHES, 0.0, 0.0]


def test_verl_finds_it_by_path_and_name(databases: Path) -> None:
    """As verl loads it: the file alone, as a module of another name."""
    spec = importlib.util.spec_from_file_location("custom_module", reward_verl.__file__)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    score = module.compute_score(
        data_source="x",
        solution_str=GOLD,
        ground_truth=GOLD,
        extra_info=INFO,
        databases=str(databases),
    )
    assert score == RIGHT
    module._reward(str(databases)).close()


def test_mistakes_are_told(databases: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="no 'db_id' in its extra_info"):
        reward_verl.compute_score("x", GOLD, GOLD, None)
    monkeypatch.delenv(reward_verl.DATABASES)
    with pytest.raises(UserError, match="set TEXT2SQL_REWARD_DATABASES"):
        reward_verl.compute_score("x", GOLD, GOLD, INFO)
