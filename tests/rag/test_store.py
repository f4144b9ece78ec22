"""The store on a real Milvus Lite file: built, resumed, refused, and broken in every known way."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from patience import PATIENCE
from rag_entries import WordEmbedder, make_entries

from text2sql.errors import UserError
from text2sql.files import sha256_text
from text2sql.rag import store as store_module
from text2sql.rag.build import build
from text2sql.rag.config import KnowledgeBaseConfig
from text2sql.rag.store import Store, cut


def built(place: Path, config: KnowledgeBaseConfig, entries: list) -> dict:
    with Store(place, "kb") as store:
        return build(config, entries, store, WordEmbedder())


def test_a_second_build_does_nothing_and_a_longer_one_only_what_is_new(
    place: Path, base_config: KnowledgeBaseConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "ID_BATCH", 7)  # several answers for the ids
    entries = make_entries(50)
    assert built(place, base_config, entries)["added"] == 50
    embedder = WordEmbedder()
    with Store(place, "kb") as store:
        again = build(base_config, entries, store, embedder)
        assert (again["added"], again["kept"], embedder.embedded) == (0, 50, 0)
        assert store.ids() == {entry.id for entry in entries}
    changed = built(place, base_config, [*entries[10:], *make_entries(5, "other")] * 2)
    assert (changed["rows"], changed["added"], changed["removed_as_stale"]) == (45, 5, 10)
    assert changed["repeated_in_source"] == 45


def test_all_ids_are_found_whatever_their_order_in_the_file(
    place: Path, base_config: KnowledgeBaseConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ids are hashes, so rows do not lie in their order, and several requests list them."""
    monkeypatch.setattr(store_module, "ID_BATCH", 7)
    entries = [replace(e, id=sha256_text(e.id)[:32]) for e in make_entries(50)]
    built(place, base_config, entries)
    again = built(place, base_config, entries[5:])
    assert (again["added"], again["kept"], again["removed_as_stale"]) == (0, 45, 5)
    with Store(place, "kb") as store:
        store.load()
        assert store.ids() == {entry.id for entry in entries[5:]}


def test_search_by_vector_by_words_and_within_a_database(
    place: Path, base_config: KnowledgeBaseConfig
) -> None:
    built(place, base_config, [*make_entries(30), *make_entries(30, "other")])
    with Store(place, "kb") as store:
        store.load()
        query = "how many items of kind 7 are there"
        vectors = WordEmbedder().queries([query, "how many items of kind 9 are there"])
        hits = store.search("question_vector", vectors, 2)
        assert {key for key, _ in hits[0]} == {"shop000007", "other000007"}
        assert {key for key, _ in hits[1]} == {"shop000009", "other000009"}
        words = store.search("bm25", [query], 2)[0]
        assert {key for key, _ in words} == {"shop000007", "other000007"}
        assert words[0][1] > 0
        only = store.search("question_vector", vectors, 5, 'db_id == "other"')[0]
        assert len(only) == 5
        assert all(key.startswith("other") for key, _ in only)
        row = store.rows(["shop000007"], ["sql", "question_vector"])["shop000007"]
        assert row["sql"] == "SELECT count(*) FROM items WHERE kind = 7"
        assert row["question_vector"] == pytest.approx(vectors[0], abs=1e-6)


def test_another_model_is_refused(place: Path, base_config: KnowledgeBaseConfig) -> None:
    built(place, base_config, make_entries(3))
    other = base_config.model_copy(
        update={"embedding": base_config.embedding.model_copy(update={"model": "other"})}
    )
    with pytest.raises(UserError, match="built with another model"):
        built(place, other, make_entries(3))


def test_another_dimension_is_refused(place: Path, base_config: KnowledgeBaseConfig) -> None:
    built(place, base_config, make_entries(3))
    embedder = WordEmbedder()
    embedder.dimension = 32
    with (
        Store(place, "kb") as store,
        pytest.raises(UserError, match="built with another dimension"),
    ):
        build(base_config, make_entries(3), store, embedder)


