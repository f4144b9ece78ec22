"""The downloader against a local server that breaks off, resumes and sends wrong bytes."""

from __future__ import annotations

import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from text2sql.cli import cli
from text2sql.data.download import download
from text2sql.data.sources import SOURCES, download_source
from text2sql.errors import UserError

BODY = bytes(range(256)) * 400
DIGEST = hashlib.sha256(BODY).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """`/file` honours Range, `/short` breaks off half way unless resumed, `/page` is HTML."""

    body = BODY
    ranges: list[str | None] = []

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.ranges.append(wanted)
        if self.path not in ("/file", "/short", "/page"):
            self.send_error(404)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        body = self.body[start:]
        if wanted and not body:
            self.send_error(416)
            return
        self.send_response(206 if wanted else 200)
        if self.path == "/page":
            self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        cut = self.path == "/short" and not wanted
        self.wfile.write(body[: len(body) // 2] if cut else body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    Handler.ranges, Handler.body = [], BODY
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{made.server_port}"
        made.shutdown()


def test_whole_file_once(server: str, tmp_path: Path) -> None:
    for _ in range(2):
        assert download(f"{server}/file", tmp_path / "f", DIGEST) == DIGEST
    assert (tmp_path / "f").read_bytes() == BODY
    assert Handler.ranges == [None]


def test_truncated_body_is_told_then_resumed(server: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="run it again"):
        download(f"{server}/short", tmp_path / "f", DIGEST)
    assert not (tmp_path / "f").exists()
    assert download(f"{server}/short", tmp_path / "f", DIGEST) == DIGEST
    assert Handler.ranges == [None, f"bytes={len(BODY) // 2}-"]


def test_wrong_checksum_leaves_nothing(server: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing was kept"):
        download(f"{server}/file", tmp_path / "f", "0" * 64)
    assert not list(tmp_path.iterdir())


def test_refusals_are_one_line(server: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="404"):
        download(f"{server}/none", tmp_path / "f")
    with pytest.raises(UserError, match="cannot download"):
        download("http://127.0.0.1:1/f", tmp_path / "f")


def test_command_names_file_and_checksum(server: str, tmp_path: Path) -> None:
    path = tmp_path / "f"
    result = CliRunner().invoke(
        cli, ["dataset", "download", f"{server}/file", "--output", str(path)]
    )
    assert result.exit_code == 0, result.output
    assert f"wrote {path}: SHA-256 {DIGEST}, not verified" in result.output
    result = CliRunner().invoke(
        cli, ["dataset", "download", f"{server}/none", "--output", str(path) + "2"]
    )
    assert result.exit_code == 2 and "404" in result.output


def test_a_partial_file_as_long_as_the_file_is_started_anew(server: str, tmp_path: Path) -> None:
    (tmp_path / "f.partial").write_bytes(b"x" * len(BODY))
    assert download(f"{server}/file", tmp_path / "f", DIGEST) == DIGEST
    assert Handler.ranges == [f"bytes={len(BODY)}-", None]


def test_a_web_page_is_no_file(server: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="web page"):
        download(f"{server}/page", tmp_path / "f")
    assert not list(tmp_path.iterdir())


def test_spider_is_verified_and_unpacked(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("spider_data/dev.json", "[]")
        archive.writestr("spider_data/database/owls/owls.sqlite", "")
        archive.writestr("__MACOSX/spider_data/dev.json", "x")
    Handler.body = packed.getvalue()
    monkeypatch.setenv("TEXT2SQL_BUILD", str(tmp_path))
    here = replace(SOURCES["spider"], url=f"{server}/file")
    monkeypatch.setitem(SOURCES, "spider", here)
    with pytest.raises(UserError, match=r"expected 00636695.*yale-lily"):
        download_source("spider")
    folder = tmp_path / "data" / "downloads" / "spider"
    assert not folder.exists()
    digest = hashlib.sha256(Handler.body).hexdigest()
    monkeypatch.setitem(SOURCES, "spider", replace(here, sha256=digest))
    result = CliRunner().invoke(cli, ["dataset", "download", "spider"])
    assert result.exit_code == 0, result.output
    assert f"SHA-256 {digest}, as pinned" in result.output
    assert f"export SPIDER_DIR={folder}" in result.output
    assert sorted(p.name for p in folder.iterdir()) == ["database", "dev.json"]


def test_unknown_checksum_is_recorded_then_held_to(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEXT2SQL_BUILD", str(tmp_path))
    here = replace(SOURCES["text2sql_126k"], url=f"{server}/file")
    monkeypatch.setitem(SOURCES, "text2sql_126k", here)
    path = tmp_path / "data" / "downloads" / here.file
    assert "recorded now" in download_source("text2sql_126k")[0]
    assert "as recorded by the first" in download_source("text2sql_126k")[0]
    path.write_bytes(b"damaged")
    with pytest.raises(UserError, match="not the file that was recorded"):
        download_source("text2sql_126k")
    path.unlink()
    Handler.body = b"another file"
    with pytest.raises(UserError, match="nothing was kept"):
        download_source("text2sql_126k")
    Handler.body = BODY
    assert "as recorded by the first" in download_source("text2sql_126k")[0]
    assert path.read_bytes() == BODY


def test_neither_name_nor_url_is_one_line() -> None:
    for arguments in (["spyder"], ["spider", "--sha256", "0"]):
        result = CliRunner().invoke(cli, ["dataset", "download", *arguments])
        assert result.exit_code == 2
        assert len(result.output.strip().splitlines()) == 1
