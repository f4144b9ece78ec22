"""The store of solved questions: one Milvus collection, in a Milvus Lite file or on a server."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Self

import numpy as np

from text2sql.errors import UserError
from text2sql.rag.config import IndexType
from text2sql.rag.embed import Array

LONGEST = 65_535  # bytes; Milvus takes no longer text
ID_LENGTH = 64
TEXTS = ("question", "masked", "schema_text", "sql", "skeleton", "db_id")
BM25 = "bm25"
ID_BATCH = 8_192  # ids in one answer
LOCK_POLL_SECONDS = 0.2
# The Lite server counts the client's regular pings while a batch is embedded as an attack and
# hangs up; within one process there is nothing to keep alive.
NO_PINGS = {"grpc.keepalive_time_ms": 2**31 - 1}


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
        self._is_file = "://" not in self.place
        self._timeout, self._wait = timeout, wait
        self._lock: IO[str] | None = None
        self._client: Any = None

    def __enter__(self) -> Self:
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        if self._is_file:
            self._lock = _lock_file(Path(self.place), self._wait)
        try:
            with self._explained("cannot be opened"):
                self._client = _connect(self.place, self._is_file, self._timeout)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
        if self._is_file:
            # Closing a client leaves the server of its file running in this process.
            from milvus_lite.server_manager import server_manager_instance

            server_manager_instance.release_server(self.place)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

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
            self._create(wanted, dimension, vectors, index)
        elif stored != wanted:
            different = [key for key in wanted if stored.get(key) != wanted[key]]
            raise UserError(
                f"{self.place}: collection '{self.collection}' was built with another"
                f" {', '.join(different)}; drop it or name another one"
            )
        self.load()

    def load(self) -> None:
        """Make an existing collection searchable; raise UserError where there is none."""
        with self._explained("cannot load its collection"):
            if not self._client.has_collection(self.collection, timeout=self._timeout):
                raise UserError(
                    f"{self.place}: holds no collection '{self.collection}';"
                    " run: make knowledge-base"
                )
            self._client.load_collection(self.collection, timeout=self._timeout)

    def fingerprint(self) -> dict[str, Any] | None:
        """Return what the collection was made with, or None where there is no (whole) one."""
        with self._explained("cannot be read"):
            names = self._client.list_collections(timeout=self._timeout)
            if self._meta not in names or self.collection not in names:
                return None
            self._client.load_collection(self._meta, timeout=self._timeout)
            rows = self._client.query(
                self._meta, filter='id == "fingerprint"', output_fields=["value"]
            )
        return json.loads(rows[0]["value"]) if rows else None

    def ids(self) -> set[str]:
        """Return the ids of all rows."""
        found: set[str] = set()
        with self._explained("cannot list its rows"):
            last = ""
            while True:
                # Not a query_iterator: on Milvus Lite it warns on every use.
                rows = self._client.query(
                    self.collection,
                    filter=f'id > "{last}"',
                    output_fields=["id"],
                    limit=ID_BATCH,
                    order_by=["id:asc"],
                    timeout=self._timeout,
                )
                if not rows:
                    return found
                new = {row["id"] for row in rows}
                found |= new
                last = max(new)

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Store rows (see `TEXTS`, ``id`` and the vectors); one with a known id replaces it."""
        with self._explained("did not take new rows"):
            self._client.upsert(self.collection, list(rows), timeout=self._timeout)

    def flush(self) -> None:
        """Put on disk what was added."""
        with self._explained("cannot be written"):
            self._client.flush(self.collection, timeout=self._timeout)

    def remove(self, ids: Sequence[str]) -> None:
        """Take rows out."""
        with self._explained("did not remove rows"):
            for start in range(0, len(ids), ID_BATCH):
                self._client.delete(
                    self.collection, ids=list(ids[start : start + ID_BATCH]), timeout=self._timeout
                )

    def search(
        self, field: str, queries: Array | Sequence[str], limit: int, where: str = ""
    ) -> list[list[tuple[str, float]]]:
        """Return for each query the (id, score) pairs of the nearest rows, best first.

        Args:
            field: a vector field, or ``bm25``.
            queries: vectors, or texts for ``bm25``.
            limit: how many at most.
            where: Milvus filter expression.
        """
        data = list(queries) if field != BM25 else [str(text) for text in queries]
        with self._explained("cannot be searched"):
            found = self._client.search(
                self.collection,
                data=data,
                anns_field=field,
                limit=limit,
                filter=where,
                timeout=self._timeout,
            )
        # Milvus Lite gives BM25 scores with a minus sign, best first all the same.
        sign = -1 if field == BM25 and any(h["distance"] < 0 for hits in found for h in hits) else 1
        return [[(hit["id"], sign * hit["distance"]) for hit in hits] for hits in found]

    def rows(self, ids: Sequence[str], fields: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return fields of rows by id; vectors come as arrays."""
        found: dict[str, dict[str, Any]] = {}
        with self._explained("cannot be read"):
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

    @property
    def _meta(self) -> str:
        # Milvus Lite forgets a collection's description and properties, so they are a row.
        return f"{self.collection}_meta"

    def _create(
        self, fingerprint: dict[str, Any], dimension: int, vectors: Sequence[str], index: IndexType
    ) -> None:
        from pymilvus import DataType, Function, FunctionType

        client = self._client
        with self._explained("cannot make its collection"):
            for name in (self._meta, self.collection):  # what a kill between the two left
                client.drop_collection(name, timeout=self._timeout)
            schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
            schema.add_field("id", DataType.VARCHAR, max_length=ID_LENGTH, is_primary=True)
            for name in TEXTS:
                schema.add_field(
                    name, DataType.VARCHAR, max_length=LONGEST, enable_analyzer=name == "question"
                )
            indexes = client.prepare_index_params()
            for name in vectors:
                schema.add_field(f"{name}_vector", DataType.FLOAT_VECTOR, dim=dimension)
                indexes.add_index(
                    field_name=f"{name}_vector", index_type=index, metric_type="COSINE"
                )
            schema.add_field(BM25, DataType.SPARSE_FLOAT_VECTOR)
            schema.add_function(
                Function(
                    name="question_bm25",
                    function_type=FunctionType.BM25,
                    input_field_names=["question"],
                    output_field_names=[BM25],
                )
            )
            indexes.add_index(
                field_name=BM25, index_type="SPARSE_INVERTED_INDEX", metric_type="BM25"
            )
            client.create_collection(
                self.collection, schema=schema, index_params=indexes, timeout=self._timeout
            )
            self._write_meta(fingerprint)

    def _write_meta(self, fingerprint: dict[str, Any]) -> None:
        from pymilvus import DataType

        client = self._client
        schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("id", DataType.VARCHAR, max_length=ID_LENGTH, is_primary=True)
        schema.add_field("value", DataType.VARCHAR, max_length=LONGEST)
        schema.add_field("unused", DataType.FLOAT_VECTOR, dim=2)  # Milvus wants a vector
        indexes = client.prepare_index_params()
        indexes.add_index(field_name="unused", index_type="FLAT", metric_type="L2")
        client.create_collection(
            self._meta, schema=schema, index_params=indexes, timeout=self._timeout
        )
        row = {"id": "fingerprint", "value": json.dumps(fingerprint), "unused": [0.0, 0.0]}
        client.upsert(self._meta, [row], timeout=self._timeout)
        client.flush(self._meta, timeout=self._timeout)

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        """Turn what goes wrong in Milvus into a line that says what to do."""
        import grpc
        from pymilvus.exceptions import MilvusException

        try:
            yield
        except (MilvusException, grpc.RpcError, OSError, ValueError, KeyError) as error:
            raise UserError(
                f"{self.place}: {what}: {_short(error)}; {self._remedy(str(error))}"
            ) from None

    def _remedy(self, error: str) -> str:
        if self._is_file:
            return "unless it is open elsewhere, delete it and run: make knowledge-base"
        if "DEADLINE" in error.upper() or "timeout" in error.lower():
            return f"no answer in {self._timeout:g} s: raise timeout_seconds or see to the server"
        return "is the Milvus server up, and is MILVUS_TOKEN right?"


def cut(text: str) -> str:
    """Return a text as far as Milvus takes it."""
    data = text.encode("utf-8")
    return text if len(data) <= LONGEST else data[:LONGEST].decode("utf-8", errors="ignore")


def _connect(place: str, is_file: bool, timeout: float) -> Any:
    import logging

    from pymilvus import MilvusClient

    for name in ("pymilvus", "milvus_lite", "grpc._server"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # tracebacks for what we explain
    if is_file:
        return MilvusClient(place, timeout=timeout, grpc_options=NO_PINGS, dedicated=True)
    return MilvusClient(place, timeout=timeout, token=os.environ.get("MILVUS_TOKEN", ""))


def _lock_file(path: Path, wait: float) -> IO[str]:
    """Take the file for this process; Milvus Lite would only say that it cannot be opened."""
    if path.suffix != ".db":
        raise UserError(f"{path}: the name of a Milvus Lite file ends in .db")
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_suffix(".lock").open("w")
    deadline = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except BlockingIOError:
            if time.monotonic() >= deadline:
                lock.close()
                raise UserError(
                    f"{path}: another process has it open, and Milvus Lite serves one at a time;"
                    " wait for it, or use a Milvus server (key 'uri')"
                ) from None
            time.sleep(LOCK_POLL_SECONDS)


def _short(error: BaseException) -> str:
    text = str(getattr(error, "message", "") or error) or type(error).__name__
    return " ".join(text.split())[:200]