KILLED = """
import sys
from rag_entries import WordEmbedder, make_entries
import text2sql.rag.build as b
from text2sql.rag.config import EmbeddingConfig, KnowledgeBaseConfig
from text2sql.rag.store import Store
b.model_identity = lambda embedding: embedding.model
config = KnowledgeBaseConfig(
    embedding=EmbeddingConfig(model="words"), index="FLAT", batch_rows=20
)
def tell(done):
    print(done, flush=True)
    if done == 60:
        input()
with Store(sys.argv[1], "kb") as store:
    b.build(config, make_entries(100), store, WordEmbedder(), tell)
"""


def start_build(place: Path) -> subprocess.Popen[str]:
    """A build in a process of its own that stands still after 60 of 100 rows."""
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(place)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )
    assert process.stdout is not None
    while (line := process.stdout.readline()) and line.strip() != "60":
        pass
    assert line.strip() == "60", "the build ended early"
    return process


def test_a_killed_build_goes_on_and_a_second_process_is_told_to_wait(
    place: Path, base_config: KnowledgeBaseConfig
) -> None:
    process = start_build(place)
    try:
        with (
            pytest.raises(UserError, match="another process has it open"),
            Store(place, "kb", wait=0.3),
        ):
            pass
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdin.close()
        process.stdout.close()
    summary = built(place, base_config, make_entries(100))
    assert (summary["rows"], summary["added"], summary["kept"]) == (100, 40, 60)


WRITING = """
import sys
from rag_entries import WordEmbedder, make_entries
import text2sql.rag.build as b
from text2sql.rag.config import EmbeddingConfig, KnowledgeBaseConfig
from text2sql.rag.store import Store
b.model_identity = lambda embedding: embedding.model
config = KnowledgeBaseConfig(
    embedding=EmbeddingConfig(model="words"), index="FLAT", batch_rows=5
)
tell = lambda done: print(done, flush=True)
with Store(sys.argv[1], "kb") as store:
    b.build(config, make_entries(400), store, WordEmbedder(), tell)
"""


def test_a_build_killed_again_and_again_while_it_writes_ends_whole(
    place: Path, base_config: KnowledgeBaseConfig
) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    for batches, pause in ((1, 0.0), (4, 0.003), (9, 0.011)):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITING, str(place)],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        with process:
            lines = [process.stdout.readline() for _ in range(batches)]
            time.sleep(pause)  # into the middle of a batch
            process.kill()
        assert all(lines), "the build ended before it was killed"
    summary = built(place, base_config, make_entries(400))
    assert summary["rows"] == summary["added"] + summary["kept"] == 400
    assert summary["kept"] >= 5
    with Store(place, "kb") as store:
        store.load()
        assert store.ids() == {entry.id for entry in make_entries(400)}
        query = WordEmbedder().queries(["how many items of kind 399 are there"])
        hits = dict(store.search("question_vector", query, 400)[0])
        assert hits["shop000399"] == max(hits.values())  # some words share a place in the vectors


def test_one_who_waits_for_the_file_gets_it_when_the_other_is_done(place: Path) -> None:
    with Store(place, "kb"):
        other = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "import sys; from text2sql.rag.store import Store\n"
                "print('waiting', flush=True)\n"
                "with Store(sys.argv[1], 'kb', wait=600) as store: print(store.fingerprint())",
                str(place),
            ],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        )
        assert other.stdout.readline() == "waiting\n"
        with pytest.raises(subprocess.TimeoutExpired):
            other.wait(timeout=1.0)
    out, _ = other.communicate(timeout=PATIENCE)
    assert (other.returncode, out) == (0, "None\n")


def test_a_file_cut_short_is_one_clear_line(place: Path, base_config: KnowledgeBaseConfig) -> None:
    """What a full disk or a broken copy leaves: the rows' file ends in the middle."""
    built(place, base_config, make_entries(30))
    cut_short = list(place.rglob("*.parquet"))
    assert cut_short
    for path in cut_short:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UserError, match="delete it and run: make knowledge-base") as caught:
        built(place, base_config, make_entries(30))
    assert "\n" not in str(caught.value)


def test_a_damaged_file_is_one_clear_line(place: Path, base_config: KnowledgeBaseConfig) -> None:
    built(place, base_config, make_entries(30))
    for path in place.rglob("*"):
        if path.is_file() and path.name != "LOCK":
            path.write_bytes(b"\x00damaged")
    with pytest.raises(UserError, match="delete it and run: make knowledge-base") as caught:
        built(place, base_config, make_entries(30))
    assert "\n" not in str(caught.value)


