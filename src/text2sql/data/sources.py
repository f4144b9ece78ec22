"""The public data sets that `text2sql dataset download` knows, and where they go.

The SHA-256 of Spider's archive is the one that several public projects recorded of the file behind
the link on Spider's page. Of the 126k set none is known to us: the first download's is recorded and
later downloads are held to it.
"""

from __future__ import annotations

import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

from text2sql.data.config import FOLDERS, dataset_folder
from text2sql.data.download import download
from text2sql.data.spider import Part
from text2sql.errors import UserError
from text2sql.files import atomic_directory, read_json, sha256_file, write_json
from text2sql.paths import build_root, repository_root

RECORD = "checksums.json"
# What each data set's folder has to hold, with the data set's config that does not work without it.
NEEDED = {
    "bird": {
        "train/train.json": "bird_train, bird_dev, bird_mini_dev",
        "train/train_databases": "bird_train, bird_dev, bird_mini_dev",
        "dev/dev.json": "bird_dev",
        "dev/dev_databases": "bird_dev",
        "minidev/MINIDEV/mini_dev_sqlite.json": "bird_mini_dev",
        "minidev/MINIDEV/dev_databases": "bird_mini_dev",
    },
    "spider_syn": {"Spider-Syn/dev.json": "spider_syn"},
    "spider_dk": {"Spider-DK.json": "spider_dk", "database": "spider_dk"},
    "spider_realistic": {"spider-realistic.json": "spider_realistic"},
    "spider2_lite": {
        "spider2-lite.jsonl": "spider2_lite",
        "evaluation_suite/gold": "spider2_lite",
        "resource/databases/spider2-localdb": "spider2_lite",
    },
}


@dataclass(frozen=True)
class Source:
    """A data set: its page for readers, its file, the file's SHA-256 if known, its licence."""

    page: str
    url: str
    file: str
    sha256: str | None
    licence: str


SOURCES = {
    "spider": Source(
        page="https://yale-lily.github.io/spider",
        url="https://drive.usercontent.google.com/download"
        "?id=1403EGqzIDoHMdQF4c9Bkyl7dZLZ5Wt6J&export=download&confirm=t",
        file="spider_data.zip",
        sha256="00636695dabed6b5f4b8328a16b13e069a2f16591d5efcce57660669c85b121b",
        licence="CC BY-SA 4.0",
    ),
    "text2sql_126k": Source(
        page="https://huggingface.co/datasets/fahmiaziz/text2sql-dataset",
        # The hub's own Parquet copy, whatever the files of the data set are called.
        url="https://huggingface.co/datasets/fahmiaziz/text2sql-dataset/resolve"
        "/refs%2Fconvert%2Fparquet/default/train/0000.parquet",
        file="text2sql_dataset.parquet",
        sha256=None,
        licence="see its page",
    ),
}


def downloads() -> Path:
    """Return the folder that downloads go to."""
    return build_root() / "data" / "downloads"


def download_source(name: str) -> list[str]:
    """Download a known data set, unpack it where it is an archive, and verify it.

    Args:
        name: a key of `SOURCES`.

    Returns:
        Lines that say what was written and what it was verified against.

    Raises:
        UserError: as `download`, or the archive is damaged.
    """
    source = SOURCES[name]
    path = downloads() / source.file
    record = downloads() / RECORD
    recorded = read_json(record) if record.is_file() else {}
    expected = source.sha256 or recorded.get(source.file)
    if path.is_file() and expected and sha256_file(path) != expected:
        raise UserError(f"{path}: is not the file that was recorded; delete it and run this again")
    try:
        found = download(source.url, path, expected)
    except UserError as error:
        raise UserError(f"{error}; the data set's page is {source.page}") from None
    lines = [f"wrote {path} ({source.licence}), SHA-256 {found}, {_standing(source, expected)}"]
    write_json(record, recorded | {source.file: found})
    if path.suffix == ".zip":
        folder = _unpack(path, downloads() / name)
        lines.append(f"wrote {folder}; use it by: export SPIDER_DIR={folder}")
    return lines


def _standing(source: Source, expected: str | None) -> str:
    if source.sha256:
        return "as pinned"
    if expected:
        return "as recorded by the first download"
    return "recorded now: no checksum of it is known, so only its length was verified"


def _unpack(archive: Path, target: Path) -> Path:
    """Unpack an archive, without the folder around it; return the folder that holds dev.json."""
    try:
        with zipfile.ZipFile(archive) as packed, atomic_directory(target) as folder:
            names = [n for n in packed.namelist() if not n.startswith("__MACOSX/")]
            packed.extractall(folder, names)
            inner = [p for p in folder.iterdir() if p.is_dir()]
            if not (folder / "dev.json").is_file() and len(inner) == 1:
                for part in inner[0].iterdir():
                    shutil.move(part, folder / part.name)
                inner[0].rmdir()
    except (zipfile.BadZipFile, OSError) as error:
        raise UserError(f"{archive}: cannot unpack: {error}") from None
    return target


def _of_folder(name: str, needed: dict[str, str]) -> Part:
    """Return the state of a data set whose folder a variable of the environment names."""
    folder = dataset_folder(name)
    lost = {path: use for path, use in needed.items() if not (folder / path).exists()}
    state = "complete"
    if lost:
        there = "missing" if len(lost) == len(needed) else f"missing: {', '.join(lost)}"
        state = f"{there} ({FOLDERS[name]})"
    return Part(name, state, ", ".join(dict.fromkeys(", ".join(lost.values()).split(", "))))


def check_others() -> list[Part]:
    """Return the state of all data sets but Spider, as `check_spider` does Spider's."""
    sample = repository_root() / "data" / "sample"
    lost = [n for n in ("train.json", "dev.json", "tables.json") if not (sample / n).is_file()]
    parts = [
        Part(
            "data/sample",
            f"missing: {', '.join(lost)}" if lost else "complete",
            "the quick start and every command on 'sample'" if lost else "",
        )
    ]
    parts += [_of_folder(name, needed) for name, needed in NEEDED.items()]
    path = downloads() / SOURCES["text2sql_126k"].file
    use = "training on the 126k set (text2sql dataset download text2sql_126k)"
    if not path.is_file():
        return [*parts, Part("text2sql_126k", "missing", use)]
    import pyarrow.parquet as pq

    try:
        rows = pq.ParquetFile(path).metadata.num_rows
    except (OSError, ValueError):
        return [*parts, Part("text2sql_126k", "not a Parquet file", use)]
    return [*parts, Part("text2sql_126k", f"{rows} rows", "")]
