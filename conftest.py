"""Fixtures that many tests need."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent


@pytest.fixture
def repository() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture
def build_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty build folder that stages write into instead of the checkout's."""
    folder = tmp_path / "build"
    monkeypatch.setenv("TEXT2SQL_BUILD", str(folder))
    return folder
