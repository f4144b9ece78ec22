"""Downloads that resume, are verified by SHA-256, and appear whole or not at all."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path

from tqdm import tqdm

from text2sql.errors import UserError
from text2sql.files import PARTIAL, sha256_file

CHUNK = 1 << 20
TIMEOUT = 30.0


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
    if path.is_file() and (sha256 is None or sha256_file(path) == sha256):
        return sha256_file(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + PARTIAL)
    try:
        _fetch(url, partial)
    except urllib.error.HTTPError as error:
        raise UserError(f"{url}: the server answered {error.code} {error.reason}") from None
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise UserError(f"{url}: cannot download: {reason}; run it again to go on") from None
    found = sha256_file(partial)
    if sha256 is not None and found != sha256:
        partial.unlink()
        raise UserError(f"{url}: SHA-256 is {found}, expected {sha256}; nothing was kept")
    partial.replace(path)
    return found


def _fetch(url: str, partial: Path) -> None:
    have = partial.stat().st_size if partial.is_file() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != 416:  # 416: what is there is no shorter than the file; start anew
            raise
        partial.unlink()
        _fetch(url, partial)
        return
    with response, partial.open("ab" if response.status == 206 else "wb") as stream:
        have = stream.tell()
        length = response.headers.get("Content-Length")
        total = have + int(length) if length else None
        with tqdm(total=total, initial=have, unit="B", unit_scale=True, desc=partial.stem) as bar:
            while data := response.read(CHUNK):
                stream.write(data)
                bar.update(len(data))
        stream.flush()
        os.fsync(stream.fileno())
        if total is not None and stream.tell() < total:
            raise OSError(f"the body ended after {stream.tell()} of {total} bytes")
