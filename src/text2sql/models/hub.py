"""What the hub says of a model before it is downloaded."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from text2sql.errors import UserError
from text2sql.models.folder import require_whole_model

TIMEOUT_SECONDS = 10.0
# What is downloaded of a model: no weights in older forms, no pictures.
PATTERNS = (
    *("*.json", "*.safetensors", "*.txt", "*.jinja", "tokenizer*"),
    "*.model",  # tokenizers of SentencePiece
)


def hub_config(hub_id: str, revision: str | None) -> dict[str, Any] | None:
    """Return a model's ``config.json`` on the hub, some kB; None where it cannot be had.

    With HF_HUB_OFFLINE set the hub is not asked.
    """
    from huggingface_hub import constants, hf_hub_url
    from huggingface_hub.utils import build_hf_headers

    if constants.HF_HUB_OFFLINE:
        return None
    try:
        url = hf_hub_url(hub_id, "config.json", revision=revision)
        with urlopen(Request(url, headers=build_hf_headers()), timeout=TIMEOUT_SECONDS) as reply:
            return dict(json.load(reply))
    except (OSError, ValueError):  # no network, no such model or revision, no name of a model
        return None


def hub_bytes(hub_id: str, revision: str | None) -> int | None:
    """Return the size of what is downloaded of a model; None where the hub does not say."""
    from fnmatch import fnmatch

    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    failures = (HfHubHTTPError, HFValidationError, OfflineModeIsEnabled, OSError)
    try:
        files = HfApi().model_info(
            hub_id, revision=revision, files_metadata=True, timeout=TIMEOUT_SECONDS
        )
    except failures:
        return None
    return sum(
        file.size or 0
        for file in files.siblings or ()
        if any(fnmatch(file.rfilename, pattern) for pattern in PATTERNS)
    )


def download_model(hub_id: str, revision: str | None, folder: Path | None = None) -> Path:
    """Download a model; files that are there already are kept, and half a file goes on.

    Args:
        hub_id: its name on the hub.
        revision: a commit, tag or branch.
        folder: where it goes; by default the hub's cache on this machine.

    Returns:
        The folder that holds it.

    Raises:
        UserError: the hub does not give it, or not all of it. Where the hub cannot be reached, its
            library returns what is there as if it were the model.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    advice = (
        "check the name and the network, set HF_ENDPOINT for a mirror, or put a local folder in"
        " the profile's model.path_or_hub_id; run it again to go on"
    )
    try:
        got = snapshot_download(
            hub_id, revision=revision, local_dir=folder, allow_patterns=list(PATTERNS)
        )
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"model '{hub_id}' cannot be downloaded ({reason}); {advice}") from None
    try:
        require_whole_model(Path(got))
    except UserError as error:
        reason = str(error).partition(";")[0].removeprefix(f"{got}: ")
        raise UserError(f"model '{hub_id}' did not come whole ({reason}); {advice}") from None
    if folder:
        shutil.rmtree(folder / ".cache", ignore_errors=True)  # notes of the library for going on
    return Path(got)


def cached_on_disk(hub_id: str, revision: str | None) -> bool:
    """Whether a model with its weights is in the hub's cache on this machine."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        folder = snapshot_download(hub_id, revision=revision, local_files_only=True)
    except (LocalEntryNotFoundError, HFValidationError):
        return False
    try:
        require_whole_model(Path(folder))
    except UserError:
        return False
    return True
