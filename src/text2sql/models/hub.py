"""What the hub says of a model before it is downloaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from text2sql.errors import UserError
from text2sql.models.folder import require_whole_model

TIMEOUT_SECONDS = 10.0


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