def test_a_store_that_was_never_built_says_so(place: Path) -> None:
    with Store(place, "kb") as store, pytest.raises(UserError, match="make knowledge-base"):
        store.load()


def test_a_file_must_be_named_as_milvus_lite_wants(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"ends in \.db"), Store(tmp_path / "kb", "kb"):
        pass


def test_a_server_that_is_down(place: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(UserError, match="is the Milvus server up") as caught:
        Store(uri, "kb", timeout=2.0).__enter__()
    assert "\n" not in str(caught.value)


def test_a_server_that_does_not_answer(place: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        uri = f"http://127.0.0.1:{mute.getsockname()[1]}"
        started = time.monotonic()
        with pytest.raises(UserError) as caught:
            Store(uri, "kb", timeout=1.0).__enter__()
        assert time.monotonic() - started < 30
    assert uri in str(caught.value)
    assert "\n" not in str(caught.value)


SERVER = """
import sys, time
from milvus_lite.adapter.grpc.server import start_server_in_thread
server, database, port = start_server_in_thread(data_dir=sys.argv[1], host="127.0.0.1", port=0)
print(port, flush=True)
time.sleep(600)
"""


def freeze(process: subprocess.Popen[str]) -> None:
    """Stop a process, and wait until all its threads stand still."""
    process.send_signal(signal.SIGSTOP)
    threads = Path(f"/proc/{process.pid}/task")
    while any(") T " not in stat.read_text() for stat in threads.glob("*/stat")):
        time.sleep(0.01)


def test_a_server_that_stops_answering_while_in_use(
    place: Path, base_config: KnowledgeBaseConfig
) -> None:
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(place)], stdout=subprocess.PIPE, text=True
    )
    try:
        uri = f"http://127.0.0.1:{int(server.stdout.readline())}"
        query = WordEmbedder().queries(["how many items of kind 7 are there"])
        with Store(uri, "kb", PATIENCE) as store, Store(uri, "kb", timeout=3.0) as impatient:
            build(base_config, make_entries(30), store, WordEmbedder())
            freeze(server)
            started = time.monotonic()
            with pytest.raises(
                UserError, match=r"cannot be searched: .*no answer in 3 s"
            ) as caught:
                impatient.search("question_vector", query, 1)
            assert time.monotonic() - started < 30
            assert uri in str(caught.value)
            assert "\n" not in str(caught.value)
            server.send_signal(signal.SIGCONT)
            assert store.search("question_vector", query, 1)[0][0][0] == "shop000007"
    finally:
        server.kill()
        server.communicate()


def test_texts_are_cut_where_milvus_ends_and_never_within_a_character() -> None:
    assert cut("a") == "a"
    assert cut("é" * 40_000) == "é" * 32_767


def test_the_same_code_builds_and_searches_over_a_uri(
    place: Path, base_config: KnowledgeBaseConfig
) -> None:
    from milvus_lite.adapter.grpc.server import start_server_in_thread

    server, database, port = start_server_in_thread(data_dir=str(place), host="127.0.0.1", port=0)
    try:
        with Store(f"http://127.0.0.1:{port}", "kb", PATIENCE) as store:
            assert build(base_config, make_entries(30), store, WordEmbedder())["added"] == 30
            query = WordEmbedder().queries(["how many items of kind 7 are there"])
            assert store.search("question_vector", query, 1)[0][0][0] == "shop000007"
    finally:
        server.stop(grace=1).wait()
        database.close()


@pytest.mark.parametrize(
    ("query", "number"),
    [("书名", 0), ("会员 年龄", 1), ("ГОРОД клиента", 2), ("número", 3), ("住所", 4)],
)
def test_words_of_other_languages_are_found(
    place: Path, base_config: KnowledgeBaseConfig, query: str, number: int
) -> None:
    texts = [
        *("列出所有书名", "会员的平均年龄是多少？", "Какой город у клиента?"),
        *("¿Cuál es el número de cada factura?", "倉庫の住所を教えてください"),
    ]
    entries = [
        replace(entry, question=text)
        for entry, text in zip(make_entries(len(texts)), texts, strict=True)
    ]
    with Store(place, "kb") as store:
        build(base_config, entries, store, WordEmbedder())
        store.load()
        hits = store.search("bm25", [query], 5)[0]
    assert hits
    assert hits[0][0] == entries[number].id
