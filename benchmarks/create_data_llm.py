#!/usr/bin/env python
"""Let a model behind llama.cpp's server plan topics, write pairs and translate schemas; count.

    python benchmarks/create_data_llm.py --gguf MODEL.gguf --databases FOLDER --name hotel_group \
        --pairs 60 --translate 6 --folder FOLDER --output benchmarks/create_data_llm.json

--databases holds <database>/<database>.sqlite, such as build/data/sample_databases. The pairs are
on database --name; translated are the prose schemas of the first --translate databases. All answers
and rejects are kept in --folder, so that a run that broke off goes on; its record counts the tokens
and seconds of its last part only, and how many answers stood in the log. docs/own-data.md shows the
result (make results).
"""

from __future__ import annotations

import re
import time
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
from common import load, surroundings
from tqdm import tqdm

from text2sql.chat import AnswerLog, ChatClient
from text2sql.create.stage import CreateOptions, create_data
from text2sql.data.translate import Translator
from text2sql.files import read_jsonl, sha256_file, write_json
from text2sql.infer.config import InferConfig
from text2sql.infer.openai_server import KEY_VARIABLE
from text2sql.schema import read_schema, render_schema
from text2sql.serve.llama_server import LlamaServer

CONTEXT = 4096  # as `make serve-openai` has it
NAMED = re.compile(r"\b\w+\(\)")  # what a reason says of one function alone
PATH = click.Path(path_type=Path)


@click.command()
@click.option("--gguf", type=PATH, required=True, help="GGUF file of the model.")
@click.option("--databases", type=PATH, required=True, help="Folder of SQLite databases.")
@click.option("--name", required=True, help="Database to make pairs on.")
@click.option("--pairs", default=60, help="Pairs to make.")
@click.option("--translate", default=6, help="Databases whose schemas are translated.")
@click.option("--folder", type=PATH, required=True, help="Answers, rejects and data set.")
@click.option("--output", type=PATH, required=True)
def main(
    gguf: Path, databases: Path, name: str, pairs: int, translate: int, folder: Path, output: Path
) -> None:
    """Start the server, measure both, write the record."""
    around = surroundings() | {"load_before": load()}
    paths = sorted(databases.glob("*/*.sqlite"))[:translate]
    server = LlamaServer(gguf, InferConfig(engine="llama.cpp", max_model_len=CONTEXT, batch_size=1))
    try:
        asked = server.asked_by(InferConfig(engine="llama.cpp")).server
        assert asked is not None and asked.base_url is not None

        def client() -> ChatClient:
            return ChatClient(str(asked.base_url), gguf.stem, key_variable=KEY_VARIABLE)

        record = {
            "model": gguf.stem,
            "model_sha256": sha256_file(gguf),
            "server": f"llama.cpp's server of xllamacpp {version('xllamacpp')}",
            "context": CONTEXT,
            "pairs": make_pairs(databases / name / f"{name}.sqlite", pairs, client(), folder),
        }
        write_json(output, record | around | {"load_after": load()})
        record["translated"] = translate_schemas(paths, client(), folder)
        write_json(output, record | around | {"load_after": load()})
    finally:
        server.close()


def make_pairs(database: Path, total: int, client: ChatClient, folder: Path) -> dict[str, Any]:
    """Make a data set with the model and say what became of what it wrote."""
    started = time.monotonic()
    options = CreateOptions(str(database), output=folder / database.stem, total=total, llm=client)
    _, summary = create_data(options)
    rejects: dict[str, Counter[str]] = {}
    for row in read_jsonl(Path(summary["rejects"])):
        rejects.setdefault(row["kind"], Counter())[kind_of(row["reason"])] += 1
    keys = ("db_id", "wanted", "pairs", "train", "dev", "hardness", "removed_as_leaks", "llm")
    return {key: summary[key] for key in keys} | {
        "topics": len(summary["plan"]),
        "rejects": {kind: dict(reasons.most_common()) for kind, reasons in rejects.items()},
        "seconds": round(time.monotonic() - started, 1),
    }


def translate_schemas(paths: list[Path], client: ChatClient, folder: Path) -> dict[str, Any]:
    """Translate the databases' schemas from prose and say which held, and why others did not."""
    translator = Translator(client, AnswerLog(folder / "translate.log.jsonl"))
    started = time.monotonic()
    for path in tqdm(paths, unit="schema"):
        translator.translate(render_schema(read_schema(path), "prose"))
    schemas = translator.schemas
    held = [each for each in schemas if not each.replaced]
    return {
        "schemas": len(schemas),
        "tables": sum(each.tables for each in schemas),
        "schemas_held": len(held),
        "tables_held": sum(each.tables for each in held),
        "schemas_held_at_once": sum(not each.faults for each in schemas),
        "answers": sum(len(each.faults) for each in schemas) + len(held),
        "faults": dict(Counter(kind_of(f) for each in schemas for f in each.faults).most_common()),
        "tokens_in": client.tokens_in,
        "tokens_out": client.tokens_out,
        "seconds": round(time.monotonic() - started, 1),
    }


def kind_of(reason: str) -> str:
    """Return a reason without the names in it."""
    return NAMED.sub("...()", reason.split(":")[0])


if __name__ == "__main__":
    main()
