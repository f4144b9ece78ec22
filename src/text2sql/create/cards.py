"""Table cards: a schema as short text for a language model, within a token budget."""

from __future__ import annotations

from text2sql.schema import Column, Schema, Table
from text2sql.schema.prune import estimate_tokens

EXAMPLES_SHOWN = 3
# What a card holds besides names and links, from the most to the least detailed.
LEVELS: tuple[frozenset[str], ...] = (
    frozenset({"examples", "comments", "types", "columns"}),
    frozenset({"comments", "types", "columns"}),
    frozenset({"types", "columns"}),
    frozenset({"columns"}),
    frozenset(),
)


def table_card(schema: Schema, table: Table, parts: frozenset[str] = LEVELS[0]) -> str:
    """Return one table's card: name, size, columns as far as `parts` says, and its links.

    Keys and foreign-key links are always there.
    """
    head = f"{'view' if table.is_view else 'table'} {table.name}"
    if table.row_count is not None:
        head += f" ({table.row_count} rows)"
    if "comments" in parts and table.comment:
        head += f": {table.comment}"
    columns = [_column(c, parts) for c in table.columns if "columns" in parts or c.primary_key]
    links = [
        # Not "link": a small model took that for the name of a table.
        f"  {k.column} references {k.ref_table}.{k.ref_column}"
        for k in schema.foreign_keys
        if k.table == table.name
    ]
    body = [f"  {', '.join(columns)}"] if columns else []
    return "\n".join([head, *body, *links])


def render_cards(schema: Schema, budget: int) -> list[str]:
    """Return the cards of all tables as one text, or several, none longer than the budget.

    Detail is given up before tables are parted: examples first, then comments, types, and columns
    that are no key. Only when the barest cards are too long do they become several texts. A single
    card longer than the budget stands in a text of its own.

    Args:
        schema: the schema.
        budget: most tokens a text may take, by an estimate.
    """
    for parts in LEVELS:
        cards = [table_card(schema, table, parts) for table in schema.tables]
        text = "\n".join(cards)
        if estimate_tokens(text) <= budget:
            return [text]
    texts: list[str] = []
    for card in cards:
        if texts and estimate_tokens(f"{texts[-1]}\n{card}") <= budget:
            texts[-1] += f"\n{card}"
        else:
            texts.append(card)
    return texts


def _column(column: Column, parts: frozenset[str]) -> str:
    text = column.name
    if "types" in parts:
        text += f" {column.type}"
    if column.primary_key:
        text += " key"
    if "comments" in parts and column.comment:
        text += f" '{column.comment}'"
    if "examples" in parts and column.examples:
        text += f" [{'; '.join(str(v) for v in column.examples[:EXAMPLES_SHOWN])}]"
    return text
