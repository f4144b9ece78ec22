"""Patterns on one table: lists, counts, aggregates, groups, sorting, comparisons."""

from __future__ import annotations

from text2sql.create.patterns import (
    AGGREGATES,
    ENDS,
    SIDES,
    WAYS,
    Draft,
    Patterns,
    first_rows,
    make_slots,
)
from text2sql.create.picker import Picker, who

TABLE = Patterns()


@TABLE.asked(
    "What is the {what} of {who}?",
    "Show the {what} of {who}.",
    "List the {what} for {who}.",
    "Give me the {what} of {who}.",
    zh=("列出{who}的{what}。", "{who}的{what}是什么？", "请给出{who}的{what}。"),
)
def list_(p: Picker) -> Draft:
    t = p.entity()
    c, w = p.selection(t)
    return Draft(f"SELECT {p.column(c)} {p.source(t, w)}", make_slots(who(t, w), what=c))


@TABLE.asked(
    "What are the {what} and the {also} of {who}?",
    "Show the {what} and {also} of {who}.",
    "For {who}, give the {what} and the {also}.",
    zh=("列出{who}的{what}和{also}。", "{who}的{what}和{also}分别是什么？"),
)
def list_two(p: Picker) -> Draft:
    t = p.entity()
    c, w = p.selection(t)
    d = p.field(t, other_than=[c])
    sql = f"SELECT {p.column(c)}, {p.column(d)} {p.source(t, w)}"
    return Draft(sql, make_slots(who(t, w), what=c, also=d))


@TABLE.asked(
    "What are the different values of {what} among {who}?",
    "List each distinct {what} of {who}.",
    "Which different {what} values occur for {who}?",
    zh=("{who}有哪些不同的{what}？", "列出{who}中不重复的{what}。"),
)
def distinct(p: Picker) -> Draft:
    t = p.entity()
    c, w = p.selection(t)
    return Draft(f"SELECT DISTINCT {p.column(c)} {p.source(t, w)}", make_slots(who(t, w), what=c))


@TABLE.asked(
    "How many {bare} are there?",
    "Count the {bare}.",
    "What is the number of {bare}?",
    "Find the total number of {bare}.",
    zh=("一共有多少条{bare}？", "统计{bare}的数量。", "{bare}的总数是多少？"),
)
def count(p: Picker) -> Draft:
    t = p.entity()
    w = p.conditions(t, most=2 if t.of("number", "date", "text") else 0)
    return Draft(f"SELECT count(*) {p.source(t, w)}", make_slots(who(t, w)))


@TABLE.asked(
    "How many different values of {what} are there among {who}?",
    "Count the distinct {what} values of {who}.",
    zh=("{who}有多少种不同的{what}？", "统计{who}中不同{what}的个数。"),
)
def count_distinct(p: Picker) -> Draft:
    t = p.entity()
    c, w = p.selection(t)
    sql = f"SELECT count(DISTINCT {p.column(c)}) {p.source(t, w)}"
    return Draft(sql, make_slots(who(t, w), what=c))


@TABLE.asked(
    "What is the {agg} {what} of {who}?",
    "Find the {agg} {what} of {who}.",
    "Give the {agg} {what} over {who}.",
    zh=("{who}的{what}的{agg}是多少？", "求{who}的{what}的{agg}。"),
)
def aggregate(p: Picker) -> Draft:
    t, a = p.entity(), p.choose(AGGREGATES)
    c, w = p.selection(t, "number")
    sql = f"SELECT {a}({p.column(c)}) {p.source(t, w)}"
    return Draft(sql, make_slots(who(t, w), what=c, agg=AGGREGATES[a]))


@TABLE.asked(
    "What are the {agg} and the {agg2} {what} of {who}?",
    "Find the {agg} and {agg2} {what} of {who}.",
    zh=("{who}的{what}的{agg}和{agg2}分别是多少？", "求{who}的{what}的{agg}与{agg2}。"),
)
def aggregate_two(p: Picker) -> Draft:
    t = p.entity()
    a, b = p.rng.sample(list(AGGREGATES), 2)
    c, w = p.selection(t, "number")
    sql = f"SELECT {a}({p.column(c)}), {b}({p.column(c)}) {p.source(t, w)}"
    return Draft(sql, make_slots(who(t, w), what=c, agg=AGGREGATES[a], agg2=AGGREGATES[b]))


