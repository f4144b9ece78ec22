"""How each type stores a model's matrices: which of them llama.cpp put into another type, and why.

A k-quant keeps one scale for 256 values, so it takes only matrices whose rows are a multiple of
that long (https://github.com/ggml-org/llama.cpp/blob/master/src/llama-quant.cpp). The others go
into a type with blocks of 32.
"""

from __future__ import annotations

from typing import Any

from text2sql.models.gguf_types import F16, K_BLOCK, block_of
from text2sql.report.formats import Table, markdown_text


def storage_text(record: dict[str, Any]) -> str:
    """Return, for the record of a quantization table, a second table and what it means.

    Args:
        record: ``rows`` with ``type`` and ``matrices``, as `Header.matrices` has them.

    Returns:
        Markdown with a line for each kind of matrix and a column for each type; empty where no type
        needs blocks of 256 or every row of the model divides by them.
    """
    rows = [row for row in record["rows"] if row["type"] != F16]
    if not any(block_of(row["type"]) == K_BLOCK for row in rows):
        return ""
    kinds = rows[0]["matrices"]
    odd = [kind for kind in kinds if kind["row"] % K_BLOCK]
    if not odd:
        return ""
    share = sum(kind["values"] for kind in odd) / sum(kind["values"] for kind in kinds)
    count = sum(sum(kind["types"].values()) for kind in odd)
    whole = sum(sum(kind["types"].values()) for kind in kinds)
    lengths = " and ".join(str(length) for length in sorted({kind["row"] for kind in odd}))
    return (
        f"Types as stored. {count} of {whole} matrices, {100 * share:.0f} % of their values, have"
        f" rows of {lengths} values, no multiple of the {K_BLOCK} that share a scale in a k-quant;"
        " llama.cpp put those into types with blocks of 32.\n\n"
        f"{markdown_text(storage_table(rows))}\n\n"
    )


def storage_table(rows: list[dict[str, Any]]) -> Table:
    """Return which type each kind of matrix is stored in, kinds that are treated alike together."""
    kinds = rows[0]["matrices"]
    values = sum(kind["values"] for kind in kinds)
    groups: dict[tuple[int, tuple[str, ...]], list[dict[str, Any]]] = {}
    for kind in kinds:
        stored = tuple(_stored(row, kind["kind"]) for row in rows)
        groups.setdefault((kind["row"], stored), []).append(kind)
    cells = [
        [
            ", ".join(kind["kind"] for kind in members),
            str(length),
            f"{100 * sum(kind['values'] for kind in members) / values:.0f} %",
            *stored,
        ]
        for (length, stored), members in groups.items()
    ]
    return Table(["Matrices", "row", "of values", *(row["type"] for row in rows)], cells)


def _stored(row: dict[str, Any], name: str) -> str:
    """Return the types of one kind's matrices, with their number where there are several."""
    (types,) = (kind["types"] for kind in row["matrices"] if kind["kind"] == name)
    if len(types) == 1:
        return str(next(iter(types)))
    return ", ".join(f"{count} {stored}" for stored, count in types.items())
