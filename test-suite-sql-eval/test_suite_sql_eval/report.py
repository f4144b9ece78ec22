"""The official report: scores by hardness and by turn, and the tables they are printed in.

The figures are computed as the official evaluator computes them, corner cases included: a partial
score's F1 is that of the mean accuracy and recall, and 1 where both are 0.

Source: Yu et al., Spider (arXiv 1809.08887); Zhong, Yu and Klein (arXiv 2010.02840).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from . import hardness

TYPE_CHECKING = False  # importing typing takes milliseconds
if TYPE_CHECKING:
    from typing import Any

    Scores = dict[str, dict[str, Any]]

LEVELS = (*hardness.LEVELS, "all")
TURNS = ("turn 1", "turn 2", "turn 3", "turn 4", "turn > 4")
PARTIAL_TYPES = (
    "select",
    "select(no AGG)",
    "where",
    "where(no OP)",
    "group(no Having)",
    "group",
    "order",
    "and/or",
    "IUEN",
    "keywords",
)


def turn_name(turn: int) -> str:
    """Return the report's name of a turn counted from 0."""
    return TURNS[min(turn, 4)]


#: Verdicts of ``--extra`` that get scores by level as well.
EXTRA = ("strict", "bird_set")


def compute(
    verdicts: Sequence[dict[str, Any]],
    sessions: int,
    etype: str,
    levels: Iterable[str] = hardness.LEVELS,
) -> Scores:
    """Add up verdicts.

    Args:
        verdicts: one dictionary a question: session, turn, hardness, and exec / exact / partial
            as far as they were asked for.
        sessions: number of interactions, blank ones included.
        etype: ``exec``, ``match`` or ``all``.
        levels: what the verdicts may have as their hardness.

    Returns:
        For each level and turn: count, exec, exact, strict and bird_set where they were judged, and
        for levels the partial scores.
    """
    levels = (*levels, "all")
    partial = lambda: {t: {"acc": 0.0, "rec": 0.0, "f1": 0.0} for t in PARTIAL_TYPES}  # noqa: E731
    kinds = [kind for kind in ("exec", "exact") if etype in ("all", _ETYPE[kind])]
    kinds += [kind for kind in EXTRA if verdicts and kind in verdicts[0]]
    scores: Scores = {
        name: {"count": 0, **dict.fromkeys(kinds, 0.0)} for name in (*levels, "joint_all", *TURNS)
    }
    if "exact" in kinds:
        for name in (*levels, "joint_all"):
            scores[name]["partial"] = partial()
    collected: dict[str, list[dict[str, Any]]] = {name: [] for name in levels}
    failed: dict[str, set[int]] = {kind: set() for kind in kinds}
    for verdict in verdicts:
        names = ["all", turn_name(verdict["turn"])]
        if verdict["hardness"] is not None:
            names.append(verdict["hardness"])
        for name in names:
            scores[name]["count"] += 1
            for kind in kinds:
                scores[name][kind] += verdict[kind]
            if name in collected and verdict.get("partial"):
                collected[name].append(verdict["partial"])
        for kind in kinds:
            if not verdict[kind]:
                failed[kind].add(verdict["session"])
    for name in (*levels, *TURNS):
        for kind in kinds:
            scores[name][kind] /= scores[name]["count"] or 1
    joint = scores["joint_all"]
    joint["count"] = sessions
    for kind in kinds:
        joint[kind] = (sessions - len(failed[kind])) / sessions if sessions else 0.0
    if "exact" in kinds:
        for name in (*levels, "joint_all"):
            if scores[name]["count"]:
                scores[name]["partial"] = _partial_scores(collected.get(name, []))
    return scores


_ETYPE = {"exec": "exec", "exact": "match"}


def _partial_scores(collected: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    out = {}
    for type_ in PARTIAL_TYPES:
        rows = [partial[type_] for partial in collected]
        with_pred = [acc for acc, _, _, _, pred_total in rows if pred_total > 0]
        with_label = [rec for _, rec, _, label_total, _ in rows if label_total > 0]
        acc = sum(with_pred) / len(with_pred) if with_pred else 0.0
        rec = sum(with_label) / len(with_label) if with_label else 0.0
        f1 = 2.0 * acc * rec / (rec + acc) if acc or rec else 1.0
        out[type_] = {"acc": acc, "rec": rec, "f1": f1}
    return out


def _line(name: str, cells: list[Any], form: str) -> str:
    return f"{name:20} " + " ".join(form.format(cell) for cell in cells)


def render(scores: Scores, etype: str, with_turns: bool) -> str:
    """Return the official tables as text, character for character."""
    levels = [name for name in scores if name not in TURNS and (with_turns or name != "joint_all")]
    out = [
        _line("", levels, "{:20}"),
        _line("count", [scores[level]["count"] for level in levels], "{:<20d}"),
    ]

    def figures(name: str, cells: list[float]) -> None:
        out.append(_line(name, cells, "{:<20.3f}"))

    if etype in ("all", "exec"):
        out.append("=====================   EXECUTION ACCURACY     =====================")
        figures("execution", [scores[level]["exec"] for level in levels])
    if etype in ("all", "match"):
        out.append("\n====================== EXACT MATCHING ACCURACY =====================")
        figures("exact match", [scores[level]["exact"] for level in levels])
        for title, key in (
            ("\n---------------------PARTIAL MATCHING ACCURACY----------------------", "acc"),
            ("---------------------- PARTIAL MATCHING RECALL ----------------------", "rec"),
            ("---------------------- PARTIAL MATCHING F1 --------------------------", "f1"),
        ):
            out.append(title)
            for type_ in PARTIAL_TYPES:
                figures(type_, [scores[level]["partial"][type_][key] for level in levels])
    if with_turns:
        out += ["", "", _line("", list(TURNS), "{:20}")]
        out.append(_line("count", [scores[turn]["count"] for turn in TURNS], "{:<20d}"))
        if etype in ("all", "exec"):
            out.append("=====================   TURN EXECUTION ACCURACY     =====================")
            figures("execution", [scores[turn]["exec"] for turn in TURNS])
        if etype in ("all", "match"):
            out.append(
                "\n====================== TURN EXACT MATCHING ACCURACY ====================="
            )
            figures("exact match", [scores[turn]["exact"] for turn in TURNS])
    return "\n".join(out)
