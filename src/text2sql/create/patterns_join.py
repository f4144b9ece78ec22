"""Patterns on tables that foreign keys join: two tables, or two with a link table between them."""

from __future__ import annotations

from text2sql.create.nouns import Field
from text2sql.create.patterns import (
    AGGREGATES,
    ENDS,
    WAYS,
    Draft,
    Patterns,
    Slots,
    first_rows,
    make_slots,
)
from text2sql.create.picker import NO_CONDITION, Condition, Join, NoMatch, Picker, bare, who

JOIN = Patterns()


def _from(p: Picker, j: Join, w: Condition = NO_CONDITION) -> str:
    return (
        f"FROM {p.name(j.parent.name)} AS T1 JOIN {p.name(j.child.name)} AS T2"
        f" ON T1.{p.name(j.ref)} = T2.{p.name(j.column)}{w.where}"
    )


def _slots(j: Join, w: Condition = NO_CONDITION, **words: object) -> Slots:
    return make_slots(who(j.parent, w), parent=j.parent.noun, children=j.child, **words)


def _group(p: Picker, join: Join, label: Field) -> str:
    """Group by the parent's key; DuckDB and SQL Server want every selected column in it too."""
    key = f"T1.{p.name(join.ref)}"
    also = f", {p.column(label, 'T1')}" if p.dialect in ("duckdb", "tsql") else ""
    return f"GROUP BY {key}{also}"


def _label(p: Picker, j: Join) -> tuple[Field, Condition]:
    """Choose the column that names the parent's rows, and at most one condition on another."""
    label = p.label(j.parent)
    return label, p.conditions(j.parent, "T1", most=1, other_than=[label])


def _group_top(p: Picker, j: Join, measure: str, **words: object) -> Draft:
    c, w = _label(p, j)
    rest = f"{_from(p, j, w)} {_group(p, j, c)} ORDER BY {measure} DESC"
    return first_rows(p.column(c, "T1"), measure, rest, _slots(j, w, what=c, **words))


def _chain_from(p: Picker, one: Join, other: Join, w: Condition) -> str:
    return (
        f"{_from(p, one)} JOIN {p.name(other.parent.name)} AS T3"
        f" ON T2.{p.name(other.column)} = T3.{p.name(other.ref)}{w.where}"
    )


def _chain_slots(one: Join, other: Join, w: Condition, **words: object) -> Slots:
    return make_slots(who(one.parent, w), middle=one.child, **{"children": other.parent} | words)


@JOIN.asked(
    "What is the {what} of the {children} that belong to {bare}?",
    "Show the {what} of the {children} of the {bare}.",
    "List the {what} for the {children} belonging to the {bare}.",
    zh=("列出{bare}的{children}的{what}。", "{bare}的{children}的{what}是什么？"),
)
def join_list(p: Picker) -> Draft:
    j = p.join()
    c, w = p.field(j.child), p.conditions(j.parent, "T1")
    if not w.sql:
        raise NoMatch
    return Draft(f"SELECT {p.column(c, 'T2')} {_from(p, j, w)}", _slots(j, w, what=c))


@JOIN.asked(
    "Show the {what} of the {children} and the {also} of the {parent} of each, for {who}.",
    "For each of the {children} of {who}, list its {what} and the {also} of its {parent}.",
    zh=("对{who}，列出每条{children}的{what}以及所属{parent}的{also}。",),
)
def join_both(p: Picker) -> Draft:
    j = p.join()
    c, d = p.field(j.child), p.field(j.parent)
    w = p.conditions(j.parent, "T1", most=1, other_than=[d])
    sql = f"SELECT {p.column(c, 'T2')}, {p.column(d, 'T1')} {_from(p, j, w)}"
    return Draft(sql, _slots(j, w, what=c, also=d))


