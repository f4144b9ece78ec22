"""The retrieve stage: examples for every evaluation question, and how good the retrieval is."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from text2sql.artifacts import EXAMPLES, PREDICTIONS, QUESTIONS
from text2sql.data.config import DataConfig, DecontaminationConfig
from text2sql.data.decontaminate import Decontaminator, skeleton
from text2sql.data.prepare import SchemaTexts
from text2sql.data.rows import Row
from text2sql.errors import UserError
from text2sql.files import atomic_open, read_jsonl, write_json
from text2sql.paths import config_name
from text2sql.rag.build import fingerprint, store_place
from text2sql.rag.config import KnowledgeBaseConfig, RetrievalConfig, load_retrieval_config
from text2sql.rag.embed import Embedder
from text2sql.rag.mask import mask_question
from text2sql.rag.rank import recall
from text2sql.rag.rerank import load_reranker
from text2sql.rag.search import Asked, Found, LeakGuard, Retrieved, Retriever
from text2sql.rag.store import Store
from text2sql.stage import Graph, Job, Stage, StageKind

REPORT = "report.json"
KS = (1, 4, 10, 30)


def run(job: Job) -> dict[str, Any]:
    """Write examples.jsonl and report.json; return what the report says, and the seconds."""
    config = RetrievalConfig.model_validate(job.config["retrieval"])
    base = KnowledgeBaseConfig.model_validate(job.config["knowledge_base"])
    questions = list(read_jsonl(job.inputs["data"] / QUESTIONS))
    schemas = SchemaTexts(DataConfig.model_validate(job.config["data"]))
    asked = ask(questions, schemas, read_drafts(job.inputs.get("draft")))
    guard = leak_guard(config.leak_guard, questions, schemas)
    device = job.settings["device"]
    place = store_place(base, job.inputs["knowledge-base"])
    started = time.monotonic()
    with Store(place, job.config["collection"], base.timeout_seconds, base.wait_seconds) as store:
        check_fingerprint(store, base)
        embedder = Embedder(base.embedding, device)
        reranker = load_reranker(config.rerank, embedder, device)
        found = []
        for one in Retriever(store, embedder, config, guard, reranker).retrieve(asked):
            found.append(one)
            job.progress.update(len(found), len(asked), "questions")
    report = describe(found, [q["gold"] for q in questions], guard)
    report["longer_than_window"] = embedder.truncated
    write_examples(job.output / EXAMPLES, found)
    write_json(job.output / REPORT, report)
    return report | {"seconds": round(time.monotonic() - started, 1)}


def leak_guard(
    config: DecontaminationConfig, questions: Sequence[dict[str, Any]], schemas: SchemaTexts
) -> LeakGuard:
    """Return what leaves out stored questions that give one of a questions.jsonl away."""
    rows = [
        Row("evaluation", q["id"], q["question"], q["gold"], db_id=q["db_id"]) for q in questions
    ]
    return LeakGuard(Decontaminator(config, rows, schemas.names).check)


def ask(
    questions: Sequence[dict[str, Any]], schemas: SchemaTexts, drafts: dict[int, str]
) -> list[Asked]:
    """Return the questions of a questions.jsonl, masked, with their drafts where there are any."""
    return [
        Asked(
            id=q["id"],
            db_id=q["db_id"],
            question=q["question"],
            masked=mask_question(q["question"], schemas.names(q["db_id"]) if q["db_id"] else set()),
            draft=drafts.get(q["id"], ""),
        )
        for q in questions
    ]


def read_drafts(folder: Path | None) -> dict[int, str]:
    """Return the SQL of an infer stage by question id; nothing without a folder."""
    if folder is None:
        return {}
    return {row["id"]: row["sql"] for row in read_jsonl(folder / PREDICTIONS)}


def check_fingerprint(store: Store, config: KnowledgeBaseConfig) -> None:
    """Load a store for searching; raise UserError when it was built with another model."""
    store.load()
    stored = store.fingerprint() or {}
    wanted = fingerprint(config)
    different = [key for key in wanted if stored.get(key) != wanted[key]]
    if different:
        raise UserError(
            f"{store.place}: collection '{store.collection}' was built with another"
            f" {', '.join(different)}; run: make knowledge-base"
        )


def describe(found: Sequence[Retrieved], gold: Sequence[str], guard: LeakGuard) -> dict[str, Any]:
    """Count leaks left out, and measure recall of same-skeleton examples without any LLM.

    Args:
        found: what was retrieved.
        gold: SQL of the same questions.
        guard: as used.
    """
    wanted = [skeleton(sql) for sql in gold]

    def measured(lists: Sequence[Sequence[Found]]) -> dict[str, float]:
        deepest = max((len(rows) for rows in lists), default=0)
        ks = [k for k in KS if k <= deepest] or [deepest]
        return recall([[f.skeleton for f in rows] for rows in lists], wanted, ks)

    return {
        "questions": len(found),
        "without_examples": sum(not one.examples for one in found),
        "stored_rows_judged": len(guard.known),
        "leaking_rows_left_out": guard.leaking_rows,
        "times_left_out": guard.refused,
        "recall_of_same_skeleton": {
            "first_search": measured([one.candidates for one in found]),
            "reranked": measured([one.reranked for one in found]),
            "examples": measured([one.examples for one in found]),
        },
    }


def write_examples(path: Path, found: Sequence[Retrieved]) -> None:
    """Write a line for each question: its examples, best first, with ids and scores."""
    with atomic_open(path) as stream:
        for one in found:
            record = {
                "id": one.asked.id,
                "db_id": one.asked.db_id,
                "question": one.asked.question,
                "examples": [
                    {**vars(example), "score": round(example.score, 6)} for example in one.examples
                ],
            }
            stream.write(json.dumps(record, ensure_ascii=False) + "\n")


def _rows(graph: Graph) -> list[str]:
    return [row.name for row in graph.run.rows if row.retrieval]


def _stage(graph: Graph, row_name: str) -> Stage:
    """The examples of a row; where its search needs drafts, from its model without examples.

    Rows that search alike share the stage.
    """
    run = graph.run
    row = run.row(row_name)
    retrieval = load_retrieval_config(str(row.retrieval))
    store = graph.stage("knowledge-base", retrieval.knowledge_base)
    name = config_name(str(row.retrieval))
    inputs = {"knowledge-base": store, "data": graph.stage("data")}
    if "skeleton" in retrieval.channels:
        draft = run.draft_of(row).name
        inputs["draft"] = graph.stage("infer", draft)
        name += f"-{draft}"
    shared = ("knowledge_base", "data", "collection")
    return Stage(
        f"retrieve:{name}",
        "retrieve",
        {"retrieval": retrieval.model_dump(mode="json")} | {k: store.config[k] for k in shared},
        run.folder / "retrieve" / name,
        inputs=inputs,
        settings=run.settings("rag"),
    )


KINDS = (StageKind("retrieve", "find few-shot examples for every question", run, _stage, _rows),)
