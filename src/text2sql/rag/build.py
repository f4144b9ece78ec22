"""The knowledge-base stage: the rows of a dataset's training sources into the store."""

from __future__ import annotations

import itertools
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tqdm import tqdm

from text2sql.data.config import DataConfig
from text2sql.data.decontaminate import names_of_row, skeleton
from text2sql.data.prepare import SchemaTexts, training_rows
from text2sql.data.rows import Reject, Row
from text2sql.data.stage import data_config
from text2sql.errors import UserError
from text2sql.files import read_json, sha256_text, write_json
from text2sql.paths import config_name, shown
from text2sql.rag import mask
from text2sql.rag.config import (
    KnowledgeBaseConfig,
    load_knowledge_base_config,
    load_retrieval_config,
)
from text2sql.rag.embed import Embedder, model_identity
from text2sql.rag.store import Store, cut
from text2sql.schema.words import VERSION as WORDS_VERSION
from text2sql.stage import Graph, Job, Stage, StageKind

FILE = "knowledge_base.db"
SUMMARY = "summary.json"


@dataclass(frozen=True)
class Entry:
    """A solved question as it is stored; `id` is the hash of what it says."""

    id: str
    question: str
    masked: str
    schema_text: str
    sql: str
    skeleton: str
    db_id: str


def run(job: Job) -> dict[str, Any]:
    """Bring the store up to date with the dataset's sources; return and write counts and rate."""
    config = KnowledgeBaseConfig.model_validate(job.config["knowledge_base"])
    data = DataConfig.model_validate(job.config["data"])
    rows = int(read_json(job.inputs["data"] / SUMMARY)["rows_read"])
    total = min(filter(None, (job.config["limit"], rows)), default=0)
    with open_store(config, job.output, job.config["collection"], config.wait_seconds) as store:
        summary = build(
            config,
            itertools.islice(entries(data), job.config["limit"]),
            store,
            Embedder(config.embedding, job.settings["device"]),
            lambda done: job.progress.update(done, max(total, done), "rows"),
        )
    write_json(job.output / SUMMARY, {k: summary[k] for k in ("rows", "fingerprint")})
    return summary


def open_store(
    config: KnowledgeBaseConfig, folder: Path, collection: str, wait: float = 0.0
) -> Store:
    """Return, for a ``with`` block, the store on a config's server or in a stage's folder.

    Args:
        config: of the knowledge base.
        folder: the stage's output, for the Milvus Lite file where there is no server.
        collection: name of the collection.
        wait: seconds to wait for another process that has the file open.
    """
    return Store(config.uri or folder / FILE, collection, config.timeout_seconds, wait)


def build(
    config: KnowledgeBaseConfig,
    source: Iterable[Entry],
    store: Store,
    embedder: Embedder,
    tell: Callable[[int], None] = lambda done: None,
) -> dict[str, Any]:
    """Make a store hold the entries of `source` and nothing else.

    What it already holds is not embedded again, so a build that was stopped goes on and one that
    is repeated does nothing. Memory does not grow with the source, but for 100 bytes an entry.

    Args:
        config: how.
        source: the entries, in any order.
        store: an open store.
        embedder: the model.
        tell: called with the number of entries seen, after each batch.

    Raises:
        UserError: the store was built in another way or fails.
    """
    made_with = fingerprint(config)
    store.prepare(made_with, embedder.dimension, config.vectors, config.index)
    before = store.ids()
    seen: set[str] = set()
    read = added = 0
    started = time.monotonic()
    with tqdm(desc="knowledge base", unit="row", file=sys.stderr, mininterval=1.0) as bar:
        for batch in _batches(source, config.batch_rows):
            new = {e.id: e for e in batch if e.id not in before and e.id not in seen}
            seen.update(entry.id for entry in batch)
            if new:
                store.add(_vectored(list(new.values()), config, embedder))
            read, added = read + len(batch), added + len(new)
            bar.update(len(batch))
            tell(read)
    if not seen:
        raise UserError("the training sources hold no usable row; see 'text2sql dataset check'")
    stale = sorted(before - seen)
    store.remove(stale)
    store.flush()
    seconds = time.monotonic() - started
    return {
        "rows": len(seen),
        "added": added,
        "kept": len(seen) - added,
        "removed_as_stale": len(stale),
        "repeated_in_source": read - len(seen),
        "longer_than_window": embedder.truncated,
        "fingerprint": sha256_text(repr(sorted(made_with.items()))),
        "seconds": round(seconds, 1),
        "rows_per_second": round(added / seconds, 1) if added else None,
    }


