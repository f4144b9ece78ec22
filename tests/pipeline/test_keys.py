"""A stage's key watches the source that the stage uses, and no other."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from text2sql.pipeline import keys
from text2sql.pipeline.command import select_run
from text2sql.pipeline.registry import build_graph, stage_kinds
from text2sql.profile import load_profile
from text2sql.run import Run

FILES = {
    "__init__.py": "from .tools import helper\n",
    "stage.py": (
        '"""A stage."""\nimport os\nfrom houses import helper\nfrom houses import shapes as forms\n'
        "LIMIT = 3\nUNUSED = 4\n"
        "def run(job: 'Job') -> int:\n"
        '    """Run."""\n    from houses.late import late\n'
        "    return helper(LIMIT) + forms.area(2) + late() + Base().size\n"
        "class Base:\n    size = 1\n"
        "def other():\n    return 1\n"
    ),
    "tools.py": "def helper(n):\n    return _inner(n)\ndef _inner(n):\n    return n\nALONE = 1\n",
    "shapes.py": "def area(n):\n    return n * n\ndef round_(n):\n    return n\n",
    "late.py": (
        "STARTED = []\nSTARTED.append(1)\ndef late():\n    return 1\ndef never():\n    return 2\n"
    ),
    "unrelated.py": "def f():\n    return 1\n",
}


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Gives the hash of the stage's source, with some text in a file of it replaced."""
    folder = tmp_path / "houses"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(keys, "PACKAGES", ("houses",))
    for name in [name for name in sys.modules if name.startswith("houses")]:
        monkeypatch.delitem(sys.modules, name)

    def hashed(file: str = "", old: str = "", new: str = "") -> str:
        for name, text in FILES.items():
            if name == file:
                assert old in text
                text = text.replace(old, new)
            (folder / name).write_text(text)
        importlib.invalidate_caches()
        for cached in (keys._path, keys._source, keys._text):
            cached.cache_clear()
        return keys.source_hash(("houses.stage:run",))

    yield hashed
    for cached in (keys._path, keys._source, keys._text):
        cached.cache_clear()


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("stage.py", "LIMIT = 3", "LIMIT = 4"),
        ("stage.py", "size = 1", "size = 2"),
        ("stage.py", "area(2)", "area(3)"),
        ("tools.py", "return n\n", "return n + 1\n"),
        ("shapes.py", "n * n", "n + n"),
        ("late.py", "def late():\n    return 1", "def late():\n    return 3"),
        ("late.py", "STARTED.append(1)", "STARTED.append(2)"),
    ],
)
def test_what_the_stage_uses_counts(
    house: Callable[..., str], file: str, old: str, new: str
) -> None:
    assert house() != house(file, old, new)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("unrelated.py", "return 1", "return 2"),
        ("stage.py", "UNUSED = 4", "UNUSED = 5"),
        ("stage.py", "def other():\n    return 1", "def other():\n    return 2"),
        ("stage.py", '    """Run."""\n', '    """Run it."""\n    # with a comment\n'),
        ("stage.py", "(job: 'Job') -> int", "(job: 'Task') -> float"),
        ("stage.py", "LIMIT = 3", "LIMIT  =  3  # three"),
        ("tools.py", "ALONE = 1", "ALONE = 2"),
        ("shapes.py", "def round_(n):\n    return n", "def round_(n):\n    return 0"),
        ("late.py", "return 2", "return 4"),
    ],
)
def test_nothing_else_counts(house: Callable[..., str], file: str, old: str, new: str) -> None:
    assert house() == house(file, old, new)


def modules_of(kind: str) -> set[str]:
    return {module for module, _ in keys.used_from(stage_kinds()[kind].roots)}


def test_stages_watch_the_code_they_run() -> None:
    assert {"text2sql.data.prepare", "text2sql.data.rows", "text2sql.schema.read"} <= modules_of(
        "data"
    )
    assert "text2sql.prompt.messages" in modules_of("infer")
    assert "test_suite_sql_eval.compare" in modules_of("eval")
    assert modules_of("train-lora") == {"text2sql.train.stage"}


def test_stages_watch_no_code_of_others() -> None:
    for kind in stage_kinds():
        watched = modules_of(kind)
        assert not {m for m in watched if m.startswith(("text2sql.cli", "text2sql.serve"))}, kind
        assert not {m for m in watched if m.startswith("text2sql.pipeline")}, kind
    assert not {m for m in modules_of("infer") if m.startswith(("text2sql.report", "text2sql.rag"))}
    engines = {"text2sql.infer.vllm", "text2sql.infer.llamacpp", "text2sql.infer.openai"}
    assert not engines & modules_of("infer")


def test_a_better_extractor_asks_no_model_again(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = select_run("smollm2-135m")
    extractor = ("text2sql.sql.extract", "extract_sql")
    asked, extracted = graph["infer:lora"].code, graph["extract:lora"].code
    assert extractor not in keys.used_from(asked)
    assert extractor in keys.used_from(extracted)
    before = keys.source_hash(asked), keys.source_hash(extracted)
    text = keys._text
    monkeypatch.setattr(
        keys, "_text", lambda *place: text(*place) + ("better" if place == extractor else "")
    )
    assert keys.source_hash(asked) == before[0]
    assert keys.source_hash(extracted) != before[1]


def test_where_failures_are_repaired_the_extractor_asks_again(tmp_path: Path) -> None:
    (tmp_path / "repair.yaml").write_text("engine: transformers\ndecoding: {repair: true}\n")
    profile = load_profile("smollm2-135m").model_copy(
        update={"infer": str(tmp_path / "repair.yaml")}
    )
    code = build_graph(Run(profile, "sample"))["infer:lora"].code
    assert ("text2sql.sql.extract", "extract_sql") in keys.used_from(code)
    assert ("text2sql.infer.repair", "Repairer") in keys.used_from(code)
