"""The site is made of the pages as they are; a link that leads nowhere stops it."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def site() -> ModuleType:
    """The script that makes it."""
    spec = importlib.util.spec_from_file_location("site", ROOT / "scripts" / "build_site.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def checkout(tmp_path: Path, site: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of two pages and a chart."""
    config = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("nav:\n")[0]
    (tmp_path / "mkdocs.yml").write_text(
        f"{config}nav: [README.md, docs/data.md]\n", encoding="utf-8"
    )
    (tmp_path / "docs").mkdir()
    (tmp_path / "figs").mkdir()
    (tmp_path / "figs" / "chart.svg").write_text("<svg/>")
    (tmp_path / "docs" / "site.css").write_text("")
    (tmp_path / "docs" / "data.md").write_text("# Data\n\n## Sources: two\n\n[top](../README.md)\n")
    (tmp_path / "README.md").write_text(
        "# Top\n\n![chart](figs/chart.svg) [there](docs/data.md#sources-two)\n"
    )
    monkeypatch.setattr(site, "ROOT", tmp_path)
    monkeypatch.setattr(site, "STYLE", tmp_path / "docs" / "site.css")
    return tmp_path


def test_all_pages_make_a_site_without_a_broken_link(site: ModuleType, tmp_path: Path) -> None:
    assert site.build(tmp_path) == 0
    front = (tmp_path / "html" / "index.html").read_text(encoding="utf-8")
    assert "make reproduce" in front and 'src="figs/chain.svg"' in front
    assert (tmp_path / "html" / "results" / "qwen2.5-coder-0.5b_sample.json").is_file()
    loaded = re.findall(r'(?:<script|<link|<img)[^>]+(?:src|href)="(https?:[^"]+)', front)
    assert loaded == []  # nothing comes from other hosts


def test_links_between_pages_lead_there(site: ModuleType, checkout: Path) -> None:
    assert site.build(checkout / "out") == 0
    front = (checkout / "out" / "html" / "index.html").read_text(encoding="utf-8")
    assert 'href="docs/data/#sources-two"' in front
    assert (checkout / "out" / "html" / "figs" / "chart.svg").is_file()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("docs/data.md#sources-two", "docs/data.md#sources"),
        ("docs/data.md#sources-two", "docs/dates.md"),
        ("docs/data.md#sources-two", "#nowhere"),
        ("figs/chart.svg", "figs/graph.svg"),
    ],
)
def test_a_broken_link_stops_it(
    site: ModuleType, checkout: Path, before: str, after: str, capfd: pytest.CaptureFixture[str]
) -> None:
    page = checkout / "README.md"
    page.write_text(page.read_text(encoding="utf-8").replace(before, after), encoding="utf-8")
    assert site.build(checkout / "out") != 0
    assert after.rpartition("/")[2].lstrip("#") in capfd.readouterr().err


def test_a_page_that_is_in_no_menu_stops_it(site: ModuleType, checkout: Path) -> None:
    (checkout / "docs" / "more.md").write_text("# More\n")
    assert site.build(checkout / "out") != 0
