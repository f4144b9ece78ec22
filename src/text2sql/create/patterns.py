"""The generator's grammar: each pattern makes one kind of query and the slots of its question.

The SQL keeps to Spider's subset (SELECT, joins with ON, WHERE, GROUP BY, HAVING, ORDER BY, LIMIT,
one level of nesting, set operations), which every dialect takes and the evaluator can grade.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from text2sql.create.picker import Condition, Join, NoMatch, Picker, who
from text2sql.create.words import LANGUAGES, Entity, Field, Language, Noun

Slots = dict[Language, dict[str, str]]
AGGREGATES = {
    "avg": {"en": "average", "zh": "平均值"},
    "sum": {"en": "total", "zh": "总和"},
    "max": {"en": "highest", "zh": "最大值"},
    "min": {"en": "lowest", "zh": "最小值"},
}
WAYS = {"ASC": {"en": "ascending", "zh": "升序"}, "DESC": {"en": "descending", "zh": "降序"}}
ENDS = {"DESC": {"en": "highest", "zh": "最高"}, "ASC": {"en": "lowest", "zh": "最低"}}
SIDES = {">": {"en": "above", "zh": "高于"}, "<": {"en": "below", "zh": "低于"}}


@dataclass(frozen=True)
class Draft:
    """A query, the slots of its question, and what must hold for it to have one answer.

    `ties` is a query for the sort keys of one row more than the query's LIMIT of `limit`: the
    answer is certain only when the last two differ.
    """

    sql: str
    slots: Slots
    ties: str = ""
    limit: int = 0


def _slots(*parts: Slots, **words: object) -> Slots:
    """Join slots; a word is a Noun, a text for both languages, or a text for each."""
    made: Slots = {"en": {}, "zh": {}}
    for language in LANGUAGES:
        for part in parts:
            made[language] |= part[language]
        for key, value in words.items():
            if isinstance(value, Field):
                value = value.noun
            if isinstance(value, Entity):
                text = value.noun.plural if language == "en" else value.noun.zh
            elif isinstance(value, Noun):
                text = value.en if language == "en" else value.zh
            elif isinstance(value, dict):
                text = value[language]
            else:
                text = str(value)
            made[language][key] = text
    return made


def _where(condition: Condition) -> str:
    return f" WHERE {condition.sql}" if condition.sql else ""


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


def _aggregate(p: Picker) -> str:
    return p.rng.choice(list(AGGREGATES))


def list_(p: Picker) -> Draft:
    t = p.entity()
    c = p.field(t)
    w = p.conditions(t, other_than=[c])
    sql = f"SELECT {p.column(c)} FROM {p.name(t.name)}{_where(w)}"
    return Draft(sql, _slots(who(t, w), what=c))


def list_two(p: Picker) -> Draft:
    t = p.entity()
    c = p.field(t)
    w = p.conditions(t, other_than=[c])
    d = p.field(t, other_than=[c])
    sql = f"SELECT {p.column(c)}, {p.column(d)} FROM {p.name(t.name)}{_where(w)}"
    return Draft(sql, _slots(who(t, w), what=c, also=d))


def distinct(p: Picker) -> Draft:
    t = p.entity()
    c = p.field(t)
    w = p.conditions(t, other_than=[c])
    return Draft(
        f"SELECT DISTINCT {p.column(c)} FROM {p.name(t.name)}{_where(w)}",
        _slots(who(t, w), what=c),
    )


def count(p: Picker) -> Draft:
    t = p.entity()
    w = p.conditions(t) if t.of("number", "date", "text") else p.conditions(t, most=0)
    return Draft(f"SELECT count(*) FROM {p.name(t.name)}{_where(w)}", _slots(who(t, w)))


def count_distinct(p: Picker) -> Draft:
    t = p.entity()
    c = p.field(t)
    w = p.conditions(t, other_than=[c])
    sql = f"SELECT count(DISTINCT {p.column(c)}) FROM {p.name(t.name)}{_where(w)}"
    return Draft(sql, _slots(who(t, w), what=c))


def aggregate(p: Picker) -> Draft:
    t, a = p.entity(), _aggregate(p)
    c = p.field(t, "number")
    w = p.conditions(t, other_than=[c])
    sql = f"SELECT {a}({p.column(c)}) FROM {p.name(t.name)}{_where(w)}"
    return Draft(sql, _slots(who(t, w), what=c, agg=AGGREGATES[a]))


def aggregate_two(p: Picker) -> Draft:
    t = p.entity()
    a, b = p.rng.sample(list(AGGREGATES), 2)
    c = p.field(t, "number")
    w = p.conditions(t, other_than=[c])
    x = p.column(c)
    sql = f"SELECT {a}({x}), {b}({x}) FROM {p.name(t.name)}{_where(w)}"
    return Draft(sql, _slots(who(t, w), what=c, agg=AGGREGATES[a], agg2=AGGREGATES[b]))


def sorted_(p: Picker) -> Draft:
    t, way = p.entity(), p.rng.choice(list(WAYS))
    c = p.field(t)
    w = p.conditions(t, other_than=[c])
    by = p.field(t, "number", "date", "text")
    sql = f"SELECT {p.column(c)} FROM {p.name(t.name)}{_where(w)} ORDER BY {p.column(by)} {way}"
    return Draft(sql, _slots(who(t, w), what=c, by=by, way=WAYS[way]))


def top(p: Picker) -> Draft:
    t, way = p.entity(), p.rng.choice(list(ENDS))
    by = p.field(t, "number")
    c = p.field(t, other_than=[by])
    w = p.conditions(t, other_than=[c, by])
    rest = f"FROM {p.name(t.name)}{_where(w)} ORDER BY {p.column(by)} {way} LIMIT"
    return Draft(
        f"SELECT {p.column(c)} {rest} 1",
        _slots(who(t, w), what=c, by=by, end=ENDS[way]),
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
        _slots(what=c, by=by, end=ENDS[way], k=k, parents=t),
        ties=f"SELECT {p.column(by)} {rest} {k + 1}",
        limit=k,
    )


def group_count(p: Picker) -> Draft:
    t = p.entity()
    by = p.field(t, "text", "number")
    w = p.conditions(t, other_than=[by])
    g = p.column(by)
    sql = f"SELECT {g}, count(*) FROM {p.name(t.name)}{_where(w)} GROUP BY {g}"
    return Draft(sql, _slots(who(t, w), by=by))


def group_aggregate(p: Picker) -> Draft:
    t, a = p.entity(), _aggregate(p)
    by, c = p.field(t, "text"), p.field(t, "number")
    w = p.conditions(t, other_than=[by, c])
    g = p.column(by)
    sql = f"SELECT {g}, {a}({p.column(c)}) FROM {p.name(t.name)}{_where(w)} GROUP BY {g}"
    return Draft(sql, _slots(who(t, w), by=by, what=c, agg=AGGREGATES[a]))


def group_having(p: Picker) -> Draft:
    t, k = p.entity(), p.rng.randint(2, 5)
    by = p.field(t, "text", "number")
    w = p.conditions(t, most=1, other_than=[by])
    g = p.column(by)
    sql = f"SELECT {g} FROM {p.name(t.name)}{_where(w)} GROUP BY {g} HAVING count(*) >= {k}"
    return Draft(sql, _slots(who(t, w), by=by, k=k))


def most_common(p: Picker) -> Draft:
    t = p.entity()
    by = p.field(t, "text", "number")
    w = p.conditions(t, most=1, other_than=[by])
    g = p.column(by)
    rest = f"FROM {p.name(t.name)}{_where(w)} GROUP BY {g} ORDER BY count(*) DESC LIMIT"
    ties = f"SELECT count(*) {rest} 2"
    return Draft(f"SELECT {g} {rest} 1", _slots(who(t, w), by=by), ties, 1)


def average_compared(p: Picker) -> Draft:
    t, side = p.entity(), p.rng.choice(list(SIDES))
    by = p.field(t, "number")
    c = p.field(t, other_than=[by])
    n, x = p.name(t.name), p.column(by)
    sql = f"SELECT {p.column(c)} FROM {n} WHERE {x} {side} (SELECT avg({x}) FROM {n})"
    return Draft(sql, _slots(what=c, by=by, parents=t, side=SIDES[side]))


def average_compared_where(p: Picker) -> Draft:
    t, side = p.entity(), p.rng.choice(list(SIDES))
    by = p.field(t, "number")
    c, w = p.field(t, other_than=[by]), p.condition(t, other_than=[by])
    n, x = p.name(t.name), p.column(by)
    sql = f"SELECT {p.column(c)} FROM {n} WHERE {w.sql} AND {x} {side} (SELECT avg({x}) FROM {n})"
    return Draft(sql, _slots(what=c, by=by, parents=t, side=SIDES[side], cond=w.words))


def extreme(p: Picker) -> Draft:
    t, a = p.entity(), p.rng.choice(["max", "min"])
    by = p.field(t, "number", "date")
    c = p.field(t, other_than=[by])
    n, x = p.name(t.name), p.column(by)
    sql = f"SELECT {p.column(c)} FROM {n} WHERE {x} = (SELECT {a}({x}) FROM {n})"
    end = ENDS["DESC" if a == "max" else "ASC"]
    return Draft(sql, _slots(what=c, by=by, parents=t, end=end, agg=AGGREGATES[a]))


def _children(p: Picker, join: Join, negated: bool, select: str) -> str:
    inner = f"SELECT {p.name(join.column)} FROM {p.name(join.child.name)}"
    test = "NOT IN" if negated else "IN"
    return (
        f"SELECT {select} FROM {p.name(join.parent.name)} WHERE {p.name(join.ref)} {test} ({inner})"
    )


def with_children(p: Picker) -> Draft:
    j = p.join()
    c = p.field(j.parent)
    w = p.condition(j.child) if p.rng.random() < 0.7 else None
    sql = _children(p, j, False, p.column(c))
    slots = _slots(what=c, parents=j.parent, children=j.child)
    if w:
        sql = f"{sql[:-1]} WHERE {w.sql})"
        slots = _slots(slots, children={lang: who(j.child, w)[lang]["bare"] for lang in LANGUAGES})
    return Draft(sql, slots)


def without_children(p: Picker) -> Draft:
    j = p.join()
    c = p.field(j.parent)
    sql = _children(p, j, True, p.column(c))
    slots = _slots(what=c, parents=j.parent, children=j.child)
    if p.rng.random() < 0.5 and j.child.of("number", "date", "text"):
        w = p.condition(j.child)
        sql = f"{sql[:-1]} WHERE {w.sql})"
        slots = _slots(slots, children={lang: who(j.child, w)[lang]["bare"] for lang in LANGUAGES})
    return Draft(sql, slots)


def count_without_children(p: Picker) -> Draft:
    j = p.join()
    return Draft(_children(p, j, True, "count(*)"), _slots(parents=j.parent, children=j.child))


def _set_operation(operator: str) -> Callable[[Picker], Draft]:
    def pattern(p: Picker) -> Draft:
        t = p.entity()
        c = p.field(t)
        one, two = p.condition(t, other_than=[c]), p.condition(t, other_than=[c])
        if one.sql == two.sql:
            raise NoMatch
        start = f"SELECT {p.column(c)} FROM {p.name(t.name)} WHERE"
        sql = f"{start} {one.sql} {operator} {start} {two.sql}"
        return Draft(sql, _slots(what=c, parents=t, cond=one.words, cond2=two.words))

    return pattern


def except_all(p: Picker) -> Draft:
    t = p.entity()
    c = p.field(t)
    w = p.condition(t, other_than=[c])
    start = f"SELECT {p.column(c)} FROM {p.name(t.name)}"
    sql = f"{start} EXCEPT {start} WHERE {w.sql}"
    return Draft(sql, _slots(what=c, parents=t, cond=w.words))


def join_list(p: Picker) -> Draft:
    j = p.join()
    c, w = p.field(j.child), p.conditions(j.parent, "T1")
    if not w.sql:
        raise NoMatch
    sql = f"SELECT {p.column(c, 'T2')} {_from(p, j)}{_where(w)}"
    return Draft(sql, _slots(who(j.parent, w), what=c, children=j.child))


def join_both(p: Picker) -> Draft:
    j = p.join()
    c, d = p.field(j.child), p.field(j.parent)
    w = p.conditions(j.parent, "T1", most=1, other_than=[d])
    sql = f"SELECT {p.column(c, 'T2')}, {p.column(d, 'T1')} {_from(p, j)}{_where(w)}"
    slots = _slots(who(j.parent, w), what=c, also=d, children=j.child, parent=j.parent.noun)
    return Draft(sql, slots)


def join_count(p: Picker) -> Draft:
    j = p.join()
    w = p.condition(j.parent, "T1")
    sql = f"SELECT count(*) {_from(p, j)}{_where(w)}"
    return Draft(sql, _slots(who(j.parent, w), children=j.child))


def join_aggregate(p: Picker) -> Draft:
    j, a = p.join(), _aggregate(p)
    c, w = p.field(j.child, "number"), p.condition(j.parent, "T1")
    sql = f"SELECT {a}({p.column(c, 'T2')}) {_from(p, j)}{_where(w)}"
    return Draft(sql, _slots(who(j.parent, w), what=c, children=j.child, agg=AGGREGATES[a]))


def join_sorted(p: Picker) -> Draft:
    j, way = p.join(), p.rng.choice(list(WAYS))
    c, by, w = p.field(j.child), p.field(j.child), p.condition(j.parent, "T1")
    order = f"ORDER BY {p.column(by, 'T2')} {way}"
    sql = f"SELECT {p.column(c, 'T2')} {_from(p, j)}{_where(w)} {order}"
    slots = _slots(who(j.parent, w), what=c, by=by, children=j.child, way=WAYS[way])
    return Draft(sql, slots)


def join_top(p: Picker) -> Draft:
    j, way = p.join(), p.rng.choice(list(ENDS))
    c, by = p.field(j.parent), p.field(j.child, "number", "date")
    rest = f"{_from(p, j)} ORDER BY {p.column(by, 'T2')} {way} LIMIT"
    return Draft(
        f"SELECT {p.column(c, 'T1')} {rest} 1",
        _slots(what=c, by=by, parent=j.parent.noun, children=j.child, end=ENDS[way]),
        ties=f"SELECT {p.column(by, 'T2')} {rest} 2",
        limit=1,
    )


def join_group_count(p: Picker) -> Draft:
    j = p.join()
    c = p.label(j.parent)
    w = p.conditions(j.parent, "T1", most=1, other_than=[c])
    group = f"GROUP BY {_group(p, j, c)}"
    sql = f"SELECT {p.column(c, 'T1')}, count(*) {_from(p, j)}{_where(w)} {group}"
    return Draft(sql, _slots(who(j.parent, w), what=c, children=j.child))


def join_group_aggregate(p: Picker) -> Draft:
    j, a = p.join(), _aggregate(p)
    c, d = p.label(j.parent), p.field(j.child, "number")
    w = p.conditions(j.parent, "T1", most=1, other_than=[c])
    measure = f"{a}({p.column(d, 'T2')})"
    group = f"GROUP BY {_group(p, j, c)}"
    sql = f"SELECT {p.column(c, 'T1')}, {measure} {_from(p, j)}{_where(w)} {group}"
    return Draft(sql, _slots(who(j.parent, w), what=c, also=d, children=j.child, agg=AGGREGATES[a]))


def join_group_having(p: Picker) -> Draft:
    j, k = p.join(), p.rng.randint(2, 4)
    c = p.label(j.parent)
    w = p.conditions(j.parent, "T1", most=1, other_than=[c])
    group = f"GROUP BY {_group(p, j, c)} HAVING count(*) >= {k}"
    sql = f"SELECT {p.column(c, 'T1')} {_from(p, j)}{_where(w)} {group}"
    return Draft(sql, _slots(who(j.parent, w), what=c, children=j.child, k=k))


def _join_group_top(p: Picker, j: Join, measure: str, slots: Slots) -> Draft:
    c = p.label(j.parent)
    w = p.conditions(j.parent, "T1", most=1, other_than=[c])
    group = f"GROUP BY {_group(p, j, c)} ORDER BY {measure} DESC LIMIT"
    rest = f"{_from(p, j)}{_where(w)} {group}"
    named = _slots(who(j.parent, w), slots, what=c, parent=j.parent.noun, children=j.child)
    ties = f"SELECT {measure} {rest} 2"
    return Draft(f"SELECT {p.column(c, 'T1')} {rest} 1", named, ties, 1)


def join_group_top(p: Picker) -> Draft:
    return _join_group_top(p, p.join(), "count(*)", _slots())


def join_group_top_sum(p: Picker) -> Draft:
    j, a = p.join(), p.rng.choice(["sum", "avg"])
    d = p.field(j.child, "number")
    return _join_group_top(p, j, f"{a}({p.column(d, 'T2')})", _slots(also=d, agg=AGGREGATES[a]))


def chain_list(p: Picker) -> Draft:
    one, other = p.chain()
    c, w = p.field(other.parent), p.condition(one.parent, "T1")
    sql = f"SELECT DISTINCT {p.column(c, 'T3')} {_chain_from(p, one, other)}{_where(w)}"
    slots = _slots(who(one.parent, w), what=c, children=other.parent, middle=one.child)
    return Draft(sql, slots)


def chain_count(p: Picker) -> Draft:
    one, other = p.chain()
    w, v = p.condition(one.parent, "T1"), p.condition(other.parent, "T3")
    sql = f"SELECT count(*) {_chain_from(p, one, other)} WHERE {w.sql} AND {v.sql}"
    far = {language: who(other.parent, v)[language]["bare"] for language in LANGUAGES}
    return Draft(sql, _slots(who(one.parent, w), children=far, middle=one.child))


def chain_group(p: Picker) -> Draft:
    one, other = p.chain()
    c, w = p.field(other.parent, "text"), p.condition(one.parent, "T1")
    g = p.column(c, "T3")
    sql = f"SELECT {g}, count(*) {_chain_from(p, one, other)}{_where(w)} GROUP BY {g}"
    slots = _slots(who(one.parent, w), what=c, children=other.parent, middle=one.child)
    return Draft(sql, slots)


def chain_top(p: Picker) -> Draft:
    one, other = p.chain()
    c, w = p.field(other.parent, "text"), p.condition(one.parent, "T1")
    g = p.column(c, "T3")
    group = f"GROUP BY {g} ORDER BY count(*) DESC LIMIT"
    rest = f"{_chain_from(p, one, other)}{_where(w)} {group}"
    slots = _slots(who(one.parent, w), what=c, children=other.parent, middle=one.child)
    return Draft(f"SELECT {g} {rest} 1", slots, f"SELECT count(*) {rest} 2", 1)


PATTERNS: dict[str, Callable[[Picker], Draft]] = {
    "list": list_,
    "list_two": list_two,
    "distinct": distinct,
    "count": count,
    "count_distinct": count_distinct,
    "aggregate": aggregate,
    "aggregate_two": aggregate_two,
    "sorted": sorted_,
    "top": top,
    "top_k": top_k,
    "group_count": group_count,
    "group_aggregate": group_aggregate,
    "group_having": group_having,
    "most_common": most_common,
    "average_compared": average_compared,
    "average_compared_where": average_compared_where,
    "extreme": extreme,
    "with_children": with_children,
    "without_children": without_children,
    "count_without_children": count_without_children,
    "intersect": _set_operation("INTERSECT"),
    "except": _set_operation("EXCEPT"),
    "except_all": except_all,
    "union": _set_operation("UNION"),
    "join_list": join_list,
    "join_both": join_both,
    "join_count": join_count,
    "join_aggregate": join_aggregate,
    "join_sorted": join_sorted,
    "join_top": join_top,
    "join_group_count": join_group_count,
    "join_group_aggregate": join_group_aggregate,
    "join_group_having": join_group_having,
    "join_group_top": join_group_top,
    "join_group_top_sum": join_group_top_sum,
    "chain_list": chain_list,
    "chain_count": chain_count,
    "chain_group": chain_group,
    "chain_top": chain_top,
}
