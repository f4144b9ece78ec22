"""Training rows in the formats of LLaMA-Factory, written one row at a time."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

from text2sql.files import atomic_open, sha256_text, write_json


class JsonArray:
    """Writes a JSON array whose items need not be in memory together."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self.rows = 0

    def add(self, value: Any) -> None:
        """Write one item on a line of its own."""
        self._stream.write(",\n" if self.rows else "[\n")
        self._stream.write(json.dumps(value, ensure_ascii=False))
        self.rows += 1

    def close(self) -> None:
        """End the array."""
        self._stream.write("\n]\n" if self.rows else "[]\n")


def write_rows(
    spool: IO[bytes], starts: Iterable[int], output: Path, validation_share: float, seed: int
) -> dict[str, int]:
    """Write ``train.json`` (ShareGPT), ``train_alpaca.json`` and, if wanted, ``validation.json``.

    Args:
        spool: lines of JSON ``[system, user, answer, db_id]``.
        starts: where each row's line starts, in the order to write.
        output: folder to write into.
        validation_share: share of the databases whose rows go to validation; rows without a
            database id are split by their prompt.
        seed: decides which.

    Returns:
        Number of rows in ``train`` and in ``validation``.
    """
    with ExitStack() as stack:

        def array_file(name: str) -> JsonArray:
            made = JsonArray(stack.enter_context(atomic_open(output / name)))
            stack.callback(made.close)
            return made

        train, alpaca = array_file("train.json"), array_file("train_alpaca.json")
        validation = array_file("validation.json") if validation_share else None
        for start in starts:
            spool.seek(start)
            system, user, answer, db_id = json.loads(spool.readline())
            record = {
                "conversations": [
                    {"from": "human", "value": user},
                    {"from": "gpt", "value": answer},
                ],
                "system": system,
            }
            if validation and _share(f"{seed} {db_id or user}") < validation_share:
                validation.add(record)
                continue
            train.add(record)
            alpaca.add({"instruction": user, "input": "", "output": answer, "system": system})
    return {"train": train.rows, "validation": validation.rows if validation else 0}


def _share(key: str) -> float:
    """A number in [0, 1) that depends on nothing but the key."""
    return int(sha256_text(key)[:8], 16) / 0x1_0000_0000


def write_dataset_info(output: Path, validation: bool) -> None:
    """Write the ``dataset_info.json`` that tells LLaMA-Factory what the files hold."""
    sharegpt = {
        "formatting": "sharegpt",
        "columns": {"messages": "conversations", "system": "system"},
    }
    info: dict[str, Any] = {
        "train": {"file_name": "train.json", **sharegpt},
        "train_alpaca": {
            "file_name": "train_alpaca.json",
            "columns": {
                "prompt": "instruction",
                "query": "input",
                "response": "output",
                "system": "system",
            },
        },
    }
    if validation:
        info["validation"] = {"file_name": "validation.json", **sharegpt}
    write_json(output / "dataset_info.json", info)
