"""Datasets by name: where they live in public, and how to get them whole and verified."""

from __future__ import annotations

import zipfile
from pathlib import Path, PurePosixPath

import pyarrow.parquet as pq
from tqdm import tqdm

from text2sql.data.download import download
from text2sql.data.spider import HOME, release_checksums
from text2sql.errors import UserError
from text2sql.files import atomic_directory, atomic_open, sha256_file

# The archive that Spider's page links to (Google Drive, by way of its plain download address).
SPIDER_ARCHIVE = (
    "https://drive.usercontent.google.com/download"
    "?id=1403EGqzIDoHMdQF4c9Bkyl7dZLZ5Wt6J&export=download&confirm=t"
)
TEXT2SQL_126K = "fahmiaziz/text2sql-dataset"
SOURCES = ("spider", "text2sql_126k")
WANTED = (".json", ".sqlite", ".sql")


def fetch_source(name: str, downloads: Path, archive: str = SPIDER_ARCHIVE) -> Path:
    """Download a dataset by name.

    Args:
        name: ``spider`` or ``text2sql_126k``.
        downloads: folder that downloads go into.
        archive: where Spider's archive is.

    Returns:
        Spider's folder (for SPIDER_DIR), or the Parquet file.

    Raises:
        UserError: no such dataset, the network refuses, or what came is not what was published.
    """
    if name == "spider":
        return unpack_spider(fetch_archive(archive, downloads), downloads / "spider")
    if name == "text2sql_126k":
        return fetch_126k(downloads)
    raise UserError(f"no dataset '{name}' to download; there are: {', '.join(SOURCES)}")


def fetch_archive(url: str, downloads: Path) -> Path:
    """Download Spider's archive; it is verified file by file when it is unpacked."""
    path = downloads / "spider.zip"
    try:
        download(url, path)
    except UserError as error:
        raise UserError(f"{error}; or get it by hand from {HOME} and set SPIDER_DIR") from None
    if not zipfile.is_zipfile(path):
        path.unlink()
        raise UserError(f"{url}: gave a page, not the archive; get it by hand from {HOME}")
    return path


def unpack_spider(archive: Path, folder: Path) -> Path:
    """Unpack Spider's questions, schemas and databases; verify those whose SHA-256 is known.

    The folder appears only when nothing is changed and nothing is missing.

    Raises:
        UserError: a file is missing or is not that of the release.
    """
    known = release_checksums()
    with zipfile.ZipFile(archive) as packed, atomic_directory(folder) as target:
        for member in tqdm(packed.infolist(), desc="unpacking", unit="file"):
            place = _place(member)
            if place is not None:
                with packed.open(member) as source, atomic_open(target / place, "wb") as stream:
                    while data := source.read(1 << 20):
                        stream.write(data)
        for name, digest in known.items():
            path = target / name
            if not path.is_file():
                raise UserError(f"{archive}: holds no {name}; it is not Spider 1.0")
            if sha256_file(path) != digest:
                raise UserError(f"{archive}: {name} is not that of Spider 1.0 (SHA-256 differs)")
    return folder


def _place(member: zipfile.ZipInfo) -> PurePosixPath | None:
    """Where a member goes below the folder, without the archive's top folder; None to skip it."""
    path = PurePosixPath(member.filename)
    inner = PurePosixPath(*path.parts[1:])
    unsafe = path.is_absolute() or ".." in path.parts
    skipped = member.is_dir() or path.parts[0] == "__MACOSX" or path.name.startswith(".")
    if unsafe or skipped or path.suffix not in WANTED or not inner.parts:
        return None
    return inner


def fetch_126k(downloads: Path) -> Path:
    """Download the Parquet files of the 126k training set from the hub, as one file.

    The hub's client resumes broken downloads and checks what it stores.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        folder = snapshot_download(
            TEXT2SQL_126K,
            repo_type="dataset",
            allow_patterns="*.parquet",
            local_dir=downloads / "text2sql_126k",
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"dataset '{TEXT2SQL_126K}' cannot be downloaded ({reason}); set HF_ENDPOINT for a"
            f" mirror, or put its Parquet file at {downloads / 'text2sql_dataset.parquet'}"
        ) from None
    files = sorted(Path(folder).rglob("*.parquet"))
    if not files:
        raise UserError(f"dataset '{TEXT2SQL_126K}' holds no Parquet file any more")
    return join_parquet(files, downloads / "text2sql_dataset.parquet")


def join_parquet(files: list[Path], target: Path) -> Path:
    """Write Parquet files of the same columns as one, a batch at a time."""
    schema = pq.read_schema(files[0])
    with atomic_open(target, "wb") as stream, pq.ParquetWriter(stream, schema) as writer:
        for file in files:
            with pq.ParquetFile(file) as source:
                for batch in source.iter_batches():
                    writer.write_batch(batch)
    return target
