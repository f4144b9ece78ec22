"""Queries of the same meaning as a gold query, written another way.

Every rewrite holds on every legal database of the schema.  Left out are gold queries that have no
fixed meaning: those with a column that is neither grouped nor aggregated nor fixed by the grouping.
Rows with equal ORDER BY keys come in the order of SQLite's plan; the rewrites keep to what SQLite
plans alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sqlglot import exp
from sqlglot.optimizer.normalize import normalize
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.simplify import simplify
from test_suite_sql_eval.distill.catalog import Catalog, Table
from test_suite_sql_eval.distill.golds import Gold, place_of, table_names

Rewrite = Callable[[Any, Catalog], Iterator[Any]]
_NEGATED = {
    exp.EQ: exp.NEQ,
    exp.NEQ: exp.EQ,
    exp.GT: exp.LTE,
    exp.GTE: exp.LT,
    exp.LT: exp.GTE,
    exp.LTE: exp.GT,
}
_MIRRORED = {
    exp.EQ: exp.EQ,
    exp.NEQ: exp.NEQ,
    exp.GT: exp.LT,
    exp.GTE: exp.LTE,
    exp.LT: exp.GT,
    exp.LTE: exp.GTE,
}


def rewrites(gold: Gold, catalog: Catalog) -> dict[str, str]:
    """Return the kind of rewrite by the SQL of each query of the same meaning."""
    if gold.tree is None or not _determined(gold.tree, catalog):
        return {}
    found: dict[str, str] = {}
    for kind, rewrite in KINDS.items():
        for tree in rewrite(gold.tree.copy(), catalog):
            sql = tree if isinstance(tree, str) else tree.sql(dialect="sqlite")
            if sql != gold.sql:
                found.setdefault(sql, kind)
    return found


def _determined(tree: Any, catalog: Catalog) -> bool:
    """Whether every selected and ordered column is grouped, aggregated or fixed by a key."""
    for select in tree.find_all(exp.Select):
        group = select.args.get("group")
        grouped = (
            {_place(key, catalog) for key in group.expressions} if group is not None else set()
        )
        used = list(select.expressions)
        used += select.args["order"].expressions if select.args.get("order") else []
        bare = [column for item in used for column in _bare_columns(item, select)]
        has_aggregate = any(item.find(exp.AggFunc) for item in used)
        if group is None and not (has_aggregate and bare):
            continue
        tables = table_names(select, catalog)
        fixed = _fixed_tables(select, grouped, tables, catalog)
        for column in bare:
            place = place_of(column, catalog)
            alias = column.table.lower() or next(iter(tables), "")
            if place not in grouped and (place is None or alias not in fixed):
                return False
        if any(isinstance(item, exp.Star) for item in used):
            return False
    return True


def _place(node: Any, catalog: Catalog) -> Any:
    return place_of(node, catalog) if isinstance(node, exp.Column) else node.sql()


def _bare_columns(item: Any, select: Any) -> Iterator[Any]:
    for column in item.find_all(exp.Column):
        own = column.find_ancestor(exp.Select) is select
        if own and column.find_ancestor(exp.AggFunc) is None:
            yield column


def _fixed_tables(
    select: Any, grouped: set[Any], tables: dict[str, str], catalog: Catalog
) -> set[str]:
    """Aliases of which a group holds one row: a key of theirs is grouped, or joined to one."""
    equal = [
        (place_of(eq.this, catalog), place_of(eq.expression, catalog))
        for join in select.args.get("joins") or []
        for eq in join.find_all(exp.EQ)
        if isinstance(eq.this, exp.Column) and isinstance(eq.expression, exp.Column)
    ]
    known = set(grouped)
    if len(set(tables.values())) < len(tables):
        return set()  # a table joined to itself: places do not tell its two roles apart
    fixed: set[str] = set()
    for _ in tables:
        for left, right in equal:
            if left in known or right in known:
                known |= {left, right}
        for alias, name in tables.items():
            table = catalog.tables[name]
            if any(all((name, column) in known for column in key) for key in table.keys):
                fixed.add(alias)
                known |= {(name, column.name) for column in table.columns}
    return fixed


def _aliases(tree: Any, catalog: Catalog) -> Iterator[Any]:
    """Other aliases, or aliases where there were none."""
    for number, select in enumerate(list(tree.find_all(exp.Select))):
        sources = [select.args.get("from_"), *(select.args.get("joins") or [])]
        tables = [s.this for s in sources if s is not None and isinstance(s.this, exp.Table)]
        for place, table in enumerate(tables):
            old, new = table.alias_or_name, f"q{number}_{place}"
            for column in list(select.find_all(exp.Column)):
                if column.table.lower() == old.lower():
                    if column.find_ancestor(exp.Select) is not select and _hides(
                        column, select, old
                    ):
                        continue
                    column.set("table", exp.to_identifier(new))
            table.set("alias", exp.TableAlias(this=exp.to_identifier(new)))
    yield tree


def _hides(column: Any, select: Any, name: str) -> bool:
    """Whether a SELECT between the column and `select` has a table of that name itself."""
    inner = column.find_ancestor(exp.Select)
    while inner is not None and inner is not select:
        sources = [inner.args.get("from_"), *(inner.args.get("joins") or [])]
        if any(s is not None and s.this.alias_or_name.lower() == name.lower() for s in sources):
            return True
        inner = inner.find_ancestor(exp.Select)
    return False


def _join_order(tree: Any, catalog: Catalog) -> Iterator[Any]:
    for select in tree.find_all(exp.Select):
        joins = select.args.get("joins") or []
        first = select.args.get("from_")
        plain = all(not j.args.get("side") and j.args.get("on") is not None for j in joins)
        star = any(isinstance(item, exp.Star) for item in select.expressions)
        if len(joins) == 1 and plain and not star:
            left, right = first.this.copy(), joins[0].this.copy()
            first.set("this", right)
            joins[0].set("this", left)
            yield tree
            return


def _in_to_exists(tree: Any, catalog: Catalog) -> Iterator[Any]:
    for node in tree.find_all(exp.In):
        inner = _simple_subquery(node)
        outer = node.this
        if inner is None or not isinstance(outer, exp.Column):
            continue
        negated = isinstance(node.parent, exp.Not)
        place, target = place_of(outer, catalog), place_of(inner.expressions[0], catalog)
        if negated and not (_not_null(place, catalog) and _not_null(target, catalog)):
            continue
        if not outer.table:
            select = node.find_ancestor(exp.Select)
            outer_tables = [a for a, t in table_names(select, catalog).items() if t == place[0]]
            if len(outer_tables) != 1:
                continue
            outer = exp.column(outer.this.copy(), table=outer_tables[0])
        inner = inner.copy()
        _name_inner_table(inner, catalog)
        match = exp.EQ(this=inner.expressions[0].copy(), expression=outer.copy())
        inner.set("expressions", [exp.Literal.number(1)])
        node.replace(exp.Exists(this=inner.where(match)))
        yield tree
        return


def _in_to_join(tree: Any, catalog: Catalog) -> Iterator[Any]:
    """``x IN (SELECT key FROM t ...)`` as a join: a key matches once at most."""
    select = tree
    if not isinstance(tree, exp.Select) or select.args.get("where") is None:
        return
    node = select.args["where"].this
    if not isinstance(node, exp.In) or not isinstance(node.this, exp.Column):
        return
    inner = _simple_subquery(node)
    tables = table_names(select, catalog)
    if inner is None or len(tables) != 1 or select.args.get("joins"):
        return
    if any(isinstance(item, exp.Star) for item in select.expressions):
        return
    place = place_of(inner.expressions[0], catalog)
    if place is None or (place[1],) not in catalog.tables[place[0]].keys:
        return
    alias = next(iter(tables))
    for column in select.find_all(exp.Column):
        if column.find_ancestor(exp.Select) is select and not column.table:
            column.set("table", exp.to_identifier(alias))
    inner = inner.copy()
    _name_inner_table(inner, catalog)
    on = exp.EQ(this=node.this.copy(), expression=inner.expressions[0].copy())
    where = inner.args.get("where")
    select.set("where", where.copy() if where is not None else None)
    select.append("joins", exp.Join(this=inner.args["from_"].this.copy(), on=on))
    yield select


def _join_to_in(tree: Any, catalog: Catalog) -> Iterator[Any]:
    """A join that only checks a row of the other table, found by its key, as IN."""
    if not isinstance(tree, exp.Select) or len(tree.args.get("joins") or []) != 1:
        return
    join, where = tree.args["joins"][0], tree.args.get("where")
    on = join.args.get("on")
    if join.args.get("side") or not isinstance(on, exp.EQ) or where is None:
        return
    tables = table_names(tree, catalog)
    if len(set(tables.values())) != 2 or tree.find(exp.Star, exp.Subquery):
        return
    for own, other in ((on.this, on.expression), (on.expression, on.this)):
        place = place_of(other, catalog) if isinstance(other, exp.Column) else None
        if place is None or (place[1],) not in catalog.tables[place[0]].keys:
            continue
        parts = list(where.this.flatten()) if isinstance(where.this, exp.And) else [where.this]
        checks = [part for part in parts if _only(part, place[0], catalog)]
        rest = [part for part in parts if not any(part is check for check in checks)]
        kept = [*tree.expressions, *rest, *(tree.args.get(n) for n in ("group", "having", "order"))]
        used = [c for part in kept if part is not None for c in part.find_all(exp.Column)]
        if any((place_of(c, catalog) or place)[0] == place[0] for c in used):
            continue
        sources = {s.this.name.lower(): s.this for s in (tree.args["from_"], join)}
        inner = exp.select(other.copy()).from_(sources.pop(place[0]).copy())
        inner = inner.where(*(check.copy() for check in checks))
        found = exp.In(this=own.copy(), query=inner.subquery())
        tree.args["from_"].set("this", next(iter(sources.values())))
        tree.set("joins", None)
        tree.set("where", exp.Where(this=exp.and_(*(c.copy() for c in rest), found)))
        yield tree
        return


def _only(condition: Any, table: str, catalog: Catalog) -> bool:
    """Whether all columns of a condition are of one table."""
    places = [place_of(column, catalog) for column in condition.find_all(exp.Column)]
    return bool(places) and all(place is not None and place[0] == table for place in places)


def _simple_subquery(node: Any) -> Any:
    """The sub-query of an IN if it is one table's column under a condition, else None."""
    query = node.args.get("query")
    inner = query.this if query is not None else None
    if not isinstance(inner, exp.Select) or len(inner.expressions) != 1:
        return None
    if any(inner.args.get(name) for name in ("joins", "group", "having", "order", "limit")):
        return None
    if not isinstance(inner.expressions[0], exp.Column) or inner.find(exp.Subquery):
        return None
    return inner if isinstance(inner.args["from_"].this, exp.Table) else None


