"""The model stage: the base model as a Hugging Face folder."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from text2sql.convert.gguf_to_hf import convert, packaged_gguf
from text2sql.convert.local import WANTED, check_model_folder, local_folder, model_files
from text2sql.errors import UserError
from text2sql.files import sha256_file
from text2sql.worker import Job


def run(job: Job) -> dict[str, Any]:
    """Make the base model's folder: from a packaged GGUF, a local folder or the hub.

    Raises:
        UserError: the model cannot be had; the message says what to set or install.
    """
    package = job.config["packaged_gguf"]
    if package:
        gguf = packaged_gguf(package)
        convert(gguf, job.output)
        return {"source": f"{package}: {gguf.name}", "source_sha256": sha256_file(gguf)}
    folder = local_folder(job.config["path_or_hub_id"])
    if folder:
        return _copy(folder, job)
    return _download(job)


def _copy(folder: Path, job: Job) -> dict[str, Any]:
    check_model_folder(folder)
    files = model_files(folder)
    for number, path in enumerate(files, start=1):
        shutil.copyfile(path, job.output / path.name)
        job.progress.update(number, len(files), "files")
    return {"source": str(folder)}


def _download(job: Job) -> dict[str, Any]:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    name, revision = job.config["path_or_hub_id"], job.config["revision"]
    try:
        snapshot_download(
            name, revision=revision, local_dir=job.output, allow_patterns=list(WANTED)
        )
    except (
        RepositoryNotFoundError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        OSError,
    ) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"model '{name}' cannot be downloaded ({reason}); check the name and the network,"
            " set HF_ENDPOINT for a mirror, or put a local folder in the profile's"
            " model.path_or_hub_id"
        ) from None
    return {"source": name, "revision": revision}
