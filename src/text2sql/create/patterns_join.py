"""Patterns on tables that foreign keys join: one join, two joins, and nested queries."""

from __future__ import annotations

from text2sql.create.draft import (
    AGGREGATES,
    ENDS,
    WAYS,
    Draft,
    Slots,
    make_slots,
    pick_aggregate,
    where,
)
from text2sql.create.nouns import LANGUAGES, Entity, Field, Language
from text2sql.create.picker import Condition, Join, NoMatch, Picker, who


def _from(p: Picker, join: Join, child: str = "T2") -> str:
    return (
        f"FROM {p.name(join.parent.name)} AS T1 JOIN {p.name(join.child.name)} AS {child}"
        f" ON T1.{p.name(join.ref)} = {child}.{p.name(join.column)}"
    )


def _chain_from(p: Picker, one: Join, other: Join) -> str:
    return (
        f"{_from(p, one)} JOIN {p.name(other.parent.name)} AS T3"
        f" ON T2.{p.name(other.column)} = T3.{p.name(other.ref)}"
    )


def _group(p: Picker, join: Join, label: Field) -> str:
    """Group by the parent's key; DuckDB and SQL Server want every selected column in it too."""
    key = f"T1.{p.name(join.ref)}"
    return f"{key}, {p.column(label, 'T1')}" if p.dialect in ("duckdb", "tsql") else key


def _children(p: Picker, join: Join, negated: bool, select: str) -> str:
    inner = f"SELECT {p.name(join.column)} FROM {p.name(join.child.name)}"
    test = "NOT IN" if negated else "IN"
    return (
        f"SELECT {select} FROM {p.name(join.parent.name)} WHERE {p.name(join.ref)} {test} ({inner})"
    )


def _bare(entity: Entity, condition: Condition) -> dict[Language, str]:
    """The rows that a condition leaves, as words without an article."""
    slots = who(entity, condition)
    return {language: slots[language]["bare"] for language in LANGUAGES}


def with_children(p: Picker) -> Draft:
    j = p.join()
    c = p.field(j.parent)
    w = p.condition(j.child) if p.rng.random() < 0.7 else None
    sql = _children(p, j, False, p.column(c))
    slots = make_slots(what=c, parents=j.parent, children=j.child)
    if w:
        sql = f"{sql[:-1]} WHERE {w.sql})"
        slots = make_slots(
            slots, children={lang: who(j.child, w)[lang]["bare"] for lang in LANGUAGES}
        )
    return Draft(sql, slots)


def without_children(p: Picker) -> Draft:
    j = p.join()
    c = p.field(j.parent)
    sql = _children(p, j, True, p.column(c))
    slots = make_slots(what=c, parents=j.parent, children=j.child)
    if p.rng.random() < 0.5 and j.child.of("number", "date", "text"):
        w = p.condition(j.child)
        sql = f"{sql[:-1]} WHERE {w.sql})"
        slots = make_slots(
            slots, children={lang: who(j.child, w)[lang]["bare"] for lang in LANGUAGES}
        )
    return Draft(sql, slots)


def count_without_children(p: Picker) -> Draft:
    j = p.join()
    return Draft(_children(p, j, True, "count(*)"), make_slots(parents=j.parent, children=j.child))


def join_list(p: Picker) -> Draft:
    j = p.join()
    c, w = p.field(j.child), p.conditions(j.parent, "T1")
    if not w.sql:
        raise NoMatch
    sql = f"SELECT {p.column(c, 'T2')} {_from(p, j)}{where(w)}"
    return Draft(sql, make_slots(who(j.parent, w), what=c, children=j.child))


def join_both(p: Picker) -> Draft:
    j = p.join()
    c, d = p.field(j.child), p.field(j.parent)
    w = p.conditions(j.parent, "T1", most=1, other_than=[d])
    sql = f"SELECT {p.column(c, 'T2')}, {p.column(d, 'T1')} {_from(p, j)}{where(w)}"
    slots = make_slots(who(j.parent, w), what=c, also=d, children=j.child, parent=j.parent.noun)
    return Draft(sql, slots)


def join_count(p: Picker) -> Draft:
    j = p.join()
    w = p.condition(j.parent, "T1")
    sql = f"SELECT count(*) {_from(p, j)}{where(w)}"
    return Draft(sql, make_slots(who(j.parent, w), children=j.child))


def join_aggregate(p: Picker) -> Draft:
    j, a = p.join(), pick_aggregate(p)
    c, w = p.field(j.child, "number"), p.condition(j.parent, "T1")
    sql = f"SELECT {a}({p.column(c, 'T2')}) {_from(p, j)}{where(w)}"
    return Draft(sql, make_slots(who(j.parent, w), what=c, children=j.child, agg=AGGREGATES[a]))


def join_sorted(p: Picker) -> Draft:
    j, way = p.join(), p.rng.choice(list(WAYS))
    c, by, w = p.field(j.child), p.field(j.child), p.condition(j.parent, "T1")
    order = f"ORDER BY {p.column(by, 'T2')} {way}"
    sql = f"SELECT {p.column(c, 'T2')} {_from(p, j)}{where(w)} {order}"
    slots = make_slots(who(j.parent, w), what=c, by=by, children=j.child, way=WAYS[way])
    return Draft(sql, slots)