def _name_inner_table(inner: Any, catalog: Catalog) -> None:
    """Give the only table of a sub-query an alias that no outer table has."""
    for column in inner.find_all(exp.Column):
        column.set("table", exp.to_identifier("inner_one"))
    alias = exp.TableAlias(this=exp.to_identifier("inner_one"))
    inner.args["from_"].this.set("alias", alias)


def _between(tree: Any, catalog: Catalog) -> Iterator[Any]:
    found = list(tree.find_all(exp.Between))
    for node in found:
        low = exp.GTE(this=node.this.copy(), expression=node.args["low"].copy())
        high = exp.LTE(this=node.this.copy(), expression=node.args["high"].copy())
        node.replace(exp.Paren(this=exp.And(this=low, expression=high)))
    if found:
        yield tree


def _double_negation(tree: Any, catalog: Catalog) -> Iterator[Any]:
    for where in list(tree.find_all(exp.Where, exp.Having)):
        inner = exp.Not(this=exp.Paren(this=where.this.copy()))
        where.set("this", exp.Not(this=exp.Paren(this=inner)))
    if tree.find(exp.Where, exp.Having):
        yield tree


def _negated_comparison(tree: Any, catalog: Catalog) -> Iterator[Any]:
    changed = False
    for node in list(tree.find_all(*_NEGATED)):
        if node.find_ancestor(exp.Where, exp.Having) is not None:
            opposite = _NEGATED[type(node)](
                this=node.this.copy(), expression=node.expression.copy()
            )
            node.replace(exp.Not(this=exp.Paren(this=opposite)))
            changed = True
            break
    if changed:
        yield tree


