"""Patterns of two queries: one inside the other, or both joined by a set operation."""

from __future__ import annotations

from text2sql.create.patterns import Draft, Patterns, make_slots
from text2sql.create.picker import NO_CONDITION, Condition, Join, NoMatch, Picker, bare

NESTED = Patterns()


def _by_children(
    p: Picker, j: Join, select: str, test: str, condition: Condition = NO_CONDITION
) -> str:
    children = f"SELECT {p.name(j.column)} {p.source(j.child, condition)}"
    return f"SELECT {select} {p.source(j.parent)} WHERE {p.name(j.ref)} {test} ({children})"


def _set_operation(p: Picker, operator: str) -> Draft:
    t = p.entity()
    c = p.field(t)
    one, two = p.condition(t, other_than=[c]), p.condition(t, other_than=[c])
    if one.sql == two.sql:
        raise NoMatch
    start = f"SELECT {p.column(c)} {p.source(t)}"
    sql = f"{start}{one.where} {operator} {start}{two.where}"
    return Draft(sql, make_slots(what=c, parents=t, cond=one.words, cond2=two.words))


@NESTED.asked(
    "Show the {what} of the {parents} that have {children}.",
    "What is the {what} of the {parents} for which there are {children}?",
    zh=("列出有{children}的{parents}的{what}。", "哪些{parents}有{children}？给出{what}。"),
)
def with_children(p: Picker) -> Draft:
    j = p.join()
    c = p.field(j.parent)
    w = p.condition(j.child) if p.rng.random() < 0.7 else NO_CONDITION
    sql = _by_children(p, j, p.column(c), "IN", w)
    return Draft(sql, make_slots(what=c, parents=j.parent, children=bare(j.child, w)))


@NESTED.asked(
    "Show the {what} of the {parents} that have no {children}.",
    "Which {parents} have no {children}? Give the {what}.",
    "What is the {what} of the {parents} without any {children}?",
    zh=("列出没有{children}的{parents}的{what}。", "哪些{parents}没有任何{children}？给出{what}。"),
)
def without_children(p: Picker) -> Draft:
    j = p.join()
    c = p.field(j.parent)
    wanted = p.rng.random() < 0.5 and j.child.of("number", "date", "text")
    w = p.condition(j.child) if wanted else NO_CONDITION
    sql = _by_children(p, j, p.column(c), "NOT IN", w)
    return Draft(sql, make_slots(what=c, parents=j.parent, children=bare(j.child, w)))


@NESTED.asked(
    "How many {parents} have no {children}?",
    "Count the {parents} without any {children}.",
    zh=("有多少{parents}没有{children}？", "统计没有任何{children}的{parents}的数量。"),
)
def count_without_children(p: Picker) -> Draft:
    j = p.join()
    sql = _by_children(p, j, "count(*)", "NOT IN")
    return Draft(sql, make_slots(parents=j.parent, children=j.child))


@NESTED.asked(
    "Which {what} values occur both for {parents} {cond} and for {parents} {cond2}?",
    "Find the {what} that {parents} {cond} and {parents} {cond2} have in common.",
    zh=("哪些{what}既出现在{cond}{parents}中，又出现在{cond2}{parents}中？",),
)
def intersect(p: Picker) -> Draft:
    return _set_operation(p, "INTERSECT")


@NESTED.asked(
    "Which {what} values occur for {parents} {cond} but not for any of the {parents} {cond2}?",
    "Find the {what} of {parents} {cond}, leaving out those of {parents} {cond2}.",
    zh=("哪些{what}出现在{cond}{parents}中，但不出现在{cond2}{parents}中？",),
)
def except_(p: Picker) -> Draft:
    return _set_operation(p, "EXCEPT")


@NESTED.asked(
    "Which {what} values of the {parents} do not occur for any of those {cond}?",
    "Find the {what} of the {parents}, leaving out every value that {parents} {cond} have.",
    zh=("{parents}的哪些{what}不出现在{cond}{parents}中？",),
)
def except_all(p: Picker) -> Draft:
    t = p.entity()
    c = p.field(t)
    w = p.condition(t, other_than=[c])
    start = f"SELECT {p.column(c)} {p.source(t)}"
    sql = f"{start} EXCEPT {start}{w.where}"
    return Draft(sql, make_slots(what=c, parents=t, cond=w.words))


@NESTED.asked(
    "Which different {what} values occur for {parents} {cond} or for {parents} {cond2}?",
    "List, without repeats, the {what} of {parents} {cond} together with that of {parents}"
    " {cond2}.",
    zh=("{cond}{parents}或{cond2}{parents}有哪些不同的{what}？",),
)
def union(p: Picker) -> Draft:
    return _set_operation(p, "UNION")