@TABLE.asked(
    "List the {what} of {who}, sorted by {by} in {way} order.",
    "Show the {what} of {who} in {way} order of {by}.",
    "What is the {what} of {who}, ordered by {by} {way}?",
    zh=("按{by}{way}列出{who}的{what}。", "列出{who}的{what}，并按{by}{way}排列。"),
)
def sorted_(p: Picker) -> Draft:
    t, way = p.entity(), p.choose(WAYS)
    c, w = p.selection(t)
    by = p.field(t)
    sql = f"SELECT {p.column(c)} {p.source(t, w)} ORDER BY {p.column(by)} {way}"
    return Draft(sql, make_slots(who(t, w), what=c, by=by, way=WAYS[way]))


@TABLE.asked(
    "What is the {what} of the one with the {end} {by} among {who}?",
    "Among {who}, which {what} goes with the {end} {by}?",
    "Of {who}, show the {what} of the one that has the {end} {by}.",
    zh=("{who}中{by}{end}的那一条的{what}是什么？", "找出{who}中{by}{end}者的{what}。"),
)
def top(p: Picker) -> Draft:
    t, way = p.entity(), p.choose(ENDS)
    by = p.field(t, "number")
    c = p.field(t, other_than=[by])
    w = p.conditions(t, other_than=[c, by])
    slots = make_slots(who(t, w), what=c, by=by, end=ENDS[way])
    rest = f"{p.source(t, w)} ORDER BY {p.column(by)} {way}"
    return first_rows(p.column(c), p.column(by), rest, slots)


@TABLE.asked(
    "Show the {what} of the {k} {parents} with the {end} {by}.",
    "Which {k} {parents} have the {end} {by}? Give their {what}.",
    zh=("列出{by}{end}的{k}条{parents}的{what}。", "{by}{end}的前{k}条{parents}的{what}是什么？"),
)
def top_k(p: Picker) -> Draft:
    t, way, k = p.entity(), p.choose(ENDS), p.rng.randint(2, 5)
    by = p.field(t, "number")
    c = p.field(t, other_than=[by])
    slots = make_slots(what=c, by=by, end=ENDS[way], k=k, parents=t)
    rest = f"{p.source(t)} ORDER BY {p.column(by)} {way}"
    return first_rows(p.column(c), p.column(by), rest, slots, k)


@TABLE.asked(
    "How many {bare} are there for each {by}?",
    "For each {by}, count the {bare}. Show the {by} and the count.",
    "Show each {by} and the number of {bare} with it.",
    zh=("每种{by}各有多少条{bare}？", "按{by}分组统计{bare}的数量，给出{by}和数量。"),
)
def group_count(p: Picker) -> Draft:
    t = p.entity()
    by, w = p.selection(t, "text", "number")
    g = p.column(by)
    sql = f"SELECT {g}, count(*) {p.source(t, w)} GROUP BY {g}"
    return Draft(sql, make_slots(who(t, w), by=by))


@TABLE.asked(
    "What is the {agg} {what} of {who} for each {by}?",
    "For each {by}, find the {agg} {what} of {who}. Show the {by} too.",
    "Show each {by} with the {agg} {what} of {who}.",
    zh=(
        "对每种{by}，{who}的{what}的{agg}是多少？",
        "按{by}分组，给出{by}以及{who}的{what}的{agg}。",
    ),
)
def group_aggregate(p: Picker) -> Draft:
    t, a = p.entity(), p.choose(AGGREGATES)
    by, c = p.field(t, "text"), p.field(t, "number")
    w = p.conditions(t, other_than=[by, c])
    g = p.column(by)
    sql = f"SELECT {g}, {a}({p.column(c)}) {p.source(t, w)} GROUP BY {g}"
    return Draft(sql, make_slots(who(t, w), by=by, what=c, agg=AGGREGATES[a]))


