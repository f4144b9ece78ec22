"""Spider 2.0-lite's questions on SQLite as evaluation questions."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

from test_suite_sql_eval.errors import InputError
from test_suite_sql_eval.spider2 import Instance, read_instances

from text2sql.data.config import DataConfig, resolve
from text2sql.data.rows import Row
from text2sql.errors import UserError
from text2sql.files import write_jsonl

METRIC = "spider2"  # of data sets that are read and judged in this way
INSTANCES = "instances.jsonl"  # the instance id of each evaluation question, in order


def spider2_folder(config: DataConfig) -> Path:
    """Return the folder that holds the questions of a config and the evaluation suite."""
    return resolve(config.evaluation).parent


def instances_of(folder: Path) -> list[Instance]:
    """Return all instances; raise UserError where the files are missing or of another form."""
    try:
        return read_instances(folder)
    except InputError as error:
        raise UserError(str(error).splitlines()[0]) from None


def spider2_rows(config: DataConfig) -> list[Row]:
    """Return the questions that can be scored; their evidence is the document they refer to.

    They have no gold SQL: what counts are results.

    Raises:
        UserError: a file is missing, or none of the questions can be scored.
    """
    place, instances = resolve(config.evaluation), instances_of(spider2_folder(config))
    scored = [instance for instance in instances if not instance.unscorable]
    if not scored:
        reasons = Counter(instance.unscorable for instance in instances)
        reason, count = reasons.most_common(2)[-1]
        raise UserError(f"{place}: no question can be scored; of {count}: {reason}")
    return [
        Row(place.name, number, instance.question, "", "", instance.db, _document(instance))
        for number, instance in enumerate(scored)
    ]


def _document(instance: Instance) -> str:
    if instance.document is None:
        return ""
    try:
        return instance.document.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        print(f"{instance.document}: cannot be read; {instance.id} goes without", file=sys.stderr)
        return ""


def write_instances(config: DataConfig, output: Path, limit: int | None) -> dict[str, Any]:
    """Write which instance each question is; return the ids that are not scored, by reason."""
    instances = instances_of(spider2_folder(config))
    scored = [instance for instance in instances if not instance.unscorable]
    write_jsonl(output / INSTANCES, ({"instance_id": each.id} for each in scored[:limit]))
    unscored: dict[str, list[str]] = {}
    for instance in instances:
        if instance.unscorable:
            unscored.setdefault(instance.unscorable, []).append(instance.id)
    for reason, ids in unscored.items():
        print(f"not scored, {reason}: {len(ids)}", file=sys.stderr, flush=True)
    return {"unscored": unscored}
