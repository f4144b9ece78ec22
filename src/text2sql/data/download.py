"""Downloads that resume, are verified by SHA-256, and appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

import httpx
from tqdm import tqdm

from text2sql.errors import UserError
from text2sql.files import PARTIAL, sha256_file

TIMEOUT = 30.0
RANGE_NOT_SATISFIABLE = 416


def download(url: str, path: Path, sha256: str | None = None) -> str:
    """Fetch a file, going on from what an interrupted call left.

    Args:
        url: where it is.
        path: where it goes; an existing file with the right checksum is kept.
        sha256: what it must hash to; without one only the length is verified.

    Returns:
        The file's SHA-256.

    Raises:
        UserError: the server or network refuses, the body breaks off, or the checksum is wrong.
    """
    if path.is_file():
        found = sha256_file(path)
        if sha256 in (None, found):
            return found
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + PARTIAL)
    try:
        _fetch(url, partial)
    except httpx.HTTPStatusError as error:
        reply = error.response
        raise UserError(
            f"{url}: the server answered {reply.status_code} {reply.reason_phrase}"
        ) from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise UserError(f"{url}: cannot download: {error}; run it again to go on") from None
    except OSError as error:
        raise UserError(f"{partial}: cannot write: {error.strerror}") from None
    found = sha256_file(partial)
    if sha256 is not None and found != sha256:
        partial.unlink()
        raise UserError(f"{url}: SHA-256 is {found}, expected {sha256}; nothing was kept")
    partial.replace(path)
    return found


def size_of(url: str) -> int | None:
    """Return the bytes of a file at an address; None where the server does not say."""
    try:
        reply = httpx.head(url, timeout=TIMEOUT, follow_redirects=True)
        reply.raise_for_status()
        return int(reply.headers["Content-Length"])
    except (httpx.HTTPError, httpx.InvalidURL, KeyError, ValueError):
        return None


def _fetch(url: str, partial: Path) -> None:
    have = partial.stat().st_size if partial.is_file() else 0
    # Compressed transfer would make byte offsets and lengths those of another file.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with httpx.stream("GET", url, headers=headers, timeout=TIMEOUT, follow_redirects=True) as reply:
        if have and reply.status_code == RANGE_NOT_SATISFIABLE:
            partial.unlink()  # what is there is no shorter than the file: start anew
            return _fetch(url, partial)
        reply.raise_for_status()
        if "text/html" in reply.headers.get("Content-Type", ""):
            raise UserError(f"{url}: the server sent a web page, not a file; try it in a browser")
        with partial.open(
            "ab" if reply.status_code == httpx.codes.PARTIAL_CONTENT else "wb"
        ) as out:
            _write(reply, out)
    return None


def _write(reply: httpx.Response, out: IO[bytes]) -> None:
    have = out.tell()
    length = reply.headers.get("Content-Length")
    total = have + int(length) if length else None
    with tqdm(total=total, initial=have, unit="B", unit_scale=True, desc="download") as bar:
        for data in reply.iter_raw():
            out.write(data)
            bar.update(len(data))
    out.flush()
    os.fsync(out.fileno())