@JOIN.asked(
    "How many {children} belong to {bare}?",
    "Count the {children} of the {bare}.",
    zh=("{bare}一共有多少条{children}？", "统计属于{bare}的{children}数量。"),
)
def join_count(p: Picker) -> Draft:
    j = p.join()
    w = p.condition(j.parent, "T1")
    return Draft(f"SELECT count(*) {_from(p, j, w)}", _slots(j, w))


@JOIN.asked(
    "What is the {agg} {what} of the {children} of the {bare}?",
    "Find the {agg} {what} over the {children} that belong to {bare}.",
    zh=("{bare}的{children}的{what}的{agg}是多少？",),
)
def join_aggregate(p: Picker) -> Draft:
    j, a = p.join(), p.choose(AGGREGATES)
    c, w = p.field(j.child, "number"), p.condition(j.parent, "T1")
    sql = f"SELECT {a}({p.column(c, 'T2')}) {_from(p, j, w)}"
    return Draft(sql, _slots(j, w, what=c, agg=AGGREGATES[a]))


@JOIN.asked(
    "List the {what} of the {children} of the {bare}, sorted by their {by} in {way} order.",
    "Show the {what} of the {children} that belong to {bare}, in {way} order of {by}.",
    zh=("按{by}{way}列出{bare}的{children}的{what}。",),
)
def join_sorted(p: Picker) -> Draft:
    j, way = p.join(), p.choose(WAYS)
    c, by, w = p.field(j.child), p.field(j.child), p.condition(j.parent, "T1")
    sql = f"SELECT {p.column(c, 'T2')} {_from(p, j, w)} ORDER BY {p.column(by, 'T2')} {way}"
    return Draft(sql, _slots(j, w, what=c, by=by, way=WAYS[way]))


@JOIN.asked(
    "Which {what} has the {parent} of the one with the {end} {by} among the {children}?",
    "Show the {what} of the {parent} to which the one with the {end} {by} of all {children}"
    " belongs.",
    zh=("{by}{end}的{children}所属的{parent}的{what}是什么？",),
)
def join_top(p: Picker) -> Draft:
    j, way = p.join(), p.choose(ENDS)
    c, by = p.field(j.parent), p.field(j.child, "number", "date")
    key = p.column(by, "T2")
    rest = f"{_from(p, j)} ORDER BY {key} {way}"
    return first_rows(p.column(c, "T1"), key, rest, _slots(j, what=c, by=by, end=ENDS[way]))


@JOIN.asked(
    "For each of {who} that has {children}, show the {what} and the number of {children}.",
    "Show the {what} of {who} and how many {children} each has, leaving out those with none.",
    zh=("对每个有{children}的{bare}，给出{what}和{children}的数量。",),
)
def join_group_count(p: Picker) -> Draft:
    j = p.join()
    c, w = _label(p, j)
    sql = f"SELECT {p.column(c, 'T1')}, count(*) {_from(p, j, w)} {_group(p, j, c)}"
    return Draft(sql, _slots(j, w, what=c))


@JOIN.asked(
    "For each of {who} that has {children}, show the {what} and the {agg} {also} of its"
    " {children}.",
    "What is the {agg} {also} of the {children} of each of {who}? Show the {what} as well.",
    zh=("对每个有{children}的{bare}，给出{what}和{children}的{also}的{agg}。",),
)
def join_group_aggregate(p: Picker) -> Draft:
    j, a = p.join(), p.choose(AGGREGATES)
    c, d = p.label(j.parent), p.field(j.child, "number")
    w = p.conditions(j.parent, "T1", most=1, other_than=[c])
    select = f"{p.column(c, 'T1')}, {a}({p.column(d, 'T2')})"
    sql = f"SELECT {select} {_from(p, j, w)} {_group(p, j, c)}"
    return Draft(sql, _slots(j, w, what=c, also=d, agg=AGGREGATES[a]))


