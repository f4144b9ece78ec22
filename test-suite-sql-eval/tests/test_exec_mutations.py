"""Execution verdicts on random mutations of gold queries, judged by both programs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from test_suite_sql_eval.api import Settings, evaluate

from .mutations import mutations

#: Mutations judged; set MUTATIONS for more.
COUNT = int(os.environ.get("MUTATIONS", "2000"))
JUDGE = """
import json, random, sys, warnings
warnings.simplefilter("ignore")
sys.path.insert(0, sys.argv[1])
from exec_eval import eval_exec_match
for line in sys.stdin:
    path, gold, pred, plug, keep = json.loads(line)
    random.seed(0)
    try:
        print(eval_exec_match(path, pred.replace("value", "1"), gold, plug, keep, False))
    except Exception as error:
        print("crash", type(error).__name__)
"""


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("keep_distinct", [False, True])
@pytest.mark.parametrize("plug_value", [False, True])
def test_mutations(
    oracle: tuple[str, Path],
    spider: Path,
    predictions: Path,
    tmp_path: Path,
    plug_value: bool,
    keep_distinct: bool,
) -> None:
    tables: dict[str, dict[str, list[str]]] = {}
    for entry in json.loads((spider / "tables.json").read_text()):
        names = entry["table_names_original"]
        tables[entry["db_id"]] = {name: [] for name in names}
        for number, column in entry["column_names_original"]:
            if number >= 0:
                tables[entry["db_id"]][names[number]].append(column)
    lines = (predictions / "gold.txt").read_text().splitlines()
    pairs = [(line.split("\t")[0], line.split("\t")[1]) for line in lines]
    gold = [pair for pair in pairs if pair[1] != "wta_1"]  # too slow for the official program
    made = list(mutations(gold, tables, COUNT, seed=7))
    for db_id in {item.db_id for item in made}:  # a copy: the official program may write
        target = tmp_path / "database" / db_id / f"{db_id}.sqlite"
        target.parent.mkdir(parents=True)
        shutil.copyfile(spider / "database" / db_id / f"{db_id}.sqlite", target)
    folder = tmp_path / "database"
    asked = [
        [
            str(folder / item.db_id / f"{item.db_id}.sqlite"),
            item.gold,
            item.mutated,
            plug_value,
            keep_distinct,
        ]
        for item in made
    ]
    done = subprocess.run(
        [oracle[0], "-c", JUDGE, str(oracle[1])],
        input="".join(json.dumps(question) + "\n" for question in asked),
        capture_output=True,
        text=True,
        check=True,
    )
    official = done.stdout.splitlines()
    (tmp_path / "gold.txt").write_text("".join(f"{item.gold}\t{item.db_id}\n" for item in made))
    (tmp_path / "pred.txt").write_text("".join(f"{item.mutated}\n" for item in made))
    report = evaluate(
        str(tmp_path / "gold.txt"),
        str(tmp_path / "pred.txt"),
        str(folder),
        settings=Settings(plug_value=plug_value, keep_distinct=keep_distinct),
    )
    assert len(official) == len(made)
    different = [
        (item.gold, item.mutated, theirs, ours["exec"])
        for item, theirs, ours in zip(made, official, report.verdicts, strict=True)
        if not theirs.startswith("crash") and int(theirs) != ours["exec"]
    ]
    assert different == []