def fingerprint(config: KnowledgeBaseConfig) -> dict[str, Any]:
    """Return what two stores must share for their vectors to be comparable."""
    shared = {"query_prompt", "document_prompt", "max_length", "dtype"}
    settings = config.embedding.model_dump(include=shared)
    made_with = {"mask": mask.VERSION, "words": WORDS_VERSION}
    return {"model": model_identity(config.embedding), **settings, **made_with}


def entries(data: DataConfig) -> Iterator[Entry]:
    """Yield the usable rows of a dataset's training sources; they are streamed."""
    schemas = SchemaTexts(data.model_copy(update={"schema_budget": None}))
    text_of = cache(lambda db_id: schemas.text(db_id, ""))
    for row in training_rows(data):
        if isinstance(row, Reject):
            continue  # the data stage reports them
        try:
            schema_text = row.schema or row.prompt or text_of(row.db_id)
        except UserError:
            continue
        names = names_of_row(row, schemas.names)
        yield _entry(row, schema_text, mask.mask_question(row.question, names))


def _entry(row: Row, schema_text: str, masked: str) -> Entry:
    content = "\0".join((row.question, row.sql, row.db_id, schema_text))
    texts = (row.question, masked, schema_text, row.sql, skeleton(row.sql), row.db_id)
    return Entry(sha256_text(content)[:32], *map(cut, texts))


def _vectored(
    batch: list[Entry], config: KnowledgeBaseConfig, embedder: Embedder
) -> list[dict[str, Any]]:
    rows = [dict(vars(entry)) for entry in batch]
    for name in config.vectors:
        vectors = embedder.documents([row[name] for row in rows])
        for row, vector in zip(rows, vectors, strict=True):
            row[f"{name}_vector"] = vector
    return rows


def _batches(source: Iterable[Entry], size: int) -> Iterator[list[Entry]]:
    iterator = iter(source)
    while batch := list(itertools.islice(iterator, size)):
        yield batch


def _names(graph: Graph) -> list[str]:
    retrievals = dict.fromkeys(row.retrieval for row in graph.run.rows if row.retrieval)
    return list(dict.fromkeys(load_retrieval_config(name).knowledge_base for name in retrievals))


def _stage(graph: Graph, name: str) -> Stage:
    run, base, data = graph.run, config_name(name), data_config(graph.run)
    return Stage(
        f"knowledge-base:{base}",
        "knowledge-base",
        {
            "knowledge_base": load_knowledge_base_config(name).model_dump(mode="json"),
            "data": data.of_data(),
            "collection": re.sub(r"\W", "_", f"{base}_{run.dataset_label}"),
            "limit": run.limit,
        },
        run.folder / "knowledge-base" / base,
        inputs={"data": graph.stage("data")},
        sources=tuple(data.source_files()),
        settings=run.settings("rag"),
    )


def no_retrieval(graph: Graph) -> str:
    """Say of a run without retrieval how a profile gets some."""
    return "none of its rows has the key 'retrieval', which names a file of configs/rag/"


def _result(stage: Stage) -> str:
    rows = read_json(stage.output / SUMMARY)["rows"]
    where = stage.config["knowledge_base"]["uri"] or shown(stage.output / FILE)
    return f"{stage.name}: {rows} solved questions; in {where}"


KINDS = (
    StageKind(
        "knowledge-base",
        "build the retrieval store of solved questions",
        run,
        _stage,
        _names,
        result=_result,
        absent=no_retrieval,
    ),
)
