"""Find the database files of an id, leave out identical variants, and fingerprint the set."""

from __future__ import annotations

import os
import time

from .errors import InputError

TYPE_CHECKING = False  # importing typing takes milliseconds
if TYPE_CHECKING:
    from typing import Any

#: From this size (bytes) reading a file takes longer than remembering it.
_LARGE = 4 << 20
#: Seconds after which a file's time tells a further change.
_SETTLED = 2.0
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


class ContentKeys:
    """Digests of files, each made once: in a run, and for large files between runs.

    Args:
        folder: where the digests of large files are kept, under what identifies the file without
            reading it: its place on the disk, size, times and header (which counts the changes).
            None keeps nothing.
    """

    def __init__(self, folder: str | None) -> None:
        self._folder = folder
        self._known: dict[str, bytes] = {}

    def of(self, path: str) -> bytes:
        """Return the digest of a file's bytes."""
        if path not in self._known:
            keep = self._folder is not None and os.path.getsize(path) > _LARGE
            self._known[path] = self._kept(path, str(self._folder)) if keep else content_key(path)
        return self._known[path]

    def _kept(self, path: str, folder: str) -> bytes:
        note = os.path.join(folder, f"{_identity(path)}.key")
        try:
            with open(note, "rb") as file:
                return file.read()
        except OSError:
            key = content_key(path)
        # A file that has just been written may be written again before its time changes.
        if time.time() - os.stat(path).st_mtime > _SETTLED:
            try:
                write_bytes(note, key)
            except OSError:
                return key  # a full disk or a read-only home
        return key

    def distinct(self, paths: list[str]) -> list[str]:
        """Leave out files whose bytes equal those of an earlier one: they give the same results."""
        sizes = [os.path.getsize(path) for path in paths]
        if len(set(sizes)) == len(paths):
            return paths
        first: dict[tuple[int, bytes], str] = {}
        for path, size in zip(paths, sizes, strict=True):
            key = self.of(path) if sizes.count(size) > 1 else b""
            first.setdefault((size, key), path)
        return list(first.values())


def _identity(path: str) -> str:
    facts = os.stat(path)
    with open(path, "rb") as file:
        header = file.read(100)
    numbers = (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)
    return _blake2b(repr((numbers, header)).encode()).hexdigest()


def write_bytes(path: str, data: bytes) -> None:
    """Write a file whole or not at all; its folder is made.

    Raises:
        OSError: it cannot be written.
    """
    os.makedirs(os.path.dirname(path), exist_ok=True)
    partial = f"{path}.{os.getpid()}.partial"
    with open(partial, "wb") as file:
        file.write(data)
    os.replace(partial, path)


def _blake2b(data: bytes = b"") -> Any:
    try:
        from _blake2 import blake2b  # hashlib also loads OpenSSL, which takes milliseconds
    except ImportError:
        from hashlib import blake2b
    return blake2b(data, digest_size=20)


def content_key(path: str) -> bytes:
    """Return a digest (BLAKE2b, 20 bytes) of a file's bytes."""
    return _digest(path, _blake2b())


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
