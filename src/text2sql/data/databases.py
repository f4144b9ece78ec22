"""The folder of a data set's databases, made where there is none that holds them all."""

from __future__ import annotations

import os
from pathlib import Path

from text2sql.data.config import DataConfig
from text2sql.data.sample import ensure_sample_databases
from text2sql.errors import UserError


def ensure_databases(config: DataConfig) -> Path:
    """Make the folder of a data set's databases, where it has to be made; return it.

    Databases of .sql files are built. Where a config names several folders, one of links to the
    databases of all of them is made, a database in two of them being the first's, as the evaluator
    takes one folder. There a file ``<db_id>.sqlite`` need not be in a folder of its own.

    Raises:
        UserError: a folder is missing, or as `ensure_sample_databases`.
    """
    folders = config.database_folders()
    if config.database_form == "sql":
        return ensure_sample_databases(folders[0])
    if len(folders) > 1:
        _link(folders, config.databases())
    return config.databases()


def _link(folders: list[Path], target: Path) -> None:
    wanted: dict[str, Path] = {}
    for folder in folders:
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder of databases")
        for place in sorted(folder.iterdir()):
            if place.suffix == ".sqlite" and place.is_file():  # not in a folder of its own
                wanted.setdefault(f"{place.stem}/{place.name}", place.resolve())
            elif (place / f"{place.name}.sqlite").is_file():
                file = place / f"{place.name}.sqlite"
                wanted.setdefault(f"{place.name}/{file.name}", file.resolve())
    for link in target.glob("*/*.sqlite"):
        if str(link.relative_to(target)) not in wanted:
            link.unlink()
    for name, place in wanted.items():
        link = target / name
        if link.is_symlink() and link.readlink() == place:
            continue
        link.parent.mkdir(parents=True, exist_ok=True)
        partial = link.with_name(f".{link.stem}.{os.getpid()}.partial")
        partial.symlink_to(place)
        partial.replace(link)