def _mirrored_comparison(tree: Any, catalog: Catalog) -> Iterator[Any]:
    for node in list(tree.find_all(*_MIRRORED)):
        if node.find_ancestor(exp.Where, exp.Having) is not None:
            mirrored = _MIRRORED[type(node)]
            node.replace(mirrored(this=node.expression.copy(), expression=node.this.copy()))
            yield tree
            return


def _swapped_conditions(tree: Any, catalog: Catalog) -> Iterator[Any]:
    for node in tree.find_all(exp.And, exp.Or):
        left, right = node.this.copy(), node.expression.copy()
        node.set("this", exp.Paren(this=right))
        node.set("expression", exp.Paren(this=left))
        yield tree
        return


def _in_list_to_or(tree: Any, catalog: Catalog) -> Iterator[Any]:
    for node in tree.find_all(exp.In):
        if node.expressions and not isinstance(node.parent, exp.Not):
            parts = [exp.EQ(this=node.this.copy(), expression=e.copy()) for e in node.expressions]
            node.replace(exp.Paren(this=exp.or_(*parts)))
            yield tree
            return


def _or_to_in_list(tree: Any, catalog: Catalog) -> Iterator[Any]:
    for node in tree.find_all(exp.Or):
        left, right = node.this, node.expression
        same = isinstance(left, exp.EQ) and isinstance(right, exp.EQ) and left.this == right.this
        literals = same and isinstance(left.expression, exp.Literal)
        if literals and isinstance(right.expression, exp.Literal):
            values = [left.expression.copy(), right.expression.copy()]
            node.replace(exp.In(this=left.this.copy(), expressions=values))
            yield tree
            return


