"""Datasets by name: verified against the release, whole or not at all."""

from __future__ import annotations

import hashlib
import sqlite3
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from text2sql.data import sources, spider
from text2sql.errors import UserError

FILES = {"dev.json": b"[1]", "tables.json": b"[2]", "database/d/d.sqlite": b"not really"}


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small archive that passes for the release, with files that do not belong."""
    sums = {name: hashlib.sha256(data).hexdigest() for name, data in FILES.items()}
    monkeypatch.setattr(sources, "release_checksums", lambda: sums)
    monkeypatch.setattr(spider, "release_checksums", lambda: sums)
    path = tmp_path / "spider.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in FILES.items():
            archive.writestr(f"spider/{name}", data)
        archive.writestr("spider/database/d/run.py", "print()")
        archive.writestr("__MACOSX/spider/dev.json", b"x")
        archive.writestr("spider/../../outside.json", b"x")
    return path


def test_archive_is_unpacked_without_what_does_not_belong(release: Path, tmp_path: Path) -> None:
    folder = sources.unpack_spider(release, tmp_path / "out" / "spider")
    found = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.*")}
    assert found == FILES
    assert not list(tmp_path.rglob("outside.json"))


@pytest.mark.parametrize("change", ["changed", "missing"])
def test_another_archive_is_refused_and_nothing_appears(
    release: Path, tmp_path: Path, change: str
) -> None:
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(release) as old, zipfile.ZipFile(other, "w") as new:
        for name in old.namelist():
            if name != "spider/dev.json":
                new.writestr(name, old.read(name))
            elif change == "changed":
                new.writestr(name, b"[3]")
    with pytest.raises(UserError, match=r"dev\.json"):
        sources.unpack_spider(other, tmp_path / "spider")
    assert not (tmp_path / "spider").exists()


def test_a_web_page_in_place_of_the_archive_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<html>quota exceeded</html>")
    with pytest.raises(UserError, match="gave a page, not the archive"):
        sources.fetch_source("spider", tmp_path / "downloads", page.as_uri())
    assert not list((tmp_path / "downloads").iterdir())


def test_no_network_says_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="get it by hand from"):
        sources.fetch_source("spider", tmp_path, "http://127.0.0.1:9/spider.zip")


def test_unknown_dataset_lists_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there are: spider, text2sql_126k"):
        sources.fetch_source("bird", tmp_path)


def test_parquet_files_become_one(tmp_path: Path) -> None:
    files = []
    for number in range(2):
        files.append(tmp_path / f"{number}.parquet")
        pq.write_table(pa.table({"prompt": [f"q{number}"], "answer": ["SELECT 1"]}), files[-1])
    target = sources.join_parquet(files, tmp_path / "all.parquet")
    assert pq.read_table(target)["prompt"].to_pylist() == ["q0", "q1"]


def test_committed_checksums_cover_the_release() -> None:
    known = spider.release_checksums()
    assert len(known) == 165
    assert all(len(digest) == 64 for digest in known.values())


def test_check_finds_changed_files_and_empty_tables(release: Path, tmp_path: Path) -> None:
    folder = tmp_path / "s"
    (folder / "database" / "d").mkdir(parents=True)
    with sqlite3.connect(folder / "database" / "d" / "d.sqlite") as connection:
        connection.executescript(
            'CREATE TABLE a (x); CREATE TABLE "b c" (x); INSERT INTO a VALUES (1)'
        )
    parts = {part.name: part for part in spider.check_spider(folder)}
    assert parts["files as released"].state == "0 of 3 by SHA-256; changed: d"
    assert parts["rows"].state == "1 empty tables in 1 databases: d (1)"
    assert "telling right from wrong" in parts["rows"].disables
