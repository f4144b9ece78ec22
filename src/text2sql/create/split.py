"""Split pairs by topic so that nothing of the evaluation questions is in training."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

import sqlglot
from sqlglot.tokens import TokenType

from text2sql.create.generator import Pair
from text2sql.data.decontaminate import normalize

LARGEST_TOPIC = 1 / 3  # share of all pairs that a topic for evaluation may have
OVERSHOOT = 1.5  # times its share that evaluation may have, where topics do not come out even
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

    Whole topics go to evaluation until it has its share. Where even the smallest topic is more than
    a third of all pairs, groups of queries that differ in values only take the place of topics.
    Topics share tables, so a training pair then goes whose question, or whose SQL but for values,
    is also in evaluation.

    Args:
        pairs: all pairs.
        dev_share: share of the pairs to evaluate on, as near as whole topics allow.
        seed: decides which topics.
    """
    rng = random.Random(seed)
    topics = Counter(pair.topic for pair in pairs)
    wanted = dev_share * len(pairs)
    if min(topics.values(), default=0) <= LARGEST_TOPIC * len(pairs):
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
    if len(sizes) < 2:
        return set()
    names = sorted(sizes)
    rng.shuffle(names)
    chosen: set[str] = set()
    total = 0
    for name in names:
        if len(chosen) < len(names) - 1 and total + sizes[name] <= OVERSHOOT * wanted:
            chosen.add(name)
            total += sizes[name]
        if total >= wanted:
            break
    return chosen or {min(names, key=lambda name: sizes[name])}