@TABLE.asked(
    "Which {by} values occur for at least {k} {bare}?",
    "Find the {by} values that at least {k} {bare} share.",
    zh=("哪些{by}至少有{k}条{bare}？", "找出至少对应{k}条{bare}的{by}。"),
)
def group_having(p: Picker) -> Draft:
    t, k = p.entity(), p.rng.randint(2, 5)
    by, w = p.selection(t, "text", "number", most=1)
    g = p.column(by)
    sql = f"SELECT {g} {p.source(t, w)} GROUP BY {g} HAVING count(*) >= {k}"
    return Draft(sql, make_slots(who(t, w), by=by, k=k))


@TABLE.asked(
    "Which {by} is the most common among {who}?",
    "What is the most frequent {by} of {who}?",
    "Find the {by} that the most {bare} have.",
    zh=("{who}中最常见的{by}是什么？", "哪种{by}的{bare}最多？"),
)
def most_common(p: Picker) -> Draft:
    t = p.entity()
    by, w = p.selection(t, "text", "number", most=1)
    g = p.column(by)
    rest = f"{p.source(t, w)} GROUP BY {g} ORDER BY count(*) DESC"
    return first_rows(g, "count(*)", rest, make_slots(who(t, w), by=by))


@TABLE.asked(
    "Show the {what} of the {parents} whose {by} is {side} the average {by}.",
    "Which {parents} have a {by} {side} the average of all {parents}? Give the {what}.",
    zh=(
        "列出{by}{side}平均{by}的{parents}的{what}。",
        "哪些{parents}的{by}{side}平均值？给出{what}。",
    ),
)
def average_compared(p: Picker) -> Draft:
    t, side = p.entity(), p.choose(SIDES)
    by = p.field(t, "number")
    c = p.field(t, other_than=[by])
    n, x = p.name(t.name), p.column(by)
    sql = f"SELECT {p.column(c)} FROM {n} WHERE {x} {side} (SELECT avg({x}) FROM {n})"
    return Draft(sql, make_slots(what=c, by=by, parents=t, side=SIDES[side]))


@TABLE.asked(
    "Show the {what} of the {parents} {cond} and whose {by} is {side} the average {by} of"
    " all {parents}.",
    "Among the {parents} {cond}, which have a {by} {side} the average of all {parents}? Give"
    " the {what}.",
    zh=("在{cond}{parents}中，列出{by}{side}全部{parents}平均{by}的{what}。",),
)
def average_compared_where(p: Picker) -> Draft:
    t, side = p.entity(), p.choose(SIDES)
    by = p.field(t, "number")
    c, w = p.field(t, other_than=[by]), p.condition(t, other_than=[by])
    n, x = p.name(t.name), p.column(by)
    sql = f"SELECT {p.column(c)} FROM {n} WHERE {w.sql} AND {x} {side} (SELECT avg({x}) FROM {n})"
    return Draft(sql, make_slots(what=c, by=by, parents=t, side=SIDES[side], cond=w.words))


@TABLE.asked(
    "Show the {what} of all {parents} that have the {end} {by}.",
    "What is the {what} of every one of the {parents} whose {by} equals the {end} {by}?",
    zh=("列出{by}等于{agg}的所有{parents}的{what}。", "{by}达到{agg}的{parents}的{what}是什么？"),
)
def extreme(p: Picker) -> Draft:
    t, a = p.entity(), p.choose(("max", "min"))
    by = p.field(t, "number", "date")
    c = p.field(t, other_than=[by])
    n, x = p.name(t.name), p.column(by)
    sql = f"SELECT {p.column(c)} FROM {n} WHERE {x} = (SELECT {a}({x}) FROM {n})"
    end = ENDS["DESC" if a == "max" else "ASC"]
    return Draft(sql, make_slots(what=c, by=by, parents=t, end=end, agg=AGGREGATES[a]))
