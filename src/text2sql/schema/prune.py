"""Make a schema fit a token budget by leaving out what the question does not seem to need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from text2sql.schema.linker import Relevance, Scorer
from text2sql.schema.model import Column, Schema, Table
from text2sql.schema.render import render_schema
from text2sql.schema.words import parts, stem

CHARACTERS_PER_TOKEN = 3.0  # a careful guess for DDL, used where no tokenizer is given
# Beside a linker's probabilities, words that a column's name shares with the question count so
# much, and so much of that where its table shares none. Chosen on training databases held out.
WORD_WEIGHT, ALONE = 0.8, 0.3
EXAMPLE_WEIGHT, TABLE_WEIGHT, COLUMN_WEIGHT = 2.0, 2.0, 1.0


def estimate_tokens(text: str) -> int:
    """Guess a text's length in tokens without a tokenizer."""
    return int(len(text) / CHARACTERS_PER_TOKEN) + 1


def prune_schema(
    schema: Schema,
    question: str,
    budget: int,
    style: str = "ddl",
    count_tokens: Callable[[str], int] = estimate_tokens,
    scorer: Scorer | None = None,
) -> Schema:
    """Return the schema, less its least relevant columns and then tables, so that it fits.

    Relevance is word overlap between the question and names or example values: keys of a kept
    table stay as long as the table does, since joins need them; a table that shares no word with
    the question goes before any column of one that does. With a trained linker it is what that
    says of each column, and the words of its name; of a key at least as much as of both tables.

    Args:
        schema: the whole schema.
        question: the question it has to serve.
        budget: most tokens that its rendering may take.
        style: rendering style that is counted.
        count_tokens: length of a text in tokens; without a tokenizer it is estimated.
        scorer: the trained linker; None is word overlap.

    Returns:
        The schema itself when it fits; else a smaller one. At least one table is left, even if it
        alone is over the budget.
    """

    def fits(candidate: Schema) -> bool:
        return count_tokens(render_schema(candidate, style)) <= budget

    if fits(schema):
        return schema
    words = _words(question)
    if scorer:
        order = _order_by_scores(schema, scorer(schema, question), words)
    else:
        order = _removal_order(schema, words)
    # Fewer removals are always better and more always shorter: look for the least that fit.
    low, high = 1, len(order)
    while low < high:
        middle = (low + high) // 2
        if fits(_without(schema, order[:middle])):
            high = middle
        else:
            low = middle + 1
    return _without(schema, order[:low])


def _words(text: str) -> frozenset[str]:
    return frozenset(map(stem, parts(text)))


def _overlap(text: str, words: frozenset[str]) -> float:
    own = _words(text)
    return len(own & words) / len(own) if own else 0.0


def _column_score(column: Column, words: frozenset[str]) -> float:
    examples = max(
        (_overlap(str(v), words) for v in column.examples if isinstance(v, str)), default=0.0
    )
    return COLUMN_WEIGHT * _overlap(column.name, words) + EXAMPLE_WEIGHT * (examples == 1.0)


def _removal_order(schema: Schema, words: frozenset[str]) -> list[tuple[str, str | None]]:
    """(table, column) pairs, least relevant first; column None stands for the table's rest."""
    keyed = {(k.table, k.column) for k in schema.foreign_keys}
    keyed |= {(k.ref_table, k.ref_column) for k in schema.foreign_keys}
    scores = {
        table.name: TABLE_WEIGHT * _overlap(table.name, words)
        + sum(_column_score(column, words) for column in table.columns)
        for table in schema.tables
    }
    related = dict(scores)
    for key in schema.foreign_keys:  # a table between two relevant ones is needed to join them
        for one, other in ((key.table, key.ref_table), (key.ref_table, key.table)):
            related[one] = max(related[one], 0.5 * scores[other])
    tables = sorted(schema.tables, key=lambda table: related[table.name])
    irrelevant = [(t.name, None) for t in tables if related[t.name] == 0]
    columns = sorted(
        (
            (_column_score(column, words), related[table.name], table.name, column.name)
            for table in tables
            if related[table.name] > 0
            for column in table.columns
            if not column.primary_key and (table.name, column.name) not in keyed
        ),
        key=lambda entry: entry[:2],
    )
    optional = [(table, column) for score, _, table, column in columns if score == 0]
    matched = [(table, column) for score, _, table, column in columns if score > 0]
    rest = [(t.name, None) for t in tables if related[t.name] > 0]
    order: list[tuple[str, str | None]] = [*irrelevant, *optional, *rest, *matched]
    keep_last = tables[-1].name
    return [entry for entry in order if entry != (keep_last, None)]


def _order_by_scores(
    schema: Schema, scores: Relevance, words: frozenset[str]
) -> list[tuple[str, str | None]]:
    """(table, column) pairs, least relevant first; the last column of a table takes it along."""
    columns: dict[tuple[str, str], float] = {}
    needed = dict(scores.tables)
    for table in schema.tables:
        share = ALONE + (1 - ALONE) * _overlap(table.name, words)
        for column in table.columns:
            score = scores.columns[table.name, column.name]
            needed[table.name] = max(needed[table.name], score)
            named = WORD_WEIGHT * share * _overlap(column.name, words)
            columns[table.name, column.name] = score + named
    for key in schema.foreign_keys:  # those of a join are needed as much as what is joined
        joined = min(needed.get(key.table, 0.0), needed.get(key.ref_table, 0.0))
        for end in ((key.table, key.column), (key.ref_table, key.ref_column)):
            if end in columns:
                columns[end] = max(columns[end], joined)
    for each in schema.tables:  # one that is needed is shown by the likeliest of its columns
        names = [(each.name, column.name) for column in each.columns]
        if names:
            likeliest = max(names, key=lambda name: columns[name])
            columns[likeliest] = max(columns[likeliest], scores.tables[each.name])
    return [*sorted(columns, key=lambda name: columns[name])[:-1]]


def _without(schema: Schema, removed: list[tuple[str, str | None]]) -> Schema:
    gone = set(removed)
    tables: list[Table] = []
    for table in schema.tables:
        if (table.name, None) in gone:
            continue
        kept = [i for i, c in enumerate(table.columns) if (table.name, c.name) not in gone]
        if kept:
            columns = tuple(table.columns[i] for i in kept)
            rows = tuple(tuple(row[i] for i in kept) for row in table.rows)
            tables.append(replace(table, columns=columns, rows=rows))
    left = {(t.name, c.name) for t in tables for c in t.columns}
    keys = tuple(
        k
        for k in schema.foreign_keys
        if (k.table, k.column) in left and (k.ref_table, k.ref_column) in left
    )
    return replace(schema, tables=tuple(tables), foreign_keys=keys)
