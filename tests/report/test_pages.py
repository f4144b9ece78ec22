"""The first page is short, opens with what a visitor wants to see, and has a true translation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from run_records import record

from text2sql.errors import UserError
from text2sql.files import write_json
from text2sql.paths import repository_root
from text2sql.profile import DEFAULT_PROFILE
from text2sql.report import pages
from text2sql.report.result_blocks import default_block, spider_block


def write_record(
    root: Path, profile: str, dataset: str, size: int, accuracy: float, **changed: Any
) -> None:
    made = record() | {"profile": profile, "dataset": dataset, "parameters": size, "title": profile}
    made |= changed
    few_shot = made["rows"][1] | {"name": "rag", "label": "RAG", "without_examples": "tuned"}
    tuned: dict[str, Any] = made["rows"][1]
    tuned["accuracy"] = tuned["accuracy"] | {"all": accuracy}
    made["rows"].append(few_shot)
    write_json(root / "results" / f"{profile}_{dataset}.json", made)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "configs").mkdir()
    monkeypatch.setenv("TEXT2SQL_ROOT", str(tmp_path))
    return tmp_path


def test_the_first_screen_says_what_it_is_and_what_to_type() -> None:
    lines = (repository_root() / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 120
    screen = lines[:25]
    assert screen[0].startswith("# ")
    assert any(line.startswith("make reproduce ") for line in screen)
    assert any(line.startswith("make test ") for line in screen)
    assert sum(line.startswith("![") for line in screen) == 2
    table = [line.split("|")[1].strip() for line in screen if line.startswith("| ")]
    assert table == ["Model", "Baseline", "LoRA (r=32)", "Full fine-tuning"]


def test_the_default_table_has_no_rows_with_examples(root: Path) -> None:
    assert default_block() == ""
    write_record(root, DEFAULT_PROFILE, "sample", 5, 60.0)
    write_record(root, "other", "sample", 9, 60.0)
    text = " ".join(default_block().split())
    assert "| Tuned |" in text and "RAG" not in text and "other" not in text
    assert "40 questions" in text
    assert "3 minutes over all stages on 2 cores, 2.0 GB of memory at most" in text
    assert f"(figs/{DEFAULT_PROFILE}_sample.png)" in text


def test_the_spider_table_is_the_best_of_the_largest_of_the_default_family(root: Path) -> None:
    assert spider_block() == ""
    write_record(root, "smollm2-135m", "spider", 9, 99.0)
    assert "results/smollm2-135m_spider.json" in spider_block()
    write_record(root, "qwen2.5-coder-0.5b", "spider", 5, 40.0)
    write_record(root, "qwen2.5-coder-0.5b_long", "spider", 5, 50.0)
    write_record(root, "qwen2.5-coder-0.5b_long", "sample", 5, 90.0)
    assert "results/qwen2.5-coder-0.5b_long_spider.json" in spider_block()
    write_record(root, "qwen2.5-coder-1.5b", "spider", 15, 30.0)
    assert "results/qwen2.5-coder-1.5b_spider.json" in spider_block()


def test_beside_the_spider_table_stands_what_no_one_tuned(root: Path) -> None:
    write_record(root, "qwen2.5-coder-0.5b", "spider", 5, 40.0)
    assert "Without any tuning" not in spider_block()
    write_record(root, "qwen2.5-coder-1.5b", "spider", 15, 60.0, losses={})
    text = spider_block()
    assert text.startswith("**qwen2.5-coder-0.5b, dataset spider**")
    assert "Without any tuning: qwen2.5-coder-1.5b, baseline " in text
    assert "; tuned 60.0; " in text
    assert text.count("results/qwen2.5-coder-1.5b_spider.json") == 2  # its text and its address


def test_the_translation_is_in_step() -> None:
    pages.check_translation("README.md", "README.zh.md")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("## Part\n", ""),
        ("## Part\n", "### Part\n"),
        ("make it  # do it", "make that  # do it"),
        ("| a | b |\n", ""),
        ("(figs/a.png)", "(figs/b.png)"),
        ("<!-- spider: begin -->\n", ""),
        ("end\n", "end\n\n## More\n"),
    ],
)
def test_a_translation_out_of_step_is_named(root: Path, before: str, after: str) -> None:
    text = (
        "# Top\n\n![Text](figs/a.png)\n\n```bash\nmake it  # do it\n```\n\n"
        "<!-- spider: begin -->\n| a | b |\n|---|---|\n<!-- spider: end -->\n\n## Part\n\nend\n"
    )
    translated = text.replace("Top", "上").replace("do it", "做").replace("Text", "图")
    (root / "README.md").write_text(text, encoding="utf-8")
    (root / "README.zh.md").write_text(translated, encoding="utf-8")
    pages.check_translation("README.md", "README.zh.md")
    assert before.replace("do it", "做") in translated
    changed = translated.replace(before.replace("do it", "做"), after.replace("do it", "做"))
    (root / "README.zh.md").write_text(changed, encoding="utf-8")
    with pytest.raises(UserError, match=r"README\.zh\.md: not in step with README\.md"):
        pages.check_translation("README.md", "README.zh.md")
