"""A base set against its variants: what the same questions lose when they are asked differently."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from text2sql.question import Question
from text2sql.report.formats import Table, markdown_text
from text2sql.report.uncertainty import discordant, mcnemar, p_text, standard_error
from text2sql.schema.words import parts, stem

LEAST_OVERLAP = 0.3  # of words, for two questions to be the same in other words
RENAMED = "new_"  # begins the names of databases that a variant changed


@dataclass(frozen=True)
class JudgedSet:
    """A data set's questions and, for each row of the table, whether each of them is right.

    Attributes:
        name: of the data set.
        questions: in order.
        outcomes: by the row's name, 1 or 0 for each question.
    """

    name: str
    questions: Sequence[Question]
    outcomes: Mapping[str, Sequence[int]]


def pair_questions(base: Sequence[Question], variant: Sequence[Question]) -> dict[int, int]:
    """Return which question of the base set each question of a variant asks in other words.

    A pair is on the same database. Those with the same gold SQL come first, then those with the
    same words at least in a part (`LEAST_OVERLAP`); of several the one with most words in common.
    No question is in two pairs, and one without a partner in none.

    Returns:
        Place in `base` by place in `variant`.
    """
    by_database: dict[str, list[int]] = defaultdict(list)
    for place, question in enumerate(base):
        by_database[question.db_id].append(place)
    base_words = [_words(question.question) for question in base]
    base_sql = [_sql(question.gold) for question in base]
    chances = []
    for place, question in enumerate(variant):
        words, sql = _words(question.question), _sql(question.gold)
        names = (question.db_id, question.db_id.removeprefix(RENAMED))
        for other in (n for name in dict.fromkeys(names) for n in by_database[name]):
            common = _overlap(words, base_words[other])
            same = sql == base_sql[other]
            if same or common >= LEAST_OVERLAP:
                # Where all else is equal, those at about the same place: files keep their order.
                chances.append((not same, -common, abs(place - other), place, other))
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for *_, place, other in sorted(chances):
        if place not in pairs and other not in taken:
            pairs[place] = other
            taken.add(other)
    return pairs


def robustness(
    base: JudgedSet, variants: Sequence[JudgedSet], labels: Mapping[str, str]
) -> dict[str, Any]:
    """Return how each row does on a base set and on its variants, and on the pairs of the two.

    Args:
        base: the base set.
        variants: its variants, judged for the same rows.
        labels: titles of the rows by name, in the order of the table.

    Returns:
        ``base``, and ``sets``: of each variant its name, numbers of questions and of pairs, and
        rows with accuracy and standard error on all, both accuracies on the pairs, the questions
        only one of the two has right, and the exact McNemar p; shares between 0 and 1.
    """
    sets = []
    for variant in variants:
        pairs = pair_questions(base.questions, variant.questions)
        rows = {
            name: _compare(base.outcomes[name], variant.outcomes[name], pairs) for name in labels
        }
        counts = {"questions": len(variant.questions), "pairs": len(pairs)}
        sets.append({"name": variant.name, **counts, "rows": rows})
    own = {name: _share(base.outcomes[name]) for name in labels}
    return {
        "base": {"name": base.name, "questions": len(base.questions), "rows": own},
        "labels": dict(labels),
        "sets": sets,
    }


def robustness_table(result: Mapping[str, Any]) -> str:
    """Return what `robustness` gives as Markdown: a line a row and set, in per cent."""
    base = result["base"]
    header = ["Model", "Set", "Questions", "All ± SE", "Pairs", f"{base['name']}, pairs"]
    header += ["set, pairs", "difference", "p"]
    lines = []
    for name, label in result["labels"].items():
        lines.append([label, base["name"], str(base["questions"]), _all(base["rows"][name])])
        lines[-1] += [""] * (len(header) - len(lines[-1]))
        for each in result["sets"]:
            row = each["rows"][name]
            lost, won = row["lost"], row["won"]
            change = 100 * (won - lost) / each["pairs"] if each["pairs"] else 0.0
            on_pairs = (f"{100 * row[key]:.1f}" for key in ("base_on_pairs", "on_pairs"))
            cells = [label, each["name"], str(each["questions"]), _all(row), str(each["pairs"])]
            lines.append([*cells, *on_pairs, f"{change:+.1f}", p_text(row["p"])])
    notes = [
        f"{each['name']}: {each['questions'] - each['pairs']} of its questions have no partner in"
        f" {base['name']} and are in 'All' only."
        for each in result["sets"]
        if each["pairs"] < each["questions"]
    ]
    return "\n".join([markdown_text(Table(header, lines)), *notes])


def _compare(
    base: Sequence[int], variant: Sequence[int], pairs: Mapping[int, int]
) -> dict[str, Any]:
    before = [base[other] for other in pairs.values()]
    after = [variant[place] for place in pairs]
    lost, won = discordant(before, after)
    return _share(variant) | {
        "base_on_pairs": sum(before) / len(before) if before else 0.0,
        "on_pairs": sum(after) / len(after) if after else 0.0,
        "lost": lost,
        "won": won,
        "p": mcnemar(lost, won),
    }


def _share(outcomes: Sequence[int]) -> dict[str, Any]:
    share = sum(outcomes) / len(outcomes) if outcomes else 0.0
    return {"accuracy": share, "standard_error": standard_error(share, len(outcomes))}


def _all(row: Mapping[str, Any]) -> str:
    return f"{100 * row['accuracy']:.1f} ± {100 * row['standard_error']:.1f}"


def _words(text: str) -> frozenset[str]:
    return frozenset(map(stem, parts(text)))


def _overlap(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other) if one | other else 0.0


def _sql(text: str) -> str:
    return " ".join(text.casefold().split())
