"""What a profile needs from elsewhere: data sets, the base model, models for retrieval."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click

from text2sql.data.config import spider_folder
from text2sql.data.download import size_of
from text2sql.data.sources import SOURCES, download_source, downloads
from text2sql.data.stage import data_config
from text2sql.errors import UserError
from text2sql.models.hub import cached_on_disk, download_model, hub_bytes
from text2sql.paths import local_model
from text2sql.pipeline.command import bring_up_to_date, select_run
from text2sql.pipeline.doctor import waiting
from text2sql.pipeline.doctor_files import retrieval_models
from text2sql.stage import Graph


@dataclass(frozen=True)
class Download:
    """One thing to get.

    Attributes:
        what: its name.
        source: where it comes from.
        size: returns its bytes, or None where nobody says.
        get: downloads it, going on from what is there, and returns lines to print.
    """

    what: str
    source: str
    size: Callable[[], int | None]
    get: Callable[[], list[str]]


def download_all(**options: Any) -> None:
    """Download what a run needs and what is not here, its sizes told first.

    What was broken off goes on where it stopped when this is called again.

    Args:
        options: see `text2sql.pipeline.command.select_run`.

    Raises:
        UserError: a download failed, or a data set is missing that nobody offers.
    """
    missing = list(missing_downloads(select_run(**options), options))
    if not missing:
        click.echo("all that this profile needs is here")
        return
    sizes = [item.size() for item in missing]
    for item, size in zip(missing, sizes, strict=True):
        click.echo(f"{item.what}: {item.source}, {_shown(size)}")
    click.echo(f"together {_shown(sum(size or 0 for size in sizes))} and what has no size above")
    for item in missing:
        click.echo("\n".join([f"{item.what}: downloading", *item.get()]))


def missing_downloads(graph: Graph, options: dict[str, Any]) -> Iterator[Download]:
    """Yield what a run needs that is not on this machine.

    Raises:
        UserError: a file of the data set is missing, and no address of it is known.
    """
    yield from _data(graph)
    model = graph.run.profile.model
    if waiting([graph.stage("model")]) and not local_model(model.path_or_hub_id):
        yield Download(
            "base model",
            model.path_or_hub_id,
            partial(hub_bytes, model.path_or_hub_id, model.revision),
            partial(_make_model, options),
        )
    for what, name, revision in retrieval_models(list(graph.values())):
        if not Path(name).is_dir() and not cached_on_disk(name, revision):
            size = partial(hub_bytes, name, revision)
            yield Download(what, name, size, partial(_fill_cache, name, revision))


def _data(graph: Graph) -> Iterator[Download]:
    named = set()
    for path in (path for path in data_config(graph.run).needed_paths() if not path.exists()):
        name = next((name for name in SOURCES if path == downloads() / SOURCES[name].file), None)
        if name is None and path.is_relative_to(spider_folder()):
            name = "spider"
        if name is None:
            raise UserError(f"{path}: not found, and no address of it is known; put it there")
        named.add(name)
    for name in sorted(named):
        url = SOURCES[name].url
        yield Download(
            f"data set {name}",
            SOURCES[name].page,
            partial(size_of, url),
            partial(download_source, name),
        )


def _make_model(options: dict[str, Any]) -> list[str]:
    bring_up_to_date(["model"], **options)
    return []


def _fill_cache(name: str, revision: str | None) -> list[str]:
    return [f"wrote {download_model(name, revision)}"]


def _shown(size: int | None) -> str:
    return "size not known" if size is None else f"{size / 1e9:.2f} GB"
