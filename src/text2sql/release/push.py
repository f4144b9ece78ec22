"""Sending a release to the hub: what goes where, and only with a token and a yes."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import httpx
from huggingface_hub import CommitOperationAdd, HfApi, get_token
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id

from text2sql.errors import UserError
from text2sql.release.contents import Release
from text2sql.report.record import commits


def require_token() -> str:
    """Return the hub's token, of HF_TOKEN or of a login; raise UserError where there is none."""
    token = get_token()
    if not token:
        raise UserError("no token of the hub; set HF_TOKEN, or run: .venv/bin/hf auth login")
    return token


def require_repository(name: str | None) -> str:
    """Return the name of a repository on the hub; raise UserError where it is none."""
    try:
        validate_repo_id(name or "")
    except HFValidationError:
        name = None
    if not name or name.count("/") != 1:
        raise UserError("REPO= (--repo) names the model on the hub, as owner/name")
    return name


def require_repeatable(release: Release) -> None:
    """Raise UserError where a stage ran from changes that are not committed."""
    if any(commit.endswith("+") for commit in commits(release.record)):
        raise UserError(
            "the record was made with changes that are not committed, so that nobody could repeat"
            " it; commit, then run 'make reproduce' again"
        )


def describe(release: Release, repository: str, public: bool) -> str:
    """Return what would be sent where: a line a file with its size, and the sum."""
    sizes = {path: _size(content) for path, content in release.files()}
    lines = [f"  {path}  {size / 1e6:,.1f} MB" for path, size in sizes.items()]
    total = sum(sizes.values()) / 1e6
    kind = "public" if public else "private"
    return "\n".join(
        [
            *lines,
            f"{len(sizes)} files, {total:,.1f} MB, to {HfApi().endpoint}/{repository}; where that"
            f" is not there yet, it is made as a {kind} model",
        ]
    )


def agree(yes: bool) -> None:
    """Return when the user says yes, by option or when asked; else raise UserError."""
    if yes:
        return
    if not _is_asked():
        raise UserError("nothing was sent: nobody is here to ask; say yes with YES=1 (--yes)")
    if not click.confirm("Send them?"):
        raise UserError("nothing was sent")


def push(release: Release, repository: str, token: str, public: bool) -> str:
    """Send all files in one commit, so that others see the old state or the new one.

    Args:
        release: what to send; its card has been written.
        repository: ``owner/name`` on the hub, made where it is not there yet.
        token: of someone who may write there.
        public: whether a repository that is made shall be public.

    Returns:
        The address of the commit.

    Raises:
        UserError: the hub cannot be reached, or refuses.
    """
    api = HfApi(token=token)
    operations = [
        CommitOperationAdd(path, content if isinstance(content, bytes) else str(content))
        for path, content in release.files()
    ]
    try:
        api.create_repo(repository, private=not public, exist_ok=True)
        commit = api.create_commit(
            repository, operations, commit_message=f"{release.row.label}, with its run record"
        )
    except (httpx.HTTPError, OSError, RuntimeError, ValueError) as error:
        reason = str(error.__cause__ or error).strip().splitlines()[0]
        raise UserError(
            f"{api.endpoint}/{repository}: not sent ({reason}); check name, token and network, then"
            " run again: files that arrived are not sent twice"
        ) from None
    return commit.commit_url


def _is_asked() -> bool:
    return sys.stdin.isatty()


def _size(content: Path | bytes) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size
