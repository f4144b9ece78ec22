"""Verdict for verdict equal to the official evaluator."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from test_suite_sql_eval.api import evaluate
from test_suite_sql_eval.settings import Settings
from test_suite_sql_eval.worker import GRACE

RUN_OFFICIAL = Path(__file__).resolve().parents[1] / "benchmarks" / "run_official.py"
FILES = ("baseline", "full", "lora_r128")
LETTER = {"easy": "e", "medium": "m", "hard": "h", "extra": "x"}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("keep_distinct", [False, True])
@pytest.mark.parametrize("plug_value", [False, True])
def test_published_predictions(
    spider: Path, predictions: Path, name: str, plug_value: bool, keep_distinct: bool
) -> None:
    official = json.loads((predictions / "official_verdicts.json").read_text())[name]
    report = evaluate(
        str(predictions / "gold.txt"),
        str(predictions / f"{name}.txt"),
        str(spider / "database"),
        str(spider / "tables.json"),
        Settings(etype="all", plug_value=plug_value, keep_distinct=keep_distinct),
    )
    key = f"ex_plug{int(plug_value)}_kd{int(keep_distinct)}"
    assert "".join(str(v["exec"]) for v in report.verdicts) == official[key]
    assert "".join(str(v["exact"]) for v in report.verdicts) == official["em"]
    assert "".join(LETTER[v["hardness"]] for v in report.verdicts) == official["hard"]


def test_the_question_that_holds_the_official_program_up(spider: Path, predictions: Path) -> None:
    """It tries all values in all slots of a join over 531,377 rows there: more than 10 minutes."""
    official = json.loads((predictions / "official_verdicts.json").read_text())["baseline"]
    report = evaluate(
        str(predictions / "gold.txt"),
        str(predictions / "baseline.txt"),
        str(spider / "database"),
        settings=Settings(plug_value=True, timeout=5.0),
    )
    slow = report.verdicts[483]
    assert slow["db_id"] == "wta_1"
    assert "FROM matches JOIN rankings" in slow["pred"]
    assert slow["seconds"] < 5.0 + GRACE
    assert slow["exec"] == 0
    for verdict, wanted in zip(report.verdicts, official["ex_plug1_kd0"], strict=True):
        assert verdict["error"] == "timeout" or verdict["exec"] == int(wanted)


@pytest.mark.parametrize("plug_value", [False, True])
def test_gold_as_prediction_is_perfect(
    spider: Path, predictions: Path, tmp_path: Path, plug_value: bool
) -> None:
    lines = (predictions / "gold.txt").read_text().splitlines()
    (tmp_path / "pred.txt").write_text("\n".join(line.split("\t")[0] for line in lines) + "\n")
    report = evaluate(
        str(predictions / "gold.txt"),
        str(tmp_path / "pred.txt"),
        str(spider / "database"),
        str(spider / "tables.json"),
        Settings(etype="all", plug_value=plug_value, extra=not plug_value),
    )
    everything = report.scores["all"]
    assert everything["exec"] == everything["exact"] == 1.0
    assert all(part["f1"] == 1.0 for part in everything["partial"].values())
    if not plug_value:
        assert report.metrics["bird_set_ex"] == report.metrics["execution_success"] == 1.0
        assert report.metrics["strict_ex"] == 1.0


def _tables(text: str) -> str:
    """The official tables without the progress and mismatch lines before them."""
    return text[re.search(r"^ +easy ", text, re.MULTILINE).start() :].rstrip()  # type: ignore[union-attr]


@pytest.mark.slow
@pytest.mark.parametrize("interactions", [False, True])
@pytest.mark.parametrize("etype", ["exec", "match", "all"])
def test_printed_tables_are_those_of_the_official_program(
    oracle: tuple[str, Path],
    spider: Path,
    predictions: Path,
    tmp_path: Path,
    etype: str,
    interactions: bool,
) -> None:
    paths = {}
    for name, source in (("gold", "gold.txt"), ("pred", "full.txt")):
        lines = (predictions / source).read_text().splitlines()[:240]
        if interactions:
            lines = [line + "\n" * (number % 7 == 6) for number, line in enumerate(lines)]
        paths[name] = tmp_path / f"{name}.txt"
        paths[name].write_text("\n".join(lines) + "\n")
    database = tmp_path / "database"  # a copy: the official program may write
    subprocess.run(["cp", "-r", str(spider / "database"), str(database)], check=True)
    subprocess.run(["chmod", "-R", "u+w", str(database)], check=True)
    tables = str(spider / "tables.json")
    arguments = [f"--gold={paths['gold']}", f"--pred={paths['pred']}", f"--db={database}"]
    command = [oracle[0], str(RUN_OFFICIAL), str(oracle[1]), *arguments]
    done = subprocess.run(
        [*command, f"--table={tables}", f"--etype={etype}"],
        capture_output=True,
        text=True,
        check=True,
    )
    report = evaluate(
        str(paths["gold"]), str(paths["pred"]), str(database), tables, Settings(etype=etype)
    )
    assert report.text().rstrip() == _tables(done.stdout)