@JOIN.asked(
    "Show the {what} of {who} that have at least {k} {children}.",
    "Which of {who} have {k} or more {children}? Give the {what}.",
    zh=(
        "列出至少有{k}条{children}的{bare}的{what}。",
        "哪些{bare}至少有{k}条{children}？给出{what}。",
    ),
)
def join_group_having(p: Picker) -> Draft:
    j, k = p.join(), p.rng.randint(2, 4)
    c, w = _label(p, j)
    group = f"{_group(p, j, c)} HAVING count(*) >= {k}"
    return Draft(f"SELECT {p.column(c, 'T1')} {_from(p, j, w)} {group}", _slots(j, w, what=c, k=k))


@JOIN.asked(
    "What is the {what} of the {parent} with the most {children} among {who}?",
    "Among {who}, which has the most {children}? Give the {what}.",
    zh=("{who}中{children}最多的那个的{what}是什么？",),
)
def join_group_top(p: Picker) -> Draft:
    return _group_top(p, p.join(), "count(*)")


@JOIN.asked(
    "Among {who}, which has the highest {agg} {also} over its {children}? Give the {what}.",
    "Show the {what} of the {parent} whose {children} have the highest {agg} {also}, among {who}.",
    zh=("{who}中，{children}的{also}的{agg}最高的是哪个？给出{what}。",),
)
def join_group_top_sum(p: Picker) -> Draft:
    j, a = p.join(), p.choose(("sum", "avg"))
    d = p.field(j.child, "number")
    return _group_top(p, j, f"{a}({p.column(d, 'T2')})", also=d, agg=AGGREGATES[a])


@JOIN.asked(
    "Show the different values of {what} of the {children} that are linked through {middle}"
    " to {bare}.",
    "Which different {what} values have the {children} that belong, by way of {middle}, to"
    " the {bare}?",
    zh=("通过{middle}与{bare}相关联的{children}有哪些不同的{what}？",),
)
def chain_list(p: Picker) -> Draft:
    one, other = p.chain()
    c, w = p.field(other.parent), p.condition(one.parent, "T1")
    sql = f"SELECT DISTINCT {p.column(c, 'T3')} {_chain_from(p, one, other, w)}"
    return Draft(sql, _chain_slots(one, other, w, what=c))


@JOIN.asked(
    "How many {middle} link {children} with {bare}?",
    "Count the {middle} that connect {children} and {bare}.",
    zh=("有多少条{middle}把{children}与{bare}联系起来？",),
)
def chain_count(p: Picker) -> Draft:
    one, other = p.chain()
    w, v = p.condition(one.parent, "T1"), p.condition(other.parent, "T3")
    sql = f"SELECT count(*) {_chain_from(p, one, other, w)} AND {v.sql}"
    return Draft(sql, _chain_slots(one, other, w, children=bare(other.parent, v)))


@JOIN.asked(
    "For the {bare}, count the {middle} by the {what} of the {children} they are linked to."
    " Show the {what} and the count.",
    "Show each {what} of the {children} and how many {middle} link it to {bare}.",
    zh=("对{bare}，按{children}的{what}统计{middle}的数量，给出{what}和数量。",),
)
def chain_group(p: Picker) -> Draft:
    one, other = p.chain()
    c, w = p.field(other.parent, "text"), p.condition(one.parent, "T1")
    g = p.column(c, "T3")
    sql = f"SELECT {g}, count(*) {_chain_from(p, one, other, w)} GROUP BY {g}"
    return Draft(sql, _chain_slots(one, other, w, what=c))


@JOIN.asked(
    "Which {what} of the {children} has the most {middle} that belong to {bare}?",
    "For the {bare}, find the {what} of the {children} that occurs in the most {middle}.",
    zh=("对{bare}，哪种{children}的{what}对应的{middle}最多？",),
)
def chain_top(p: Picker) -> Draft:
    one, other = p.chain()
    c, w = p.field(other.parent, "text"), p.condition(one.parent, "T1")
    g = p.column(c, "T3")
    rest = f"{_chain_from(p, one, other, w)} GROUP BY {g} ORDER BY count(*) DESC"
    return first_rows(g, "count(*)", rest, _chain_slots(one, other, w, what=c))
