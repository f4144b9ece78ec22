"""Split pairs by topic so that nothing of the evaluation questions is in training."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

import sqlglot
from sqlglot.tokens import TokenType

from text2sql.create.grammar import Pair
from text2sql.data.decontaminate import normalize

VALUES = frozenset({TokenType.NUMBER, TokenType.STRING})


@lru_cache(maxsize=100_000)
def without_values(sql: str, dialect: str) -> str:
    """Return SQL with ``?`` for every number and text; names stay."""
    tokens = sqlglot.tokenize(sql, read=dialect)
    return " ".join("?" if t.token_type in VALUES else t.text.lower() for t in tokens)


def split_pairs(
    pairs: Sequence[Pair], dev_share: float, seed: int
) -> tuple[list[Pair], list[Pair], dict[str, int]]:
    """Return training pairs, evaluation pairs, and what the leak check took out of training.

    Whole topics go to evaluation until it has its share; where there is one topic alone, whole
    groups of queries that differ in values only. Topics share tables, so a training pair then
    goes whose question, or whose SQL but for values, is also in evaluation.

    Args:
        pairs: all pairs.
        dev_share: share of the pairs to evaluate on, as near as whole topics allow.
        seed: decides which topics.
    """
    rng = random.Random(seed)
    topics = Counter(pair.topic for pair in pairs)
    wanted = dev_share * len(pairs)
    if len(topics) > 1:
        chosen = _choose(topics, wanted, rng)
        dev = [pair for pair in pairs if pair.topic in chosen]
    else:
        groups = Counter(without_values(pair.sql, pair.dialect) for pair in pairs)
        chosen = _choose(groups, wanted, rng)
        dev = [pair for pair in pairs if without_values(pair.sql, pair.dialect) in chosen]
    kept = set(map(id, dev))
    questions = {normalize(pair.question) for pair in dev}
    queries = {without_values(pair.sql, pair.dialect) for pair in dev}
    leaks: Counter[str] = Counter({"question": 0, "sql_but_for_values": 0})
    train = []
    for pair in pairs:
        if id(pair) in kept:
            continue
        if normalize(pair.question) in questions:
            leaks["question"] += 1
        elif without_values(pair.sql, pair.dialect) in queries:
            leaks["sql_but_for_values"] += 1
        else:
            train.append(pair)
    return train, dev, dict(leaks)


def _choose(sizes: Counter[str], wanted: float, rng: random.Random) -> set[str]:
    """Choose groups at random up to the wanted number of pairs: at least one, never all."""
    names = sorted(sizes)
    rng.shuffle(names)
    chosen: set[str] = set()
    total = 0
    for name in names[:-1]:
        if total >= wanted:
            break
        # A group that overshoots by far is left to training, as long as something else may fit.
        if chosen and total + sizes[name] > 1.5 * wanted:
            continue
        chosen.add(name)
        total += sizes[name]
    return chosen
