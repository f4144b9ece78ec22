"""Build rate, latency and memory of the retrieval store, by index type, on generated vectors.

Usage: python benchmarks/retrieval.py --rows 126000 --dimension 1024 --folder FOLDER \
           --output result.json

Vectors are drawn around random centres, as those of questions are: uniform ones have no near
neighbours, which no index could find. Each index is measured in a process of its own; its memory
is the kernel's peak of that process. A batch search asks all questions in requests of 128, as the
retrieve stage does; one at a time asks each alone through the same client, then through a store
of langchain-milvus, which is in no lock of ours (pip install langchain-milvus). `--alone` takes
fewer questions for the slow two, whose times are then given for each question. The output is
written after every index; as benchmarks/retrieval_speed.json, docs/retrieval.md shows it (make
results).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import shutil
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from common import load, surroundings
from langchain_core.embeddings import Embeddings
from langchain_milvus import Milvus

from text2sql.files import write_json
from text2sql.rag.embed import Array
from text2sql.rag.store import Store

SEED = 7
CENTRES = 2_000
SPREAD = 0.6
TOP = 30
BATCH = 128
ADDED_TOGETHER = 2_048
COLLECTION = "benchmark"


def vectors(count: int, dimension: int, seed: int) -> Iterator[Array]:
    """Yield batches of unit vectors around centres that depend on the dimension alone."""
    centres = np.random.default_rng(SEED).standard_normal((CENTRES, dimension), dtype=np.float32)
    chooser = np.random.default_rng(seed)
    for start in range(0, count, ADDED_TOGETHER):
        size = min(ADDED_TOGETHER, count - start)
        noise = chooser.standard_normal((size, dimension), dtype=np.float32)
        made = centres[chooser.integers(CENTRES, size=size)] + SPREAD * noise
        yield made / np.linalg.norm(made, axis=1, keepdims=True)


def build(store: Store, rows: int, dimension: int, index: Any) -> float:
    """Fill an empty store; return the seconds."""
    store.prepare({"benchmark": index}, dimension, ["question"], index)
    started = time.perf_counter()
    number = 0
    for batch in vectors(rows, dimension, SEED + 1):
        entries = []
        for vector in batch:
            text = f"how many items of kind {number} are in group {number % 97}"
            entries.append(
                {
                    "id": f"{number:08d}",
                    "question": text,
                    "masked": "how many _ of _ # are in _ #",
                    "schema_text": "CREATE TABLE items (kind INTEGER, item_group INTEGER);",
                    "sql": f"SELECT count(*) FROM items WHERE kind = {number}",
                    "skeleton": "select count ( * ) from _ where _ = ?",
                    "db_id": f"db{number % 160}",
                    "question_vector": vector,
                }
            )
            number += 1
        store.add(entries)
    store.flush()
    return time.perf_counter() - started


def measure(
    place: str, rows: int, dimension: int, questions: int, alone: int, index: str
) -> dict[str, Any]:
    """Build and search with one index type; the figures of this process."""
    asked = np.concatenate(list(vectors(questions, dimension, SEED + 2)))
    field = "question_vector"
    with Store(place, COLLECTION, timeout=600.0) as store:
        seconds = build(store, rows, dimension, index)
    with Store(place, COLLECTION, timeout=600.0) as store:
        store.load()
        store.search(field, asked[:1], TOP)
        started = time.perf_counter()
        together = [
            hits
            for start in range(0, questions, BATCH)
            for hits in store.search(field, asked[start : start + BATCH], TOP)
        ]
        batch_seconds = time.perf_counter() - started
        latencies = []
        separate = []
        for vector in asked[:alone]:
            started = time.perf_counter()
            separate.append(store.search(field, vector[None], TOP)[0])
            latencies.append(time.perf_counter() - started)
    found = [{key for key, _ in hits} for hits in together]
    return {
        "index": index,
        "build_seconds": round(seconds, 1),
        "rows_per_second": round(rows / seconds, 1),
        "batch_seconds": round(batch_seconds, 2),
        "batch_ms_per_question": round(1000 * batch_seconds / questions, 2),
        "alone_p50_ms": round(1000 * float(np.percentile(latencies, 50)), 1),
        "alone_p95_ms": round(1000 * float(np.percentile(latencies, 95)), 1),
        "alone_ms_per_question": round(1000 * sum(latencies) / alone, 2),
        "alone_over_batch": round(sum(latencies) / alone / (batch_seconds / questions), 2),
        "same_answers": found[:alone] == [{key for key, _ in hits} for hits in separate],
        "disk_mb": round(
            sum(p.stat().st_size for p in Path(place).rglob("*") if p.is_file()) / 1e6
        ),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "found": [sorted(keys) for keys in found],
    }


def langchain(place: str, dimension: int, questions: int, alone: int) -> float:
    """Seconds that a LangChain store takes for the first questions one by one."""
    asked = np.concatenate(list(vectors(questions, dimension, SEED + 2)))

    class Known(Embeddings):
        """Vectors known beforehand: searching is measured, not a model."""

        def embed_query(self, text: str) -> list[float]:
            vector: list[float] = asked[int(text)].tolist()
            return vector

        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return [self.embed_query(text) for text in texts]

    store = Milvus(
        Known(),
        connection_args={"uri": place},
        collection_name=COLLECTION,
        vector_field="question_vector",
        text_field="question",
        primary_field="id",
    )
    started = time.perf_counter()
    for number in range(alone):
        store.similarity_search(str(number), k=TOP)
    return time.perf_counter() - started


def main() -> None:
    """Measure every index type in turn and write the result."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=126_000)
    parser.add_argument("--dimension", type=int, default=1024)
    parser.add_argument("--questions", type=int, default=1034)
    parser.add_argument("--alone", type=int, help="questions asked one at a time; default: all")
    parser.add_argument("--indexes", default="FLAT,IVF_FLAT,HNSW")
    parser.add_argument("--folder", type=Path, required=True, help="made, and emptied again")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    options.alone = min(options.alone or options.questions, options.questions)
    context = multiprocessing.get_context("spawn")
    results: list[dict[str, Any]] = []
    exact: list[list[str]] | None = None
    for index in options.indexes.split(","):
        place = str(options.folder / f"{index.lower()}.db")
        shutil.rmtree(place, ignore_errors=True)
        arguments = (
            place,
            options.rows,
            options.dimension,
            options.questions,
            options.alone,
            index,
        )
        with context.Pool(1) as pool:
            result = pool.apply(measure, arguments)
        with context.Pool(1) as pool:
            seconds = pool.apply(
                langchain, (place, options.dimension, options.questions, options.alone)
            )
        each = 1000 * seconds / options.alone
        result["langchain_ms_per_question"] = round(each, 2)
        result["langchain_over_batch"] = round(each / result["batch_ms_per_question"], 2)
        found = result.pop("found")
        exact = exact if index != "FLAT" else found
        if exact is not None:
            shared = sum(len(set(a) & set(b)) for a, b in zip(found, exact, strict=True))
            result["recall_of_exact"] = round(shared / sum(map(len, exact)), 4)
        shutil.rmtree(place, ignore_errors=True)
        results.append(result)
        print(json.dumps(result), flush=True)
        write_json(options.output, described(options) | {"indexes": results})


def described(options: argparse.Namespace) -> dict[str, Any]:
    """What was measured on which machine, and how busy that was."""
    return {
        "rows": options.rows,
        "dimension": options.dimension,
        "questions": options.questions,
        "asked_alone": options.alone,
        "top": TOP,
        "load": load(),
        "langchain_milvus": version("langchain-milvus"),
    } | surroundings()


if __name__ == "__main__":
    main()
