"""Training rows in the formats of LLaMA-Factory, written one row at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from text2sql.data.sharing import Sharing
from text2sql.files import atomic_open, write_json
from text2sql.prompt import Message, shared_text
from text2sql.schema.prune import estimate_tokens


@contextmanager
def json_array(path: Path) -> Iterator[Callable[[Any], None]]:
    """Open a JSON array whose items, one a line, need not be in memory together; yield its add."""
    with atomic_open(path) as stream:
        opening = before = "[\n"

        def add(value: Any) -> None:
            nonlocal before
            stream.write(before + json.dumps(value, ensure_ascii=False))
            before = ",\n"

        yield add
        stream.write("[]\n" if before == opening else "\n]\n")


def write_training(rows: Iterable[tuple[Sequence[Message], str]], output: Path) -> Sharing:
    """Write ``train.json`` (ShareGPT), ``train_alpaca.json`` and what tells LLaMA-Factory of them.

    Args:
        rows: of each the messages that ask, a system text first, and the SQL.
        output: folder to write into.

    Returns:
        What the rows would gain from shared schemas, in estimated tokens.
    """
    sharing = Sharing()
    with (
        json_array(output / "train.json") as add_sharegpt,
        json_array(output / "train_alpaca.json") as add_alpaca,
    ):
        for messages, sql in rows:
            system, user, *opening = (message["content"] for message in messages)
            answer = "".join(opening) + sql
            turns = [{"from": "human", "value": user}, {"from": "gpt", "value": answer}]
            add_sharegpt({"conversations": turns, "system": system})
            add_alpaca({"instruction": user, "input": "", "output": answer, "system": system})
            schema = system + shared_text(user)
            shared, whole = estimate_tokens(schema), estimate_tokens(system + user + answer)
            sharing.add(hash(schema), shared, whole)
    write_dataset_info(output)
    return sharing


def write_dataset_info(output: Path) -> None:
    """Write the ``dataset_info.json`` that tells LLaMA-Factory what the files hold."""
    info: dict[str, Any] = {
        "train": {
            "file_name": "train.json",
            "formatting": "sharegpt",
            "columns": {"messages": "conversations", "system": "system"},
        },
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
    write_json(output / "dataset_info.json", info)
