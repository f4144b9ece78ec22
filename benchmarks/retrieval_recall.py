"""How often each way of searching finds an example of the right shape, without any LLM.

Usage: python benchmarks/retrieval_recall.py --dataset spider \\
           --output benchmarks/retrieval_recall_spider.json

Needs the outputs of ``make knowledge-base`` for the profile and dataset; with --drafts also those
of ``make infer ROW=...``, whose answers the last way compares skeletons with. Recall@k is the share
of questions with an example of the gold SQL's skeleton among the first k, leaks left out.
docs/retrieval.md shows the results that lie beside this file (make results).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from common import surroundings
from tqdm import tqdm

from text2sql.artifacts import QUESTIONS
from text2sql.data.config import DataConfig
from text2sql.data.prepare import SchemaTexts
from text2sql.errors import UserError
from text2sql.files import write_json
from text2sql.pipeline.registry import build_graph
from text2sql.profile import load_profile
from text2sql.question import read_questions
from text2sql.rag.build import fingerprint, open_store
from text2sql.rag.config import KnowledgeBaseConfig, RetrievalConfig, load_retrieval_config
from text2sql.rag.embed import Embedder
from text2sql.rag.rerank import load_reranker
from text2sql.rag.retrieve import ask, describe, leak_guard, read_drafts
from text2sql.rag.search import Asked, Retriever
from text2sql.rag.store import Store
from text2sql.run import ALL_ROWS, Run
from text2sql.stage import Stage

PUBLISHED = "minilm_embedding"
OURS = "minilm_best"


def ways(drafts: str | None) -> dict[str, RetrievalConfig]:
    """The shipped ways, and what each channel of ours finds by itself."""
    published, ours = load_retrieval_config(PUBLISHED), load_retrieval_config(OURS)
    alone = ours.model_copy(update={"mmr": None})
    found = {
        "question (as published)": published,
        "question, reranked by question": load_retrieval_config(f"{PUBLISHED}_rerank"),
        "question, reranked by SQL": load_retrieval_config(f"{PUBLISHED}_rerank_sqlkey"),
        "BM25": alone.model_copy(update={"channels": ("bm25",)}),
        "masked": alone.model_copy(update={"channels": ("masked",)}),
        "masked + BM25": alone.model_copy(update={"channels": ("masked", "bm25")}),
    }
    return found | ({f"ours, drafts of row {drafts}": ours} if drafts else {})


def measure(
    store: Store, embedder: Embedder, config: RetrievalConfig, run: dict[str, Any]
) -> dict[str, Any]:
    """Search for every question in one way; recall after reranking, if there is any."""
    guard = leak_guard(config.leak_guard, run["questions"], run["schemas"])
    asked: list[Asked] = run["asked"]
    started = time.process_time()
    retriever = Retriever(
        store, embedder, config, guard, load_reranker(config.rerank, embedder, "cpu")
    )
    report = describe(list(retriever.retrieve(asked)), run["gold"], guard)
    return {
        "recall": report["recall_of_same_skeleton"]["reranked"],
        "leaking_rows_left_out": report["leaking_rows_left_out"],
        "seconds": round(time.process_time() - started, 1),
    }


def questions_of(graph: dict[str, Stage], base: Stage, drafts: str | None) -> dict[str, Any]:
    """The evaluation questions of a run, masked, with drafts, schemas and gold SQL."""
    questions = read_questions(graph["data"].output / QUESTIONS)
    schemas = SchemaTexts(DataConfig.model_validate(base.config["data"]))
    answers = read_drafts(graph[f"extract:{drafts}"].output if drafts else None)
    return {
        "questions": questions,
        "schemas": schemas,
        "asked": ask(questions, schemas, answers),
        "gold": [question.gold for question in questions],
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--profile", default="smollm2-135m")
    parser.add_argument("--dataset", default="sample")
    parser.add_argument("--drafts", help="a row without retrieval that has been inferred")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    selection = Run(load_profile(options.profile), options.dataset, optional=(ALL_ROWS,))
    graph = build_graph(selection)
    base = graph[f"knowledge-base:{load_retrieval_config(OURS).knowledge_base}"]
    config = KnowledgeBaseConfig.model_validate(base.config["knowledge_base"])
    run = questions_of(graph, base, options.drafts)
    found: dict[str, Any] = {}
    with open_store(config, base.output, base.config["collection"]) as store:
        store.load(fingerprint(config))
        embedder = Embedder(config.embedding, "cpu")
        for name, way in tqdm(ways(options.drafts).items(), desc=selection.dataset_label):
            found[name] = measure(store, embedder, way, run)
        stored = len(store.ids())
    write_json(
        options.output,
        {
            "profile": options.profile,
            "dataset": selection.dataset_label,
            "knowledge_base": load_retrieval_config(OURS).knowledge_base,
            "questions": len(run["questions"]),
            "stored": stored,
            "ways": found,
        }
        | surroundings(),
        indent=1,
    )


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        raise SystemExit(str(error)) from None
