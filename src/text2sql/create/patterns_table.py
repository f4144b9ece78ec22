"""Patterns on one table: lists, counts, aggregates, groups, sorting, nesting, set operations."""

from __future__ import annotations

from collections.abc import Callable

from text2sql.create.draft import (
    AGGREGATES,
    ENDS,
    SIDES,
    WAYS,
    Draft,
    make_slots,
    pick_aggregate,
    where,
)
from text2sql.create.picker import NoMatch, Picker, who


def list_(p: Picker) -> Draft:
    t = p.entity()
    c = p.field(t)
    w = p.conditions(t, other_than=[c])
    sql = f"SELECT {p.column(c)} FROM {p.name(t.name)}{where(w)}"
    return Draft(sql, make_slots(who(t, w), what=c))


def list_two(p: Picker) -> Draft:
    t = p.entity()
    c = p.field(t)
    w = p.conditions(t, other_than=[c])
    d = p.field(t, other_than=[c])
    sql = f"SELECT {p.column(c)}, {p.column(d)} FROM {p.name(t.name)}{where(w)}"
    return Draft(sql, make_slots(who(t, w), what=c, also=d))


def distinct(p: Picker) -> Draft:
    t = p.entity()
    c = p.field(t)
    w = p.conditions(t, other_than=[c])
    return Draft(
        f"SELECT DISTINCT {p.column(c)} FROM {p.name(t.name)}{where(w)}",
        make_slots(who(t, w), what=c),
    )


def count(p: Picker) -> Draft:
    t = p.entity()
    w = p.conditions(t) if t.of("number", "date", "text") else p.conditions(t, most=0)
    return Draft(f"SELECT count(*) FROM {p.name(t.name)}{where(w)}", make_slots(who(t, w)))


def count_distinct(p: Picker) -> Draft:
    t = p.entity()
    c = p.field(t)
    w = p.conditions(t, other_than=[c])
    sql = f"SELECT count(DISTINCT {p.column(c)}) FROM {p.name(t.name)}{where(w)}"
    return Draft(sql, make_slots(who(t, w), what=c))


def aggregate(p: Picker) -> Draft:
    t, a = p.entity(), pick_aggregate(p)
    c = p.field(t, "number")
    w = p.conditions(t, other_than=[c])
    sql = f"SELECT {a}({p.column(c)}) FROM {p.name(t.name)}{where(w)}"
    return Draft(sql, make_slots(who(t, w), what=c, agg=AGGREGATES[a]))


def aggregate_two(p: Picker) -> Draft:
    t = p.entity()
    a, b = p.rng.sample(list(AGGREGATES), 2)
    c = p.field(t, "number")
    w = p.conditions(t, other_than=[c])
    x = p.column(c)
    sql = f"SELECT {a}({x}), {b}({x}) FROM {p.name(t.name)}{where(w)}"
    return Draft(sql, make_slots(who(t, w), what=c, agg=AGGREGATES[a], agg2=AGGREGATES[b]))


def sorted_(p: Picker) -> Draft:
    t, way = p.entity(), p.rng.choice(list(WAYS))
    c = p.field(t)
    w = p.conditions(t, other_than=[c])
    by = p.field(t, "number", "date", "text")
    sql = f"SELECT {p.column(c)} FROM {p.name(t.name)}{where(w)} ORDER BY {p.column(by)} {way}"
    return Draft(sql, make_slots(who(t, w), what=c, by=by, way=WAYS[way]))


def top(p: Picker) -> Draft:
    t, way = p.entity(), p.rng.choice(list(ENDS))
    by = p.field(t, "number")
    c = p.field(t, other_than=[by])
    w = p.conditions(t, other_than=[c, by])
    rest = f"FROM {p.name(t.name)}{where(w)} ORDER BY {p.column(by)} {way} LIMIT"
    return Draft(
        f"SELECT {p.column(c)} {rest} 1",
        make_slots(who(t, w), what=c, by=by, end=ENDS[way]),
        ties=f"SELECT {p.column(by)} {rest} 2",
        limit=1,
    )


def top_k(p: Picker) -> Draft:
    t, way, k = p.entity(), p.rng.choice(list(ENDS)), p.rng.randint(2, 5)
    by = p.field(t, "number")
    c = p.field(t, other_than=[by])
    rest = f"FROM {p.name(t.name)} ORDER BY {p.column(by)} {way} LIMIT"
    return Draft(
        f"SELECT {p.column(c)} {rest} {k}",
        make_slots(what=c, by=by, end=ENDS[way], k=k, parents=t),
        ties=f"SELECT {p.column(by)} {rest} {k + 1}",
        limit=k,
    )


