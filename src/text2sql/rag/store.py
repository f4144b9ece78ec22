"""The store of solved questions: one Milvus collection, in a Milvus Lite file or on a server."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from text2sql.errors import UserError
from text2sql.rag.config import IndexType
from text2sql.rag.embed import Array
from text2sql.rag.milvus import Milvus
from text2sql.rag.rank import ordered
from text2sql.schema.words import spaced

TEXTS = ("question", "masked", "schema_text", "sql", "skeleton", "db_id")
WORDS = "words"  # the question with its words apart, for BM25
LONGEST = 65_535  # bytes; Milvus takes no longer text
BM25 = "bm25"
FINGERPRINT = "text2sql.fingerprint"
ID_BATCH = 8_192  # ids in one answer
MOST = 16_384  # Milvus gives no more rows for a query
DEEPER = 4  # how many times as many rows are asked for where equal scores run on


class Store(Milvus):
    """A collection of solved questions; use it in a ``with`` block.

    Args:
        place: path of a Milvus Lite file (its name ends in ``.db``) or the URI of a server.
        collection: name of the collection.
        timeout: seconds a request may take.
        wait: seconds to wait for another process that has the file open.
    """

    def __init__(
        self, place: str | Path, collection: str, timeout: float = 60.0, wait: float = 0.0
    ) -> None:
        super().__init__(place, timeout, wait)
        self.collection = collection

    def prepare(
        self,
        fingerprint: Mapping[str, Any],
        dimension: int,
        vectors: Sequence[str],
        index: IndexType,
    ) -> None:
        """Make the collection, or check that the one there was made in the same way, and load it.

        Args:
            fingerprint: what must be equal for rows to be comparable (model, prompts, masks).
            dimension: length of the vectors.
            vectors: names of the vector fields.
            index: their index type.

        Raises:
            UserError: the collection was made in another way.
        """
        whole = {**fingerprint, "dimension": dimension, "vectors": list(vectors)}
        if self.fingerprint() is None:
            with self.explained("cannot make its collection"):
                self._create(whole, dimension, vectors, index)
        self.load(whole)

    def load(self, fingerprint: Mapping[str, Any] | None = None) -> None:
        """Make an existing collection searchable.

        Args:
            fingerprint: what it must have been made with, as far as that matters.

        Raises:
            UserError: there is no collection, or it was made in another way.
        """
        with self.explained("cannot load its collection"):
            if not self.client.has_collection(self.collection, timeout=self.timeout):
                raise UserError(
                    f"{self.place}: holds no collection '{self.collection}';"
                    " run: make knowledge-base"
                )
            stored = self.fingerprint() or {}
            different = [k for k, value in (fingerprint or {}).items() if stored.get(k) != value]
            if different:
                raise UserError(
                    f"{self.place}: collection '{self.collection}' was built with another"
                    f" {', '.join(different)}; drop it or name another one, then run:"
                    " make knowledge-base"
                )
            self.client.load_collection(self.collection, timeout=self.timeout)

    def fingerprint(self) -> dict[str, Any] | None:
        """Return what the collection was made with, or None where there is no (whole) one."""
        with self.explained("cannot be read"):
            if not self.client.has_collection(self.collection, timeout=self.timeout):
                return None
            made = self.client.describe_collection(self.collection, timeout=self.timeout)
        written = made["properties"].get(FINGERPRINT)
        return json.loads(written) if written else None

    def _create(
        self,
        fingerprint: Mapping[str, Any],
        dimension: int,
        vectors: Sequence[str],
        index: IndexType,
    ) -> None:
        """Make an empty collection in place of what a kill may have left of one.

        The fingerprint comes last, so that it stands for a whole one.
        """
        from pymilvus import DataType, Function, FunctionType

        self.client.drop_collection(self.collection, timeout=self.timeout)
        schema = self.client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("id", DataType.VARCHAR, max_length=64, is_primary=True)
        for text in TEXTS:
            schema.add_field(text, DataType.VARCHAR, max_length=LONGEST)
        schema.add_field(WORDS, DataType.VARCHAR, max_length=LONGEST, enable_analyzer=True)
        indexes = self.client.prepare_index_params()
        for vector in vectors:
            schema.add_field(f"{vector}_vector", DataType.FLOAT_VECTOR, dim=dimension)
            indexes.add_index(field_name=f"{vector}_vector", index_type=index, metric_type="COSINE")
        schema.add_field(BM25, DataType.SPARSE_FLOAT_VECTOR)
        schema.add_function(
            Function(
                name="question_bm25",
                function_type=FunctionType.BM25,
                input_field_names=[WORDS],
                output_field_names=[BM25],
            )
        )
        indexes.add_index(field_name=BM25, index_type="SPARSE_INVERTED_INDEX", metric_type="BM25")
        self.client.create_collection(
            self.collection, schema=schema, index_params=indexes, timeout=self.timeout
        )
        self.client.alter_collection_properties(
            self.collection, {FINGERPRINT: json.dumps(fingerprint)}, timeout=self.timeout
        )

    def ids(self) -> set[str]:
        """Return the ids of all rows."""
        listed: set[str] = set()
        with self.explained("cannot list its rows"):
            # Not pages by "id > last": Milvus Lite heeds order_by in iterators alone.
            pages = self.client.query_iterator(
                self.collection,
                batch_size=ID_BATCH,
                output_fields=["id"],
                timeout=self.timeout,
            )
            try:
                while rows := pages.next():
                    listed |= {row["id"] for row in rows}
            finally:
                pages.close()
        return listed

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Store rows: `TEXTS`, ``id`` and the vectors; one with a known id replaces it."""
        stored = [{**row, WORDS: cut(spaced(row["question"]))} for row in rows]
        with self.explained("did not take new rows"):
            self.client.upsert(self.collection, stored, timeout=self.timeout)

    def flush(self) -> None:
        """Put on disk what was added."""
        with self.explained("cannot be written"):
            self.client.flush(self.collection, timeout=self.timeout)

    def remove(self, ids: Sequence[str]) -> None:
        """Take rows out."""
        with self.explained("did not remove rows"):
            for start in range(0, len(ids), ID_BATCH):
                some = list(ids[start : start + ID_BATCH])
                self.client.delete(self.collection, ids=some, timeout=self.timeout)

    def search(
        self, field: str, queries: Array | Sequence[str], limit: int, where: str = ""
    ) -> list[list[tuple[str, float]]]:
        """Return for each query the (id, score) pairs of the nearest rows, best first.

        Rows of equal score come by id, also where the limit cuts through them: which of them Milvus
        gives hangs on the order they were stored in and on the processor, so a query whose limit
        falls among equals is asked again for more, up to `MOST`, until all of them are there.

        Args:
            field: a vector field, or ``bm25``.
            queries: vectors, or texts for ``bm25``.
            limit: how many at most.
            where: Milvus filter expression.
        """
        data = list(queries) if field != BM25 else [spaced(str(text)) for text in queries]
        found: list[list[tuple[str, float]]] = [[] for _ in data]
        waiting = list(range(len(data)))
        depth = min(limit + 1, MOST)  # one more shows whether the limit falls among equals
        while waiting:
            answers = self._nearest(field, [data[i] for i in waiting], depth, where)
            for number, hits in zip(waiting, answers, strict=True):
                found[number] = ordered(hits)
            if depth == MOST:
                break
            waiting = [i for i in waiting if _runs_on(found[i], limit, depth)]
            depth = min(depth * DEEPER, MOST)
        return [hits[:limit] for hits in found]

    def _nearest(
        self, field: str, data: list[Any], limit: int, where: str
    ) -> list[list[tuple[str, float]]]:
        with self.explained("cannot be searched"):
            found = self.client.search(
                self.collection,
                data=data,
                anns_field=field,
                limit=limit,
                filter=where,
                output_fields=["id"],  # with none, Milvus Lite sends every field, vectors too
                timeout=self.timeout,
            )
        # Milvus Lite gives BM25 scores with a minus sign, best first all the same.
        sign = -1 if field == BM25 and any(h["distance"] < 0 for hits in found for h in hits) else 1
        return [[(hit["id"], sign * hit["distance"]) for hit in hits] for hits in found]

    def rows(self, ids: Sequence[str], fields: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return fields of rows by id; vectors come as arrays."""
        found: dict[str, dict[str, Any]] = {}
        with self.explained("cannot be read"):
            for start in range(0, len(ids), ID_BATCH):
                for row in self.client.get(
                    self.collection,
                    ids=list(ids[start : start + ID_BATCH]),
                    output_fields=["id", *fields],
                    timeout=self.timeout,
                ):
                    found[row["id"]] = {
                        name: np.asarray(row[name], dtype=np.float32)
                        if isinstance(row[name], list)
                        else row[name]
                        for name in fields
                    }
        return found


def _runs_on(hits: Sequence[tuple[str, float]], limit: int, depth: int) -> bool:
    """Whether rows equal to the last within the limit may follow after those that were given."""
    return len(hits) == depth and hits[limit - 1][1] == hits[-1][1]


def cut(text: str) -> str:
    """Return a text as far as Milvus takes it."""
    return text.encode("utf-8")[:LONGEST].decode("utf-8", errors="ignore")
