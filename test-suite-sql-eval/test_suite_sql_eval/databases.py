"""Find the database files of an id, leave out identical variants, and fingerprint the set."""

from __future__ import annotations

import os

from .errors import InputError

TYPE_CHECKING = False  # importing typing takes milliseconds
if TYPE_CHECKING:
    from typing import Any

_SIDE_FILES = ("-journal", "-wal", "-shm")


def schema_file(db_dir: str, db_id: str) -> str:
    """Return the file the schema of ``db_id`` is read from: ``db_dir/db_id/db_id.sqlite``."""
    return os.path.join(db_dir, db_id, f"{db_id}.sqlite")


def variants(db_dir: str, db_id: str) -> list[str]:
    """Return all database files of ``db_id``; more than one make a test suite.

    Raises:
        InputError: the folder or its main file is missing.
    """
    folder = os.path.join(db_dir, db_id)
    if not os.path.isfile(schema_file(db_dir, db_id)):
        raise InputError(
            f"unknown db_id {db_id!r}: no database file {schema_file(db_dir, db_id)}; "
            "--db must name the folder that holds one folder per database id"
        )
    return sorted(
        os.path.join(folder, name)
        for name in os.listdir(folder)
        if ".sqlite" in name and not name.endswith(_SIDE_FILES)
    )


def distinct_contents(paths: list[str]) -> list[str]:
    """Leave out files whose bytes equal those of an earlier one: they give the same results."""
    if len(paths) == 1:
        return paths
    seen: set[tuple[int, bytes]] = set()
    out = []
    for path in paths:
        key = (os.path.getsize(path), content_key(path))
        if key not in seen:
            seen.add(key)
            out.append(path)
    return out


def content_key(path: str) -> bytes:
    """Return a digest (BLAKE2b, 20 bytes) of a file's bytes."""
    try:
        from _blake2 import blake2b  # hashlib also loads OpenSSL, which takes milliseconds
    except ImportError:
        from hashlib import blake2b
    return _digest(path, blake2b(digest_size=20))


def _digest(path: str, state: Any) -> bytes:
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            state.update(chunk)
    found: bytes = state.digest()
    return found


def fingerprint(db_dir: str, db_ids: list[str]) -> dict[str, Any]:
    """Describe the database set so that two scores can be compared honestly.

    Returns:
        ``sha256`` of the whole set, and for each id its number of variants and the SHA-256 and
        size of each file.
    """
    import hashlib  # here, because start-up must be quick

    databases = {}
    whole = hashlib.sha256()
    for db_id in sorted(set(db_ids)):
        files = {}
        for path in variants(db_dir, db_id):
            name = os.path.basename(path)
            sha = _digest(path, hashlib.sha256()).hex()
            files[name] = {"sha256": sha, "bytes": os.path.getsize(path)}
            whole.update(f"{db_id}/{name} {sha}\n".encode())
        databases[db_id] = {"variants": len(files), "files": files}
    return {"sha256": whole.hexdigest(), "databases": databases}


def has_unsaved_wal(path: str) -> bool:
    """Whether a write-ahead log beside the file holds changes a read-only run cannot see."""
    log = path + "-wal"
    return os.path.exists(log) and os.path.getsize(log) > 0
