"""Retrieval end to end on a small store: leak guard, channels, drafts, reranking, report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from rag_entries import WordEmbedder, make_entries

from text2sql.data.config import DecontaminationConfig
from text2sql.data.decontaminate import Decontaminator
from text2sql.data.rows import Row
from text2sql.errors import UserError
from text2sql.files import read_jsonl
from text2sql.rag.build import build, fingerprint
from text2sql.rag.config import KnowledgeBaseConfig, RetrievalConfig
from text2sql.rag.retrieve import describe, write_examples
from text2sql.rag.search import Asked, LeakGuard, Retrieved, Retriever
from text2sql.rag.store import Store

ASKED = Asked(0, "shop", "how many items of kind 7 are there")


def guard(*questions: str) -> LeakGuard:
    rows = [Row("dev", i, text, "SELECT 1", db_id="dev") for i, text in enumerate(questions)]
    config = DecontaminationConfig(levels=("exact", "normalized"))
    return LeakGuard(Decontaminator(config, rows, lambda db_id: frozenset()).check)


def search(
    store: Store, config: RetrievalConfig, asked: Sequence[Asked], leaks: LeakGuard, reranker=None
) -> list[Retrieved]:
    store.load()
    return list(Retriever(store, WordEmbedder(), config, leaks, reranker).retrieve(asked))


@pytest.fixture
def filled(place: Path, base_config: KnowledgeBaseConfig) -> Path:
    listed = [
        replace(
            entry,
            question=f"list every name of kind {number}",
            sql=f"SELECT name FROM items WHERE kind = {number}",
            skeleton="select _ from _ where _ = ?",
        )
        for number, entry in enumerate(make_entries(20, "other"))
    ]
    with Store(place, "kb") as store:
        build(base_config, [*make_entries(40), *listed], store, WordEmbedder())
    return place


def test_the_asked_question_is_never_found_and_its_place_is_filled(filled: Path) -> None:
    config = RetrievalConfig(knowledge_base="x", k=4, candidates=8)
    with Store(filled, "kb") as store:
        open_door = search(store, config, [ASKED], guard("nothing alike"))[0]
        leaks = guard("How many items of kind 7 are there?")
        guarded = search(store, config, [ASKED], leaks)[0]
    assert open_door.examples[0].question == ASKED.question
    assert len(guarded.candidates) == 8
    assert all(found.question != ASKED.question for found in guarded.candidates)
    assert (leaks.leaking_rows, leaks.refused) == (1, 1)


def test_a_store_of_leaks_is_searched_deeper_and_then_gives_what_is_left(filled: Path) -> None:
    config = RetrievalConfig(knowledge_base="x", k=4, candidates=4)
    questions = [f"how many items of kind {n} are there" for n in range(40)]
    with Store(filled, "kb") as store:
        found = search(store, config, [ASKED], guard(*questions))[0]
    assert [example.db_id for example in found.examples] == ["other"] * 4


def test_same_database_only_and_never(filled: Path) -> None:
    with Store(filled, "kb") as store:
        for rule, expected in (("only", {"shop"}), ("exclude", {"other"})):
            config = RetrievalConfig(knowledge_base="x", candidates=6, same_database=rule)
            found = search(store, config, [ASKED], guard())[0]
            assert {example.db_id for example in found.examples} == expected


def test_a_draft_answer_lifts_examples_of_its_shape(filled: Path) -> None:
    config = RetrievalConfig(
        knowledge_base="x", k=1, candidates=60, channels=("question", "bm25", "skeleton")
    )
    asked = replace(ASKED, question="every item of kind 7, how many")
    drafted = replace(asked, draft="SELECT name FROM items WHERE kind = 7")
    with Store(filled, "kb") as store:
        found = search(store, config, [asked, drafted], guard())
    plain, lifted = (
        {example.id: place for place, example in enumerate(one.candidates)} for one in found
    )
    of_its_shape = {
        example.id
        for example in found[0].candidates
        if example.skeleton == "select _ from _ where _ = ?"
    }
    assert plain.keys() == lifted.keys()
    assert 0 < len(of_its_shape) < len(plain)
    assert all(lifted[key] <= plain[key] for key in of_its_shape)
    assert any(lifted[key] < plain[key] for key in of_its_shape)
    assert all(lifted[key] >= plain[key] for key in plain.keys() - of_its_shape)


def test_rerank_by_sql_reads_the_sql_and_decides_the_order(filled: Path) -> None:
    class LongestLast:
        def score(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
            assert all(text.startswith("SELECT") for _, text in pairs)
            return [-float(len(text)) for _, text in pairs]

    config = RetrievalConfig(
        knowledge_base="x", candidates=60, rerank={"kind": "late_interaction", "key": "sql"}
    )
    with Store(filled, "kb") as store:
        found = search(store, config, [ASKED], guard(), LongestLast())[0]
    lengths = [len(row.sql) for row in found.reranked]
    assert lengths == sorted(lengths)
    assert found.examples == found.reranked[:4]


def test_an_empty_question_is_refused_by_its_number(filled: Path) -> None:
    config = RetrievalConfig(knowledge_base="x")
    with Store(filled, "kb") as store, pytest.raises(UserError, match="question 3 is empty"):
        search(store, config, [ASKED, Asked(3, "shop", "  ")], guard())


def test_report_and_file(filled: Path, tmp_path: Path) -> None:
    config = RetrievalConfig(knowledge_base="x", candidates=10, mmr=0.7)
    leaks = guard(ASKED.question)
    with Store(filled, "kb") as store:
        found = search(store, config, [ASKED], leaks)
    report = describe(found, ["SELECT count(*) FROM t WHERE c = 5"], leaks)
    assert report["leaking_rows_left_out"] == 1
    assert report["recall_of_same_skeleton"]["examples"]["4"] == 1.0
    assert report["without_examples"] == 0
    write_examples(tmp_path / "examples.jsonl", found)
    (line,) = read_jsonl(tmp_path / "examples.jsonl")
    assert line["question"] == ASKED.question
    assert len(line["examples"]) == 4
    assert set(line["examples"][0]) == {"id", "score", "question", "sql", "skeleton", "db_id"}


def test_searching_with_another_model_than_built_with_is_refused(
    filled: Path, base_config: KnowledgeBaseConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("text2sql.rag.build.model_identity", lambda embedding: "another")
    with Store(filled, "kb") as store, pytest.raises(UserError, match="built with another model"):
        store.load(fingerprint(base_config))
