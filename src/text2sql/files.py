"""Files that appear whole or not at all, and the hashes that identify them."""

from __future__ import annotations

import codecs
import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import IO, Any

from filelock import FileLock, Timeout

from text2sql.errors import UserError

# What keeps a file from being written that is no mistake of the program.
WRITE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG)
GIB = 2**30
PARTIAL = ".partial"  # suffix of what is still being written
# Name of the way of encoding that puts U+FFFD for half a character. Models and data sets have such:
# texts that were cut within an emoji.
LENIENT = "text2sql.lenient"
HALF = re.compile("[\ud800-\udfff]")


def _replacement(error: UnicodeError) -> tuple[bytes, int]:
    assert isinstance(error, UnicodeEncodeError)
    return "\ufffd".encode() * (error.end - error.start), error.end


codecs.register_error(LENIENT, _replacement)


@contextmanager
def atomic_open(path: str | Path, mode: str = "w") -> Iterator[IO[Any]]:
    """Open a file for writing that replaces `path` only when the block ends without an error."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + PARTIAL)
    encoding, errors = (None, None) if "b" in mode else ("utf-8", LENIENT)
    try:
        with partial.open(mode, encoding=encoding, errors=errors) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_failure(error: OSError, folder: Path) -> str | None:
    """Return one line for a write that failed by the disk's or the user's limits, else None.

    Args:
        error: what happened.
        folder: where the work goes on, named where the error names no file.
    """
    if error.errno not in WRITE_ERRORS:
        return None
    there = next(place for place in (folder, *folder.absolute().parents) if place.is_dir())
    where, free = error.filename or folder, free_bytes(there) / GIB
    return (
        f"{where}: cannot be written ({error.strerror}; {free:.1f} GiB free); make room, or set"
        " TEXT2SQL_BUILD to another folder, and run the same command again"
    )


def free_bytes(folder: Path) -> int:
    """Return how much can still be written to the disk of a folder."""
    return shutil.disk_usage(folder).free


def require_disk(
    needed: float, folder: Path, what: str, fix: str = "make room, or move to another disk"
) -> None:
    """Raise UserError, with the estimate, when a folder's disk has less room than needed.

    Args:
        needed: bytes.
        folder: where they are to be written.
        what: what needs them, in the plural.
        fix: what to do about it.
    """
    free = free_bytes(folder)
    if needed > free:
        raise UserError(
            f"{folder}: {what} need about {needed / GIB:.1f} GiB and {free / GIB:.1f} GiB are free;"
            f" {fix}"
        )


def write_text(path: str | Path, text: str) -> None:
    """Write a text file atomically."""
    with atomic_open(path) as stream:
        stream.write(text)


def append_text(path: str | Path, text: str) -> None:
    """Add to the end of a file, which only its owner may read where it is made.

    It is one write, so that what several processes add does not mix.

    Raises:
        OSError: it cannot be written, or not all of it.
    """
    data = text.encode()
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        if os.write(descriptor, data) < len(data):  # what is missing would be a line of its own
            raise OSError(errno.ENOSPC, "the disk is full")
    finally:
        os.close(descriptor)


def write_json(path: str | Path, value: Any, indent: int | None = 2) -> None:
    """Write a JSON file atomically, UTF-8, keys in the order given."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=indent) + "\n")


def json_line(value: Any) -> str:
    """Return a value as a line of JSON Lines; of a dataclass, what is not as it is by default."""
    if is_dataclass(value):
        pairs = ((field, getattr(value, field.name)) for field in fields(value))
        value = {field.name: part for field, part in pairs if part != field.default}
    return json.dumps(value, ensure_ascii=False) + "\n"


def write_jsonl(path: str | Path, values: Iterable[Any]) -> None:
    """Write a JSON Lines file atomically, UTF-8; see `json_line`."""
    with atomic_open(path) as stream:
        stream.writelines(map(json_line, values))


def whole_characters(value: Any) -> Any:
    """Return a value of JSON with U+FFFD for each half of a character in its texts."""
    if isinstance(value, str):
        return HALF.sub("\ufffd", value) if HALF.search(value) else value
    if isinstance(value, list):
        return [whole_characters(part) for part in value]
    if isinstance(value, dict):
        return {whole_characters(key): whole_characters(part) for key, part in value.items()}
    return value


def read_json(path: str | Path) -> Any:
    """Read a JSON file; raise UserError naming the file and the line when it is missing or bad."""
    path = Path(path)
    try:
        return whole_characters(json.loads(path.read_text(encoding="utf-8-sig")))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise UserError(f"{path}:{error.lineno}: not valid JSON: {error.msg}") from None


def read_jsonl(path: str | Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSON Lines file; raise UserError with the line number on a bad one."""
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            line = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
            if not line.strip():
                continue
            try:
                value = whole_characters(json.loads(line.decode("utf-8")))
            except UnicodeDecodeError as error:
                raise UserError(f"{path}:{number}: not UTF-8 at byte {error.start}") from None
            except json.JSONDecodeError as error:
                raise UserError(f"{path}:{number}: not valid JSON: {error.msg}") from None
            if not isinstance(value, dict):
                raise UserError(f"{path}:{number}: expected a JSON object")
            yield value


@contextmanager
def atomic_directory(path: str | Path) -> Iterator[Path]:
    """Give an empty folder to fill that takes the place of `path` when the block ends well."""
    path = Path(path)
    partial = path.with_name(path.name + PARTIAL)
    if partial.exists():
        shutil.rmtree(partial)
    partial.mkdir(parents=True)
    try:
        yield partial
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    if path.exists():
        shutil.rmtree(path)
    partial.rename(path)


@contextmanager
def exclusive(lock: Path, taken: str, wait: float = 0.0) -> Iterator[None]:
    """Hold a lock file for this process alone while the block runs.

    Args:
        lock: the file; it is made, and its folder.
        taken: what to tell the user when another process holds it.
        wait: seconds to wait for that one.

    Raises:
        UserError: another process still holds the lock, or the file cannot be made.
    """
    held = FileLock(lock, timeout=wait)
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        held.acquire()
    except Timeout:
        raise UserError(taken) from None
    except OSError as error:
        raise UserError(
            f"{lock.parent}: cannot be written ({error.strerror}); set TEXT2SQL_BUILD to another"
            " folder"
        ) from None
    try:
        yield
    finally:
        held.release()


def sha256_text(text: str) -> str:
    """SHA-256 of a text as UTF-8, in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8", LENIENT)).hexdigest()


def sha256_file(path: str | Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_tree(path: str | Path, pattern: str = "*") -> str:
    """SHA-256 over names and contents of a folder's files that fit `pattern`, or of one file."""
    path = Path(path)
    if path.is_file():
        return sha256_file(path)
    lines = [
        f"{file.relative_to(path).as_posix()} {sha256_file(file)}"
        for file in sorted(path.rglob(pattern))
        if file.is_file()
    ]
    return sha256_text("\n".join(lines))
