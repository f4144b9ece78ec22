"""What the hub says of a model before it is downloaded."""

from __future__ import annotations

import json
from typing import Any
from urllib.request import Request, urlopen

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