def join_top(p: Picker) -> Draft:
    j, way = p.join(), p.rng.choice(list(ENDS))
    c, by = p.field(j.parent), p.field(j.child, "number", "date")
    rest = f"{_from(p, j)} ORDER BY {p.column(by, 'T2')} {way} LIMIT"
    return Draft(
        f"SELECT {p.column(c, 'T1')} {rest} 1",
        make_slots(what=c, by=by, parent=j.parent.noun, children=j.child, end=ENDS[way]),
        ties=f"SELECT {p.column(by, 'T2')} {rest} 2",
        limit=1,
    )


def join_group_count(p: Picker) -> Draft:
    j = p.join()
    c = p.label(j.parent)
    w = p.conditions(j.parent, "T1", most=1, other_than=[c])
    group = f"GROUP BY {_group(p, j, c)}"
    sql = f"SELECT {p.column(c, 'T1')}, count(*) {_from(p, j)}{where(w)} {group}"
    return Draft(sql, make_slots(who(j.parent, w), what=c, children=j.child))


def join_group_aggregate(p: Picker) -> Draft:
    j, a = p.join(), pick_aggregate(p)
    c, d = p.label(j.parent), p.field(j.child, "number")
    w = p.conditions(j.parent, "T1", most=1, other_than=[c])
    measure = f"{a}({p.column(d, 'T2')})"
    group = f"GROUP BY {_group(p, j, c)}"
    sql = f"SELECT {p.column(c, 'T1')}, {measure} {_from(p, j)}{where(w)} {group}"
    return Draft(
        sql, make_slots(who(j.parent, w), what=c, also=d, children=j.child, agg=AGGREGATES[a])
    )


def join_group_having(p: Picker) -> Draft:
    j, k = p.join(), p.rng.randint(2, 4)
    c = p.label(j.parent)
    w = p.conditions(j.parent, "T1", most=1, other_than=[c])
    group = f"GROUP BY {_group(p, j, c)} HAVING count(*) >= {k}"
    sql = f"SELECT {p.column(c, 'T1')} {_from(p, j)}{where(w)} {group}"
    return Draft(sql, make_slots(who(j.parent, w), what=c, children=j.child, k=k))


def _join_group_top(p: Picker, j: Join, measure: str, slots: Slots) -> Draft:
    c = p.label(j.parent)
    w = p.conditions(j.parent, "T1", most=1, other_than=[c])
    group = f"GROUP BY {_group(p, j, c)} ORDER BY {measure} DESC LIMIT"
    rest = f"{_from(p, j)}{where(w)} {group}"
    named = make_slots(who(j.parent, w), slots, what=c, parent=j.parent.noun, children=j.child)
    ties = f"SELECT {measure} {rest} 2"
    return Draft(f"SELECT {p.column(c, 'T1')} {rest} 1", named, ties, 1)


def join_group_top(p: Picker) -> Draft:
    return _join_group_top(p, p.join(), "count(*)", make_slots())


def join_group_top_sum(p: Picker) -> Draft:
    j, a = p.join(), p.rng.choice(["sum", "avg"])
    d = p.field(j.child, "number")
    return _join_group_top(p, j, f"{a}({p.column(d, 'T2')})", make_slots(also=d, agg=AGGREGATES[a]))


def chain_list(p: Picker) -> Draft:
    one, other = p.chain()
    c, w = p.field(other.parent), p.condition(one.parent, "T1")
    sql = f"SELECT DISTINCT {p.column(c, 'T3')} {_chain_from(p, one, other)}{where(w)}"
    slots = make_slots(who(one.parent, w), what=c, children=other.parent, middle=one.child)
    return Draft(sql, slots)


def chain_count(p: Picker) -> Draft:
    one, other = p.chain()
    w, v = p.condition(one.parent, "T1"), p.condition(other.parent, "T3")
    sql = f"SELECT count(*) {_chain_from(p, one, other)} WHERE {w.sql} AND {v.sql}"
    far = _bare(other.parent, v)
    return Draft(sql, make_slots(who(one.parent, w), children=far, middle=one.child))


def chain_group(p: Picker) -> Draft:
    one, other = p.chain()
    c, w = p.field(other.parent, "text"), p.condition(one.parent, "T1")
    g = p.column(c, "T3")
    sql = f"SELECT {g}, count(*) {_chain_from(p, one, other)}{where(w)} GROUP BY {g}"
    slots = make_slots(who(one.parent, w), what=c, children=other.parent, middle=one.child)
    return Draft(sql, slots)


def chain_top(p: Picker) -> Draft:
    one, other = p.chain()
    c, w = p.field(other.parent, "text"), p.condition(one.parent, "T1")
    g = p.column(c, "T3")
    group = f"GROUP BY {g} ORDER BY count(*) DESC LIMIT"
    rest = f"{_chain_from(p, one, other)}{where(w)} {group}"
    slots = make_slots(who(one.parent, w), what=c, children=other.parent, middle=one.child)
    return Draft(f"SELECT {g} {rest} 1", slots, f"SELECT count(*) {rest} 2", 1)