def _count_of_not_null(tree: Any, catalog: Catalog) -> Iterator[Any]:
    if any(join.args.get("side") for join in tree.find_all(exp.Join)):
        return
    for node in list(tree.find_all(exp.Count)):
        column = _sure_column(node, catalog) if isinstance(node.this, exp.Star) else None
        if column is not None:
            node.set("this", column)
            yield tree
            return
        if isinstance(node.this, exp.Column) and _not_null(place_of(node.this, catalog), catalog):
            node.set("this", exp.Star())
            yield tree
            return


def _sure_column(node: Any, catalog: Catalog) -> Any:
    """A NOT NULL column of the first table that a COUNT counts rows of, or None."""
    tables = table_names(node.find_ancestor(exp.Select), catalog)
    for alias, name in tables.items():
        for column in catalog.tables[name].columns:
            if column.not_null:
                return exp.column(column.name, table=alias, quoted=True)
    return None


def _not_null(place: Any, catalog: Catalog) -> bool:
    if place is None:
        return False
    table: Table = catalog.tables[place[0]]
    return table.columns[table.position(place[1])].not_null


def _distinct_on_key(tree: Any, catalog: Catalog) -> Iterator[Any]:
    if not isinstance(tree, exp.Select) or tree.args.get("distinct") or tree.args.get("group"):
        return
    tables = table_names(tree, catalog)
    places = {place_of(c, catalog) for c in tree.expressions if isinstance(c, exp.Column)}
    if len(tables) == 1 and not tree.args.get("joins"):
        table = catalog.tables[next(iter(tables.values()))]
        name = table.name.lower()
        if any(all((name, column) in places for column in key) for key in table.keys[:1]):
            tree.set("distinct", exp.Distinct())
            yield tree


def _cte_of_table(tree: Any, catalog: Catalog) -> Iterator[Any]:
    for select in tree.find_all(exp.Select):
        source = select.args.get("from_")
        if source is None or not isinstance(source.this, exp.Table):
            continue
        table = source.this
        body = exp.select("*").from_(exp.to_table(table.name))
        alias = table.alias_or_name
        new = exp.alias_(exp.to_table("same_rows"), alias, table=True)
        source.set("this", new)
        yield f"WITH same_rows AS ({body.sql('sqlite')}) {tree.sql('sqlite')}"
        return


def _cte_of_query(tree: Any, catalog: Catalog) -> Iterator[Any]:
    yield f"WITH answer AS ({tree.sql('sqlite')}) SELECT * FROM answer"


def _derived_table(tree: Any, catalog: Catalog) -> Iterator[Any]:
    yield f"SELECT * FROM ({tree.sql('sqlite')}) AS answer"


def _swapped_sets(tree: Any, catalog: Catalog) -> Iterator[Any]:
    if isinstance(tree, exp.Union | exp.Intersect):
        left, right = tree.this.copy(), tree.expression.copy()
        tree.set("this", right)
        tree.set("expression", left)
        yield tree


def _formatting(tree: Any, catalog: Catalog) -> Iterator[Any]:
    yield tree.sql(dialect="sqlite", pretty=True).replace("\n", " ") + " ;"


def _schema(catalog: Catalog) -> dict[str, dict[str, str]]:
    return {
        table.name: {column.name: column.affinity for column in table.columns}
        for table in catalog.tables.values()
    }


def _optimiser(tree: Any, catalog: Catalog) -> Iterator[Any]:
    """sqlglot's rules that only name things and simplify conditions; others assume a strict SQL."""
    from sqlglot.errors import SqlglotError

    try:
        named = qualify(
            tree, schema=_schema(catalog), dialect="sqlite", validate_qualify_columns=False
        )
        yield named.copy()
        yield simplify(normalize(named), dialect="sqlite")
    except SqlglotError:
        return


KINDS: dict[str, Rewrite] = {
    "aliases": _aliases,
    "join order": _join_order,
    "IN as EXISTS": _in_to_exists,
    "IN as JOIN": _in_to_join,
    "JOIN as IN": _join_to_in,
    "BETWEEN": _between,
    "double negation": _double_negation,
    "negated comparison": _negated_comparison,
    "mirrored comparison": _mirrored_comparison,
    "swapped conditions": _swapped_conditions,
    "IN list as OR": _in_list_to_or,
    "OR as IN list": _or_to_in_list,
    "COUNT of a NOT NULL column": _count_of_not_null,
    "DISTINCT on a key": _distinct_on_key,
    "CTE of a table": _cte_of_table,
    "CTE of the query": _cte_of_query,
    "derived table": _derived_table,
    "swapped set operands": _swapped_sets,
    "formatting": _formatting,
    "sqlglot's optimiser": _optimiser,
}
