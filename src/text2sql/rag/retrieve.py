"""The retrieve stage: examples for every evaluation question, and how good the retrieval is."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from text2sql.artifacts import EXAMPLES, PREDICTIONS, QUESTIONS
from text2sql.data.config import DataConfig, DecontaminationConfig
from text2sql.data.decontaminate import Decontaminator, skeleton
from text2sql.data.prepare import SchemaTexts
from text2sql.data.rows import Row
from text2sql.files import read_json, read_jsonl, write_json, write_jsonl
from text2sql.paths import config_name, shown
from text2sql.question import Question, read_questions
from text2sql.rag.build import fingerprint, no_retrieval, open_store
from text2sql.rag.config import KnowledgeBaseConfig, RetrievalConfig, load_retrieval_config
from text2sql.rag.embed import Embedder
from text2sql.rag.mask import mask_question
from text2sql.rag.rank import recall
from text2sql.rag.rerank import load_reranker
from text2sql.rag.search import Asked, Found, LeakGuard, Retrieved, Retriever
from text2sql.stage import Graph, Job, Stage, StageKind

REPORT = "report.json"
KS = (1, 4, 10, 30)


def run(job: Job) -> dict[str, Any]:
    """Write examples.jsonl and report.json; return what the report says, and the seconds."""
    config = RetrievalConfig.model_validate(job.config["retrieval"])
    questions = read_questions(job.inputs["data"] / QUESTIONS)
    schemas = SchemaTexts(DataConfig.model_validate(job.config["data"]))
    asked = ask(questions, schemas, read_drafts(job.inputs.get("draft")))
    guard = leak_guard(config.leak_guard, questions, schemas)
    started = time.monotonic()
    answers, truncated = search_for(job, config, asked, guard)
    report = describe(answers, [q.gold for q in questions], guard)
    report["longer_than_window"] = truncated
    write_examples(job.output / EXAMPLES, answers)
    write_json(job.output / REPORT, report)
    return report | {"seconds": round(time.monotonic() - started, 1)}


def search_for(
    job: Job, config: RetrievalConfig, asked: Sequence[Asked], guard: LeakGuard
) -> tuple[list[Retrieved], int]:
    """Search the knowledge base among a job's inputs for all questions.

    Args:
        job: its config has that of the knowledge-base stage; its progress is kept up to date.
        config: how examples are found.
        asked: the questions.
        guard: what must not be found.

    Returns:
        What was found for each question, in order; how many were longer than the model's window.

    Raises:
        UserError: as `open_retriever` and `Retriever.retrieve` do.
    """
    folder, device = job.inputs["knowledge-base"], job.settings["device"]
    with open_retriever(config, job.config, folder, guard, device, wait=True) as retriever:
        answers = []
        for answer in retriever.retrieve(asked):
            answers.append(answer)
            job.progress.update(len(answers), len(asked), "questions")
        return answers, retriever.embedder.truncated


@contextmanager
def open_retriever(
    config: RetrievalConfig,
    stage: Mapping[str, Any],
    folder: Path,
    guard: LeakGuard,
    device: str,
    wait: bool = False,
) -> Iterator[Retriever]:
    """Open the store of a knowledge-base stage and load the models that search it.

    Args:
        config: how examples are found.
        stage: config of the knowledge-base stage.
        folder: its output; a Milvus Lite file there is held open while the block runs.
        guard: what must not be found.
        device: ``cpu`` or ``cuda``, for the models.
        wait: whether to wait for another process that has the file open.

    Raises:
        UserError: the store is open elsewhere, built with another model, or not there.
    """
    base = KnowledgeBaseConfig.model_validate(stage["knowledge_base"])
    seconds = base.wait_seconds if wait else 0.0
    with open_store(base, folder, stage["collection"], seconds) as store:
        store.load(fingerprint(base))
        embedder = Embedder(base.embedding, device)
        reranker = load_reranker(config.rerank, embedder, device)
        yield Retriever(store, embedder, config, guard, reranker)


def leak_guard(
    config: DecontaminationConfig, questions: Sequence[Question], schemas: SchemaTexts
) -> LeakGuard:
    """Return what leaves out stored questions that give one of these away."""
    rows = [Row("evaluation", q.id, q.question, q.gold, db_id=q.db_id) for q in questions]
    return LeakGuard(Decontaminator(config, rows, schemas.names).check)


def ask(questions: Sequence[Question], schemas: SchemaTexts, drafts: dict[int, str]) -> list[Asked]:
    """Return questions to search by: masked, with their drafts where there are any."""
    return [
        Asked(
            id=q.id,
            db_id=q.db_id,
            question=q.question,
            masked=mask_question(q.question, schemas.names(q.db_id) if q.db_id else set()),
            draft=drafts.get(q.id, ""),
        )
        for q in questions
    ]


def read_drafts(folder: Path | None) -> dict[int, str]:
    """Return the SQL of an extract stage by question id; nothing without a folder."""
    if folder is None:
        return {}
    return {row["id"]: row["sql"] for row in read_jsonl(folder / PREDICTIONS)}


def describe(answers: Sequence[Retrieved], gold: Sequence[str], guard: LeakGuard) -> dict[str, Any]:
    """Count leaks left out, and measure recall of same-skeleton examples without any LLM.

    Args:
        answers: what was retrieved.
        gold: SQL of the same questions.
        guard: as used.
    """
    shapes = [skeleton(sql) for sql in gold]

    def measured(lists: Sequence[Sequence[Found]]) -> dict[str, float]:
        deepest = max((len(rows) for rows in lists), default=0)
        ks = [k for k in KS if k <= deepest] or [deepest]
        return recall([[f.skeleton for f in rows] for rows in lists], shapes, ks)

    return {
        "questions": len(answers),
        "without_examples": sum(not answer.examples for answer in answers),
        "stored_rows_judged": len(guard.known),
        "leaking_rows_left_out": guard.leaking_rows,
        "times_left_out": guard.refused,
        "recall_of_same_skeleton": {
            "first_search": measured([answer.candidates for answer in answers]),
            "reranked": measured([answer.reranked for answer in answers]),
            "examples": measured([answer.examples for answer in answers]),
        },
    }


def write_examples(path: Path, answers: Sequence[Retrieved]) -> None:
    """Write a line for each question: its examples, best first, with ids and scores."""
    write_jsonl(
        path,
        (
            {
                "id": answer.asked.id,
                "db_id": answer.asked.db_id,
                "question": answer.asked.question,
                "examples": [vars(e) | {"score": round(e.score, 6)} for e in answer.examples],
            }
            for answer in answers
        ),
    )


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
        inputs["draft"] = graph.stage("extract", draft)
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


def _result(stage: Stage) -> str:
    """Say how often the first examples have the gold query's skeleton, and where they are."""
    report = read_json(stage.output / REPORT)
    shares = report["recall_of_same_skeleton"]
    parts = [
        f"{name.replace('_', ' ')} "
        + ", ".join(f"@{k} {100 * share:.1f} %" for k, share in shares[name].items())
        for name in ("first_search", "examples")
    ]
    return (
        f"{stage.name}: recall of the gold query's skeleton: {'; '.join(parts)};"
        f" {report['without_examples']} of {report['questions']} questions without examples;"
        f" in {shown(stage.output / EXAMPLES)}"
    )


KINDS = (
    StageKind(
        "retrieve",
        "find few-shot examples for every question",
        run,
        _stage,
        _rows,
        result=_result,
        absent=no_retrieval,
    ),
)