def group_count(p: Picker) -> Draft:
    t = p.entity()
    by = p.field(t, "text", "number")
    w = p.conditions(t, other_than=[by])
    g = p.column(by)
    sql = f"SELECT {g}, count(*) FROM {p.name(t.name)}{where(w)} GROUP BY {g}"
    return Draft(sql, make_slots(who(t, w), by=by))


def group_aggregate(p: Picker) -> Draft:
    t, a = p.entity(), pick_aggregate(p)
    by, c = p.field(t, "text"), p.field(t, "number")
    w = p.conditions(t, other_than=[by, c])
    g = p.column(by)
    sql = f"SELECT {g}, {a}({p.column(c)}) FROM {p.name(t.name)}{where(w)} GROUP BY {g}"
    return Draft(sql, make_slots(who(t, w), by=by, what=c, agg=AGGREGATES[a]))


def group_having(p: Picker) -> Draft:
    t, k = p.entity(), p.rng.randint(2, 5)
    by = p.field(t, "text", "number")
    w = p.conditions(t, most=1, other_than=[by])
    g = p.column(by)
    sql = f"SELECT {g} FROM {p.name(t.name)}{where(w)} GROUP BY {g} HAVING count(*) >= {k}"
    return Draft(sql, make_slots(who(t, w), by=by, k=k))


def most_common(p: Picker) -> Draft:
    t = p.entity()
    by = p.field(t, "text", "number")
    w = p.conditions(t, most=1, other_than=[by])
    g = p.column(by)
    rest = f"FROM {p.name(t.name)}{where(w)} GROUP BY {g} ORDER BY count(*) DESC LIMIT"
    ties = f"SELECT count(*) {rest} 2"
    return Draft(f"SELECT {g} {rest} 1", make_slots(who(t, w), by=by), ties, 1)


def average_compared(p: Picker) -> Draft:
    t, side = p.entity(), p.rng.choice(list(SIDES))
    by = p.field(t, "number")
    c = p.field(t, other_than=[by])
    n, x = p.name(t.name), p.column(by)
    sql = f"SELECT {p.column(c)} FROM {n} WHERE {x} {side} (SELECT avg({x}) FROM {n})"
    return Draft(sql, make_slots(what=c, by=by, parents=t, side=SIDES[side]))


def average_compared_where(p: Picker) -> Draft:
    t, side = p.entity(), p.rng.choice(list(SIDES))
    by = p.field(t, "number")
    c, w = p.field(t, other_than=[by]), p.condition(t, other_than=[by])
    n, x = p.name(t.name), p.column(by)
    sql = f"SELECT {p.column(c)} FROM {n} WHERE {w.sql} AND {x} {side} (SELECT avg({x}) FROM {n})"
    return Draft(sql, make_slots(what=c, by=by, parents=t, side=SIDES[side], cond=w.words))


def extreme(p: Picker) -> Draft:
    t, a = p.entity(), p.rng.choice(["max", "min"])
    by = p.field(t, "number", "date")
    c = p.field(t, other_than=[by])
    n, x = p.name(t.name), p.column(by)
    sql = f"SELECT {p.column(c)} FROM {n} WHERE {x} = (SELECT {a}({x}) FROM {n})"
    end = ENDS["DESC" if a == "max" else "ASC"]
    return Draft(sql, make_slots(what=c, by=by, parents=t, end=end, agg=AGGREGATES[a]))


def set_operation(operator: str) -> Callable[[Picker], Draft]:
    """Return the pattern of two queries joined by UNION, INTERSECT or EXCEPT."""

    def pattern(p: Picker) -> Draft:
        t = p.entity()
        c = p.field(t)
        one, two = p.condition(t, other_than=[c]), p.condition(t, other_than=[c])
        if one.sql == two.sql:
            raise NoMatch
        start = f"SELECT {p.column(c)} FROM {p.name(t.name)} WHERE"
        sql = f"{start} {one.sql} {operator} {start} {two.sql}"
        return Draft(sql, make_slots(what=c, parents=t, cond=one.words, cond2=two.words))

    return pattern


def except_all(p: Picker) -> Draft:
    t = p.entity()
    c = p.field(t)
    w = p.condition(t, other_than=[c])
    start = f"SELECT {p.column(c)} FROM {p.name(t.name)}"
    sql = f"{start} EXCEPT {start} WHERE {w.sql}"
    return Draft(sql, make_slots(what=c, parents=t, cond=w.words))
