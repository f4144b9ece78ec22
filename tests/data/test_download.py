"""The downloader against a local server that breaks off, resumes and sends wrong bytes."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from text2sql.data.cli import data
from text2sql.data.download import download
from text2sql.errors import UserError

BODY = bytes(range(256)) * 400
DIGEST = hashlib.sha256(BODY).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """`/file` honours Range, `/short` breaks off half way unless resumed, all else is 404."""

    ranges: list[str | None] = []

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.ranges.append(wanted)
        if self.path not in ("/file", "/short"):
            self.send_error(404)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        body = BODY[start:]
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        cut = self.path == "/short" and not wanted
        self.wfile.write(body[: len(body) // 2] if cut else body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    Handler.ranges = []
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
    result = CliRunner().invoke(data, ["download", f"{server}/file", "--output", str(path)])
    assert result.exit_code == 0, result.output
    assert f"{path}: SHA-256 {DIGEST}" in result.output
    result = CliRunner().invoke(data, ["download", f"{server}/none", "--output", str(path) + "2"])
    assert result.exit_code == 2 and "404" in result.output
