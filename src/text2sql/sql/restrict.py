"""Queries of which some columns are hidden, where a database cannot be told to hide them."""

from __future__ import annotations

from sqlglot import exp
from sqlglot.optimizer.scope import traverse_scope

from text2sql.schema import Schema
from text2sql.schema.deny import Hidden


def restricted(tree: exp.Query, schema: Schema, hidden: Hidden) -> exp.Query:
    """Return a query in which tables with hidden columns are subqueries of the others.

    So ``*``, whole rows, renamed columns and joins by name see only what may be seen.

    Args:
        tree: a query over the tables of `schema`.
        schema: the tables without what is hidden.
        hidden: the columns that are.
    """
    if not any(table.name.casefold() in hidden for table in tree.find_all(exp.Table)):
        return tree
    tree = tree.copy()
    sources = [
        source
        for scope in traverse_scope(tree)
        for source in scope.sources.values()
        if isinstance(source, exp.Table) and source.name.casefold() in hidden
    ]
    for source in {id(source): source for source in sources}.values():
        table = schema.table(source.name)
        assert table, "names are checked before"
        alias = source.args.get("alias") or exp.TableAlias(this=source.this.copy())
        inner = exp.Table(**{part: source.args.get(part) for part in ("this", "db", "catalog")})
        columns = [exp.column(exp.to_identifier(c.name, quoted=True)) for c in table.columns]
        query = exp.select(*columns).from_(inner.copy())
        moved = {
            part: value
            for part, value in source.args.items()
            if part not in ("this", "db", "catalog", "alias") and value
        }
        source.replace(exp.Subquery(this=query, alias=alias.copy(), **moved))
    return tree
