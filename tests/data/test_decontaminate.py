"""Planted leaks are found at their level; clean rows are not."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator

import pytest

from text2sql.config import check_config
from text2sql.data.config import DataConfig, DecontaminationConfig
from text2sql.data.decontaminate import Decontaminator, normalize, skeleton
from text2sql.data.rows import Row
from text2sql.errors import UserError

NAMES = frozenset({("owl", "id"), ("owl", "name"), ("owl", "weight")})
QUESTION = "Which of the snow owls in the northern forest weigh more than two kilograms?"
EVALUATION = [Row("dev", 1, QUESTION, "SELECT name FROM owl WHERE weight > 2", db_id="owls")]
OTHER_DDL = "CREATE TABLE boat (id INT, length REAL)"
SAME_DDL = (
    'CREATE TABLE "Owl" (id INT, name TEXT, -- x, y\n weight DECIMAL(5, 2), PRIMARY KEY (id))'
)
CLEAN = Row("train", 9, "How long is the longest boat?", "SELECT max(length) FROM boat", OTHER_DDL)


def leaked(level: str, row: Row) -> bool:
    config = DecontaminationConfig(levels=(level,))  # type: ignore[arg-type]
    return Decontaminator(config, EVALUATION, lambda _: NAMES).check(row) == level


@pytest.mark.parametrize(
    ("level", "row"),
    [
        ("exact", Row("t", 1, QUESTION, "SELECT 1", OTHER_DDL)),
        ("normalized", Row("t", 1, "  " + QUESTION.upper().replace("?", " !"), "x", OTHER_DDL)),
        ("ngram", Row("t", 1, f"Please tell me: {QUESTION} Thanks a lot.", "x", OTHER_DDL)),
        ("jaccard", Row("t", 1, QUESTION.replace("two", "2"), "x", OTHER_DDL)),
        ("skeleton", Row("t", 1, "?", "select id from Owl where name > 'a' ;", SAME_DDL)),
        ("schema", Row("t", 1, "?", "SELECT 1", SAME_DDL)),
    ],
)
def test_planted_leak_is_found(level: str, row: Row) -> None:
    assert leaked(level, row)
    assert not leaked(level, CLEAN)


def test_skeleton_needs_the_same_schema() -> None:
    row = Row("t", 1, "?", "SELECT id FROM boat WHERE length > 3", OTHER_DDL)
    assert skeleton(row.sql) == skeleton(EVALUATION[0].sql)
    assert not leaked("skeleton", row)


def test_exact_level_alone_lets_the_rest_through() -> None:
    assert not leaked("exact", Row("t", 1, QUESTION.upper(), "x", OTHER_DDL))


def test_report_counts_and_shows() -> None:
    config = DecontaminationConfig(levels=("exact", "normalized"))
    judge = Decontaminator(config, EVALUATION, lambda _: NAMES)
    judge.check(Row("t", 4, QUESTION, "SELECT 1", OTHER_DDL))
    judge.check(CLEAN)
    report = judge.report()
    assert (report["checked"], report["removed"]) == (2, 1)
    assert report["found_by_level"] == {"exact": 1, "normalized": 1}
    assert report["examples"]["exact"][0]["row"] == 4


def similarity(one: str, other: str) -> float:
    """Jaccard similarity of character trigrams, worked out anew."""
    first, second = (
        {text[i : i + 3] for i in range(len(text) - 2)} for text in map(normalize, (one, other))
    )
    return len(first & second) / len(first | second)


def near_copies(low: float, high: float, count: int) -> Iterator[tuple[str, str]]:
    """Questions of made-up words, each with a copy whose similarity lies in [low, high)."""
    draw = random.Random(11)
    while count:
        words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=5)) for _ in range(12)]
        question = " ".join(words)
        copy = list(question)
        while similarity(question, "".join(copy)) >= high:
            copy[draw.randrange(len(copy))] = draw.choice("abcdefghijklmnopqrstuvwxyz")
        if similarity(question, "".join(copy)) >= low:
            yield question, "".join(copy)
            count -= 1


@pytest.mark.parametrize(("low", "high", "leaks"), [(0.8, 0.84, True), (0.77, 0.8, False)])
def test_every_near_copy_is_found_and_nothing_below_the_threshold(
    low: float, high: float, leaks: bool
) -> None:
    pairs = list(near_copies(low, high, 500))
    questions = [Row("dev", n, question, "SELECT 1") for n, (question, _) in enumerate(pairs)]
    config = DecontaminationConfig(levels=("jaccard",))
    judge = Decontaminator(config, questions, lambda _: NAMES)
    found = [judge.find(Row("t", n, copy, "x")) for n, (_, copy) in enumerate(pairs)]
    assert [leak["evaluation_question"] if leak else None for leak in found] == [
        question if leaks else None for question, _ in pairs
    ]


@pytest.mark.parametrize("settings", [{"levels": ["minhash"]}, {"minhash_similarity": 0.9}])
def test_the_levels_old_name_is_refused_with_the_new_one(settings: dict[str, object]) -> None:
    values = {"train": ["a"], "evaluation": "b", "database": "c", "decontamination": settings}
    with pytest.raises(UserError, match=r"'minhash\w*' is now called 'jaccard"):
        check_config(values, DataConfig, "own.yaml")


def test_the_graph_is_imported_without_scipy() -> None:
    code = "import sys, text2sql.pipeline.registry as r; r.stage_kinds(); print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = set(run.stdout.split())
    assert "text2sql.data.decontaminate" in modules
    assert not {"scipy", "datasketch"} & modules
