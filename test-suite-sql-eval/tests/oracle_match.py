"""Runs the official program's exact match on pairs of queries; started by the parity tests.

It runs in its own process and under the oracle's own Python, so that the official modules never
mix with ours.  Usage: python oracle_match.py CHECKOUT < pairs.json > verdicts.json
"""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path
from typing import Any


def main() -> None:
    sys.path.insert(0, sys.argv[1])
    _provide_tokenizer()
    import evaluation
    import process_sql

    request = json.load(sys.stdin)
    schemas: dict[str, Any] = {}
    kmaps = evaluation.build_foreign_key_map_from_json(request["tables"])
    results = []
    for db_id, gold, pred in request["pairs"]:
        if db_id not in schemas:
            path = Path(request["databases"]) / db_id / f"{db_id}.sqlite"
            schemas[db_id] = process_sql.Schema(process_sql.get_schema(str(path)))
        results.append(_judge(evaluation, process_sql, schemas[db_id], kmaps[db_id], gold, pred))
    json.dump(results, sys.stdout)


def _provide_tokenizer() -> None:
    """Gives the official program NLTK's word rules without the download of sentence rules."""
    import nltk
    from nltk.tokenize.destructive import NLTKWordTokenizer

    nltk.word_tokenize = NLTKWordTokenizer().tokenize


def _judge(
    evaluation: types.ModuleType,
    process_sql: types.ModuleType,
    schema: Any,
    kmap: dict[str, str],
    gold: str,
    pred: str,
) -> dict[str, Any]:
    try:
        gold_sql = process_sql.get_sql(schema, gold)
    except Exception as error:
        return {"gold_error": f"{type(error).__name__}: {error}"}
    try:
        pred_sql = process_sql.get_sql(schema, pred)
    except Exception:
        pred_sql = {
            **dict.fromkeys(("except", "intersect", "union", "limit")),
            **{name: [] for name in ("groupBy", "having", "orderBy", "where")},
            "from": {"conds": [], "table_units": []},
            "select": [False, []],
        }
        hardness = None
    else:
        hardness = _hardness(evaluation, pred_sql)
    evaluator = evaluation.Evaluator()
    try:
        ready = []
        for sql in (gold_sql, pred_sql):
            columns = evaluation.build_valid_col_units(sql["from"]["table_units"], schema)
            sql = evaluation.rebuild_sql_val(sql)
            ready.append(evaluation.rebuild_sql_col(columns, sql, kmap))
        exact = bool(evaluator.eval_exact_match(ready[1], ready[0]))
    except Exception as error:
        return {"hardness": hardness, "crash": f"{type(error).__name__}: {error}"}
    return {"hardness": hardness, "exact": exact, "partial": evaluator.partial_scores}


def _hardness(evaluation: types.ModuleType, sql: dict[str, Any]) -> str:
    try:
        return str(evaluation.Evaluator().eval_hardness(sql))
    except Exception as error:
        return f"crash: {type(error).__name__}"


if __name__ == "__main__":
    main()
