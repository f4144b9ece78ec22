"""How solved questions lie in Milvus: a collection of rows, and a row that says how it was made."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from text2sql.rag.config import IndexType

LONGEST = 65_535  # bytes; Milvus takes no longer text
ID_LENGTH = 64
TEXTS = ("question", "masked", "schema_text", "sql", "skeleton", "db_id")
BM25 = "bm25"


def create_collection(
    client: Any,
    name: str,
    fingerprint: Mapping[str, Any],
    dimension: int,
    vectors: Sequence[str],
    index: IndexType,
    timeout: float,
) -> None:
    """Make an empty collection; its fingerprint comes last, so that it stands for a whole one.

    Args:
        client: a connected MilvusClient.
        name: of the collection; what a kill left of one of this name is dropped.
        fingerprint: kept for `read_fingerprint`.
        dimension: length of the vectors.
        vectors: names of the vector fields.
        index: their index type.
        timeout: seconds a request may take.
    """
    from pymilvus import DataType, Function, FunctionType

    for left in (meta_name(name), name):
        client.drop_collection(left, timeout=timeout)
    schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("id", DataType.VARCHAR, max_length=ID_LENGTH, is_primary=True)
    for text in TEXTS:
        schema.add_field(
            text, DataType.VARCHAR, max_length=LONGEST, enable_analyzer=text == "question"
        )
    indexes = client.prepare_index_params()
    for vector in vectors:
        schema.add_field(f"{vector}_vector", DataType.FLOAT_VECTOR, dim=dimension)
        indexes.add_index(field_name=f"{vector}_vector", index_type=index, metric_type="COSINE")
    schema.add_field(BM25, DataType.SPARSE_FLOAT_VECTOR)
    schema.add_function(
        Function(
            name="question_bm25",
            function_type=FunctionType.BM25,
            input_field_names=["question"],
            output_field_names=[BM25],
        )
    )
    indexes.add_index(field_name=BM25, index_type="SPARSE_INVERTED_INDEX", metric_type="BM25")
    client.create_collection(name, schema=schema, index_params=indexes, timeout=timeout)
    _write_fingerprint(client, name, fingerprint, timeout)


def read_fingerprint(client: Any, name: str, timeout: float) -> dict[str, Any] | None:
    """Return what a collection was made with, or None where there is no (whole) one."""
    names = client.list_collections(timeout=timeout)
    if meta_name(name) not in names or name not in names:
        return None
    client.load_collection(meta_name(name), timeout=timeout)
    rows = client.query(
        meta_name(name), filter='id == "fingerprint"', output_fields=["value"], timeout=timeout
    )
    return json.loads(rows[0]["value"]) if rows else None


def meta_name(name: str) -> str:
    """Return the collection that holds the fingerprint of another."""
    # Milvus Lite forgets a collection's description and properties, so they are a row.
    return f"{name}_meta"


def cut(text: str) -> str:
    """Return a text as far as Milvus takes it."""
    data = text.encode("utf-8")
    return text if len(data) <= LONGEST else data[:LONGEST].decode("utf-8", errors="ignore")


def _write_fingerprint(
    client: Any, name: str, fingerprint: Mapping[str, Any], timeout: float
) -> None:
    from pymilvus import DataType

    schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("id", DataType.VARCHAR, max_length=ID_LENGTH, is_primary=True)
    schema.add_field("value", DataType.VARCHAR, max_length=LONGEST)
    schema.add_field("unused", DataType.FLOAT_VECTOR, dim=2)  # Milvus wants a vector
    indexes = client.prepare_index_params()
    indexes.add_index(field_name="unused", index_type="FLAT", metric_type="L2")
    client.create_collection(meta_name(name), schema=schema, index_params=indexes, timeout=timeout)
    row = {"id": "fingerprint", "value": json.dumps(fingerprint), "unused": [0.0, 0.0]}
    client.upsert(meta_name(name), [row], timeout=timeout)
    client.flush(meta_name(name), timeout=timeout)
