"""The store of solved questions: one Milvus collection, in a Milvus Lite file or on a server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from text2sql.errors import UserError
from text2sql.rag.collection import BM25, create_collection, read_fingerprint
from text2sql.rag.config import IndexType
from text2sql.rag.embed import Array
from text2sql.rag.milvus import Milvus
from text2sql.rag.rank import ordered

ID_BATCH = 8_192  # ids in one answer
MOST = 16_384  # Milvus gives no more rows for a query
DEEPER = 4  # how many times as many rows are asked for where equal scores run on


class Store:
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
        self.place, self.collection = str(place), collection
        self._timeout = timeout
        self._milvus = Milvus(place, timeout, wait)

    def __enter__(self) -> Self:
        self._milvus.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._milvus.__exit__()

    @property
    def _client(self) -> Any:
        return self._milvus.client

    def prepare(
        self,
        fingerprint: Mapping[str, Any],
        dimension: int,
        vectors: Sequence[str],
        index: IndexType,
    ) -> None:
        """Make the collection, or check that the one there was made in the same way.

        Args:
            fingerprint: what must be equal for rows to be comparable (model, prompts, masks).
            dimension: length of the vectors.
            vectors: names of the vector fields.
            index: their index type.

        Raises:
            UserError: the collection was made in another way.
        """
        stored = self.fingerprint()
        wanted = {**fingerprint, "dimension": dimension, "vectors": list(vectors)}
        if stored is None:
            with self._milvus.explained("cannot make its collection"):
                create_collection(
                    self._client,
                    self.collection,
                    wanted,
                    dimension,
                    vectors,
                    index,
                    self._timeout,
                )
        elif stored != wanted:
            different = [key for key in wanted if stored.get(key) != wanted[key]]
            raise UserError(
                f"{self.place}: collection '{self.collection}' was built with another"
                f" {', '.join(different)}; drop it or name another one"
            )
        self.load()

    def load(self) -> None:
        """Make an existing collection searchable; raise UserError where there is none."""
        with self._milvus.explained("cannot load its collection"):
            if not self._client.has_collection(self.collection, timeout=self._timeout):
                raise UserError(
                    f"{self.place}: holds no collection '{self.collection}';"
                    " run: make knowledge-base"
                )
            self._client.load_collection(self.collection, timeout=self._timeout)

    def fingerprint(self) -> dict[str, Any] | None:
        """Return what the collection was made with, or None where there is no (whole) one."""
        with self._milvus.explained("cannot be read"):
            return read_fingerprint(self._client, self.collection, self._timeout)

    def ids(self) -> set[str]:
        """Return the ids of all rows."""
        found: set[str] = set()
        with self._milvus.explained("cannot list its rows"):
            # Not pages by "id > last": Milvus Lite heeds order_by in iterators alone.
            pages = self._client.query_iterator(
                self.collection,
                batch_size=ID_BATCH,
                output_fields=["id"],
                timeout=self._timeout,
            )
            try:
                while rows := pages.next():
                    found |= {row["id"] for row in rows}
            finally:
                pages.close()
        return found

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Store rows (`collection.TEXTS`, ``id``, vectors); one with a known id replaces it."""
        with self._milvus.explained("did not take new rows"):
            self._client.upsert(self.collection, list(rows), timeout=self._timeout)

    def flush(self) -> None:
        """Put on disk what was added."""
        with self._milvus.explained("cannot be written"):
            self._client.flush(self.collection, timeout=self._timeout)

    def remove(self, ids: Sequence[str]) -> None:
        """Take rows out."""
        with self._milvus.explained("did not remove rows"):
            for start in range(0, len(ids), ID_BATCH):
                self._client.delete(
                    self.collection, ids=list(ids[start : start + ID_BATCH]), timeout=self._timeout
                )

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
        data = list(queries) if field != BM25 else [str(text) for text in queries]
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
        with self._milvus.explained("cannot be searched"):
            found = self._client.search(
                self.collection,
                data=data,
                anns_field=field,
                limit=limit,
                filter=where,
                output_fields=["id"],  # with none, Milvus Lite sends every field, vectors too
                timeout=self._timeout,
            )
        # Milvus Lite gives BM25 scores with a minus sign, best first all the same.
        sign = -1 if field == BM25 and any(h["distance"] < 0 for hits in found for h in hits) else 1
        return [[(hit["id"], sign * hit["distance"]) for hit in hits] for hits in found]

    def rows(self, ids: Sequence[str], fields: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return fields of rows by id; vectors come as arrays."""
        found: dict[str, dict[str, Any]] = {}
        with self._milvus.explained("cannot be read"):
            for start in range(0, len(ids), ID_BATCH):
                for row in self._client.get(
                    self.collection,
                    ids=list(ids[start : start + ID_BATCH]),
                    output_fields=["id", *fields],
                    timeout=self._timeout,
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
