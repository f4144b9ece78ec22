"""Fixtures: a small database of our own, and where Spider, predictions and the oracle may be."""

from __future__ import annotations

import os
import sqlite3
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SHARED = REPOSITORY.parent / "shared"

SCHEMA = """
CREATE TABLE singer (id INTEGER PRIMARY KEY, name TEXT, country TEXT, age INTEGER);
CREATE TABLE concert (id INTEGER PRIMARY KEY, title TEXT, year INTEGER, singer_id INTEGER,
                      FOREIGN KEY (singer_id) REFERENCES singer(id));
INSERT INTO singer VALUES (1,'Ana','France',31),(2,'Bo','Norway',24),(3,'Cy','France',45),
                          (4,'Di','Chile',24),(5,'Ed',NULL,52);
INSERT INTO concert VALUES (1,'Spring',2014,1),(2,'Summer',2014,2),(3,'Autumn',2015,1),
                           (4,'Winter',2015,3),(5,'Spring',2016,1);
"""


def _folder(variable: str, fallback: Path, what: str) -> Path:
    path = Path(os.environ.get(variable) or fallback)
    if not path.is_dir():
        pytest.skip(f"{what} is not here: set {variable} (looked at {path})")
    return path


@pytest.fixture(scope="session")
def spider() -> Path:
    """The Spider folder, with database/ and tables.json."""
    return _folder("SPIDER_DIR", SHARED / "spider", "Spider")


@pytest.fixture(scope="session")
def predictions() -> Path:
    """The folder with published predictions and official_verdicts.json."""
    return _folder("PREDICTIONS_DIR", SHARED / "predictions", "the published predictions")


@pytest.fixture(scope="session")
def oracle() -> tuple[str, Path]:
    """The Python and the checkout of the official evaluator."""
    checkout = os.environ.get("OFFICIAL_EVALUATOR_DIR")
    if not checkout or not (Path(checkout) / "exec_eval.py").is_file():
        pytest.skip("the official evaluator is not here: set OFFICIAL_EVALUATOR_DIR to a checkout")
    return os.environ.get("OFFICIAL_EVALUATOR_PYTHON", sys.executable), Path(checkout)


def make_database(path: Path, script: str = SCHEMA) -> Path:
    """Write a SQLite file from a script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path)
    connection.executescript(script)
    connection.close()
    return path


@pytest.fixture()
def db_dir(tmp_path: Path) -> Path:
    """A database folder with one id, ``music``."""
    make_database(tmp_path / "database" / "music" / "music.sqlite")
    return tmp_path / "database"


@pytest.fixture()
def music(db_dir: Path) -> Path:
    """The file of the ``music`` database."""
    return db_dir / "music" / "music.sqlite"
