"""Two sets of verdicts on the same questions: what the second fixed and what it broke."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from text2sql.errors import UserError
from text2sql.files import read_jsonl
from text2sql.report.statistics import mcnemar
from text2sql.report.uncertainty import p_text


def load_verdicts(path: Path) -> list[dict[str, Any]]:
    """Read a verdicts file, or that in the folder of an eval stage."""
    return list(read_jsonl(path / "verdicts.jsonl" if path.is_dir() else path))


def compare(first: Sequence[dict[str, Any]], second: Sequence[dict[str, Any]]) -> str:
    """Return as Markdown which questions only one of two runs has right, and the exact p-value.

    Raises:
        UserError: the verdicts are not about the same questions.
    """
    if [(v["db_id"], v["gold"]) for v in first] != [(v["db_id"], v["gold"]) for v in second]:
        raise UserError("the two files are not about the same questions in the same order")
    pairs = list(zip(first, second, strict=True))
    fixed = [pair for pair in pairs if pair[1]["exec"] > pair[0]["exec"]]
    broken = [pair for pair in pairs if pair[0]["exec"] > pair[1]["exec"]]
    right = [sum(v["exec"] for v in verdicts) for verdicts in (first, second)]
    lines = [
        f"{len(pairs)} questions; right: {right[0]} before, {right[1]} after;"
        f" fixed {len(fixed)}, broken {len(broken)};"
        f" exact McNemar p {p_text(mcnemar(len(broken), len(fixed)))}.",
        "## Fixed",
        *(_entry(*pair) for pair in fixed),
        "## Broken",
        *(_entry(*pair) for pair in broken),
    ]
    return "\n\n".join(lines) + "\n"


def _entry(before: dict[str, Any], after: dict[str, Any]) -> str:
    return (
        f"{before['index']} ({before['db_id']}, {before['hardness']})\n\n```sql\n"
        f"-- gold\n{before['gold']}\n-- before\n{before['pred']}\n-- after\n{after['pred']}\n```"
    )
