"""A data set with a training and an evaluation database, and what a scripted model says to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import yaml

from text2sql.files import write_json, write_text
from text2sql.infer.engine import Completion, Prompt
from text2sql.pipeline.registry import build_graph
from text2sql.run import load_run
from text2sql.stage import Graph

STAFF = "CREATE TABLE staff (id INTEGER PRIMARY KEY, name TEXT, age INTEGER);"
TRAINING = {
    "Who is older than 30?": "SELECT name FROM staff WHERE age > 30",
    "How many are there?": "SELECT count(*) FROM staff",
    "Who is older than 300?": "SELECT name FROM staff WHERE age > 300",
    "Which songs are there?": "SELECT name FROM staff",  # also an evaluation question
}
EVALUATION = {"Which songs are there?": "SELECT title FROM song"}
ON_EVALUATION = {"How many songs are there?": "SELECT count(*) FROM song"}
# What the model says to a question, an answer a sample.
ANSWERS = {
    "Who is older than 30?": (
        "SELECT name FROM staff WHERE age > 30",
        "SELECT name FROM staff WHERE age > 30;",
        "SELECT name FROM staff WHERE name IN ('Ana', 'Cy')",
        "SELECT surname FROM staff",
    ),
    "How many are there?": (
        "SELECT 3",
        "SELECT count(*) FROM staff WHERE age > 30",
        "I do not know.",
        "SELECT 3",
    ),
    "Who is older than 300?": ("SELECT name FROM staff WHERE age > 300",) * 4,
}
PROFILE: dict[str, Any] = {
    "name": "tiny",
    "title": "Tiny",
    "infer": "smollm2-135m_greedy_cpu",
    "rows": [{"name": "baseline", "label": "Baseline"}],
}


def make_database(folder: Path, name: str, script: str) -> None:
    """Write ``<folder>/<db>/<name>.sqlite``; the part of a name before ``@`` is the database."""
    path = folder / name.partition("@")[0] / f"{name}.sqlite"
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


def staff(*rows: tuple[str, int]) -> str:
    """Return the script of the training database with such names and ages."""
    return STAFF + "".join(f"INSERT INTO staff (name, age) VALUES {row};" for row in rows)


class Scripted:
    """Stands in for a model: says what `ANSWERS` holds, and fails after so many texts."""

    asked: list[str] = []
    patience = 10**9

    def encode(self, text: str) -> list[int]:
        return [0] * (len(text) // 4)

    def generate(self, prompts: Sequence[Prompt]) -> Iterator[Completion]:
        for prompt in prompts:
            if len(self.asked) >= self.patience:
                raise KeyboardInterrupt
            self.asked.append(prompt.text)
            (said,) = (said for asked, said in ANSWERS.items() if f"\n{asked}\n" in prompt.text)
            yield Completion(prompt.id, said[prompt.sample], 7, 0.1, "stop")

    def measurements(self) -> dict[str, Any]:
        return {}


def write_rows(path: Path, db_id: str, golds: dict[str, str], more: Sequence[Any] = ()) -> None:
    """Write questions in Spider's form."""
    rows = [{"question": q, "query": sql, "db_id": db_id} for q, sql in golds.items()]
    write_json(path, [*rows, *more])


def graph_of(profile: dict[str, Any], folder: Path) -> Graph:
    """Return the graph of a profile that is written below a folder."""
    path = folder / "tiny.yaml"
    write_text(path, yaml.safe_dump(profile))
    return build_graph(load_run(str(path), dataset=profile["dataset"]))
