"""The record of a whole run: scores of every row, the manifests of all stages, its ledger line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from test_suite_sql_eval import hardness

from text2sql.artifacts import ANSWERS, SCORES, TRAINER_LOG, VERDICTS
from text2sql.files import read_json, read_jsonl
from text2sql.infer.answers import read_answers
from text2sql.models.folder import count_parameters
from text2sql.records import canonical_hash, read_manifest
from text2sql.stage import Stage, upstream
from text2sql.train.stage import is_training

LEVELS = (*hardness.LEVELS, "all")  # Spider's; a record has those of its data set
JOINT = "joint_all"
LEDGER = "ledger.jsonl"  # a line for each run that ended in a table, good or bad; never edited
METRICS = {
    "bird_set": "BIRD execution accuracy",
    "strict": "strict execution accuracy",
    "spider2": "Spider 2.0 execution accuracy",
}


def build_record(table: Stage) -> dict[str, Any]:
    """Collect what the results table says and what it rests on.

    Args:
        table: the table stage; its inputs are the evaluations, by row name.

    Returns:
        Title, metric, database set, level of each question, rows with counts, execution accuracy
        (per cent) by level, outcome of each question and costs, loss curves of the trainings, and
        the manifests of the stages by name.
    """
    evaluations = {name: read_json(stage.output / SCORES) for name, stage in table.inputs.items()}
    verdicts = {
        name: list(read_jsonl(stage.output / VERDICTS)) for name, stage in table.inputs.items()
    }
    first = next(iter(evaluations.values()))
    settings, metric = first["settings"], table.config["metric"]
    levels = [*table.config["levels"], "all", *([JOINT] if table.config[JOINT] else [])]
    return {
        "title": table.config["title"],
        "profile": table.config["profile"],
        "dataset": table.config["dataset"],
        "metric": {
            "name": METRICS.get(metric) or metric_name(first),
            "verdict": metric,
            "version": first["metrics_version"],
            "plug_value": settings["plug_value"],
            "keep_distinct": settings["keep_distinct"],
            "sqlite": first["sqlite_version"],
        },
        "database_set": first["database_set"],
        "test_suite_set": first["test_suite"]["database_set"] if "test_suite" in first else None,
        "levels": [verdict["hardness"] for verdict in next(iter(verdicts.values()))],
        "rows": [
            _row(row, evaluations[row["name"]], verdicts[row["name"]], levels, metric)
            | {"cost": _cost(table.inputs[row["name"]])}
            for row in table.config["rows"]
        ],
        "parameters": _parameters(table),
        "losses": {
            stage.name.removeprefix("train:"): _losses(stage)
            for stage in upstream(table)
            if is_training(stage)
        },
        "stages": _manifests(table),
    }


def _parameters(table: Stage) -> int | None:
    """Number of parameters of the base model, from the headers of its weight files."""
    models = [stage for stage in upstream(table) if stage.kind == "model"]
    return (count_parameters(models[0].output) or None) if models else None


def _losses(training: Stage) -> list[tuple[int, float]]:
    """Step and loss as the trainer logged them.

    A training that went on from a checkpoint logged the steps after it twice; the later ones count.
    """
    log = read_jsonl(training.output / TRAINER_LOG)
    found = {row["current_steps"]: row["loss"] for row in log if row.get("loss") is not None}
    return sorted(found.items())


def per_cent(share: float) -> float:
    """Return a share as per cent, with digits to spare: rounded twice, 1.547 comes out as 1.6."""
    return round(100 * share, 6)


def metric_name(evaluation: dict[str, Any]) -> str:
    """Return what the evaluation's accuracy is called: with several variants, a test suite's."""
    variants = [entry["variants"] for entry in evaluation["database_set"]["databases"].values()]
    return "test-suite accuracy" if max(variants) > 1 else "execution accuracy"


def _row(
    row: dict[str, Any],
    evaluation: dict[str, Any],
    verdicts: list[dict[str, Any]],
    levels: Sequence[str],
    metric: str,
) -> dict[str, Any]:
    suite = evaluation.get("test_suite")
    return {
        "name": row["name"],
        "label": row["label"],
        "without_examples": row["without_examples"],
        **accuracies(evaluation["scores"], verdicts, levels, metric),
        "test_suite_accuracy": suite
        and accuracies(suite["scores"], (), levels, "exec")["accuracy"],
        "further_metrics": evaluation["metrics"],
    }


def accuracies(
    scores: dict[str, Any], verdicts: Iterable[dict[str, Any]], levels: Sequence[str], metric: str
) -> dict[str, Any]:
    """Return, from the evaluator's scores and verdicts, how a row did in a metric.

    Returns:
        ``questions`` and ``accuracy`` (per cent) by level, ``outcomes`` as a text of 0 and 1.
    """
    none = {"count": 0, metric: 0.0}
    return {
        "questions": {level: scores.get(level, none)["count"] for level in levels},
        "accuracy": {level: per_cent(scores.get(level, none)[metric]) for level in levels},
        "outcomes": "".join(str(int(verdict[metric])) for verdict in verdicts),
    }


def levels_of(record: dict[str, Any]) -> list[str]:
    """Return the levels of a record, ``all`` last; ``joint_all``, which is none, stays out."""
    return [level for level in record["rows"][0]["accuracy"] if level != JOINT]


def titles(levels: Iterable[str]) -> list[str]:
    """Return levels as they stand at the head of a table."""
    return [level if level == JOINT else level.capitalize() for level in levels]


def _cost(evaluation: Stage) -> dict[str, Any]:
    """What a row cost: its inference, and the training behind it if there was one."""
    inference = evaluation.inputs["predictions"].inputs["answers"]
    manifest = read_manifest(inference.output) or {}
    answers = list(read_answers(inference.output / ANSWERS))
    seconds = sum(answer.seconds for answer in answers)
    tokens = sum(answer.completion_tokens for answer in answers)
    cost = {
        "seconds_per_1000_questions": round(1000 * seconds / len(answers), 1),
        "tokens_per_second": round(tokens / seconds, 1) if seconds else None,
        "inference_peak_memory_mb": manifest["peak_memory_mb"],
    }
    for stage in upstream(inference):
        if is_training(stage):
            training = read_manifest(stage.output) or {}
            cost["training_seconds"] = training["seconds"]
            cost["training_peak_memory_mb"] = training["peak_memory_mb"]
    return cost


def _manifests(table: Stage) -> dict[str, Any]:
    """Manifests of all stages the table rests on, by name."""
    manifests = {stage.name: read_manifest(stage.output) for stage in upstream(table)}
    return {
        name: {key: value for key, value in manifest.items() if key != "stage"}
        for name, manifest in manifests.items()
        if manifest is not None and name != table.name
    }


def outcomes(record: dict[str, Any], row: dict[str, Any], level: str = "all") -> list[int]:
    """Return 1 or 0 for each question of a level that a row answered."""
    return [
        int(outcome)
        for outcome, of in zip(row["outcomes"], record["levels"], strict=True)
        if level in ("all", of)
    ]


def commits(record: dict[str, Any]) -> list[str]:
    """Return the commits the stages ran at, short, with ``+`` where the checkout was changed.

    A record without stages is of a single one.
    """
    states = [
        attempt["git"]
        for manifest in record.get("stages", {"": record}).values()
        for attempt in (manifest, *manifest.get("earlier_attempts", ()))
    ]
    return sorted({f"{(s['sha'] or 'none')[:10]}{'+' if s['dirty'] else ''}" for s in states})


def total_seconds(record: dict[str, Any]) -> float:
    """Return the time all stages took together; side by side they take less on the clock."""
    return float(sum(manifest["seconds"] for manifest in record["stages"].values()))


def append_to_ledger(folder: Path, record: dict[str, Any]) -> bool:
    """Append a run to the ledger in a folder, unless it is there already.

    Returns:
        Whether a line was added.
    """
    path = folder / LEDGER
    line = (json.dumps(_ledger_entry(record), ensure_ascii=False) + "\n").encode("utf-8")
    folder.mkdir(parents=True, exist_ok=True)
    if path.is_file() and line in path.read_bytes().splitlines(keepends=True):
        return False
    # One write of one line to an unbuffered file opened for appending is whole or not there at all.
    with path.open("ab", buffering=0) as stream:
        stream.write(line)
    return True


def _ledger_entry(record: dict[str, Any]) -> dict[str, Any]:
    stages = record["stages"]
    return {
        "finished": max(manifest["finished"] for manifest in stages.values()),
        "profile": record["profile"],
        "dataset": record["dataset"],
        "metric": record["metric"],
        "accuracy": {row["name"]: row["accuracy"]["all"] for row in record["rows"]},
        "questions": len(record["levels"]),
        "config_hash": canonical_hash({name: m["config_hash"] for name, m in stages.items()}),
        "data_hash": stages["data"]["output_hash"],
        "database_set": record["database_set"]["sha256"],
        "commits": commits(record),
        "dirty": any(manifest["git"]["dirty"] for manifest in stages.values()),
        "hardware": stages["data"]["hardware"],
    }
