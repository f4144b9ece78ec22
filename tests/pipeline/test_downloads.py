"""`make download`: what a profile needs and is not here, sizes first, then one after another."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from text2sql.cli import cli
from text2sql.data.sources import SOURCES
from text2sql.errors import UserError
from text2sql.pipeline import downloads

MODELS = ["Qwen/Qwen3-Embedding-0.6B", "Qwen/Qwen3-Reranker-0.6B"]


@pytest.fixture
def offered(build_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every source answers, with 1 GB each; what is downloaded is noted."""
    monkeypatch.setenv("SPIDER_DIR", str(tmp_path / "spider"))
    got: list[str] = []

    def note(name: str, *_: object) -> list[str]:
        got.append(name)
        return [f"wrote {name}"]

    def model(name: str, *_: object) -> Path:
        got.append(name)
        return tmp_path / name

    monkeypatch.setattr(downloads, "size_of", lambda _: 10**9)
    monkeypatch.setattr(downloads, "hub_bytes", lambda *_: 10**9)
    monkeypatch.setattr(downloads, "cached_on_disk", lambda name, _: name in got)
    monkeypatch.setattr(downloads, "download_source", note)
    monkeypatch.setattr(downloads, "download_model", model)
    monkeypatch.setattr(downloads, "bring_up_to_date", lambda kinds, **_: got.extend(kinds))
    return got


def run(*arguments: str) -> str:
    result = CliRunner().invoke(cli, ["download", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_all_that_the_published_rows_need(offered: list[str]) -> None:
    shown = run("--profile", "qwen3-1.7b")
    assert offered == ["spider", "text2sql_126k", "model", *MODELS]
    assert "base model: Qwen/Qwen3-1.7B, 1.00 GB" in shown
    assert f"data set spider: {SOURCES['spider'].page}, 1.00 GB" in shown
    assert "together 5.00 GB" in shown
    assert shown.index("together") < shown.index("downloading")


def test_what_is_here_is_not_asked_for(offered: list[str], build_folder: Path) -> None:
    offered += MODELS
    path = build_folder / "data" / "downloads" / SOURCES["text2sql_126k"].file
    path.parent.mkdir(parents=True)
    path.touch()
    run("--profile", "qwen3-1.7b")
    assert offered == [*MODELS, "spider", "model"]


def test_a_profile_of_packaged_models_needs_its_base_alone(offered: list[str]) -> None:
    run("--profile", "smollm2-135m")
    assert offered == ["model"]


def test_a_data_set_that_nobody_offers(offered: list[str], tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("train: [mine/train.json]\nevaluation: mine/dev.json\ndatabase: mine/db\n")
    result = CliRunner().invoke(cli, ["download", "--dataset", str(path)])
    assert "no address of it is known" in result.output or isinstance(result.exception, UserError)
    assert offered == []
