"""What the generator's patterns ask, in English and Chinese.

Slots: ``{who}`` the rows asked about, with their conditions ("all orders", "the orders whose amount
is greater than 5"); ``{bare}`` the same without "all" or "the"; ``{what}``, ``{also}`` columns;
``{by}`` the column grouped or sorted by; ``{agg}`` an aggregate such as "average"; ``{parents}``,
``{parent}``, ``{children}`` tables of a join; ``{k}`` a number; ``{way}`` a sort order; ``{end}``
"highest" or "lowest"; ``{cond}``, ``{cond2}`` bare conditions; ``{value}`` a bound.
"""

from __future__ import annotations

from text2sql.create.nouns import Language

WORDINGS: dict[str, dict[Language, tuple[str, ...]]] = {
    "list": {
        "en": (
            "What is the {what} of {who}?",
            "Show the {what} of {who}.",
            "List the {what} for {who}.",
            "Give me the {what} of {who}.",
        ),
        "zh": ("列出{who}的{what}。", "{who}的{what}是什么？", "请给出{who}的{what}。"),
    },
    "list_two": {
        "en": (
            "What are the {what} and the {also} of {who}?",
            "Show the {what} and {also} of {who}.",
            "For {who}, give the {what} and the {also}.",
        ),
        "zh": ("列出{who}的{what}和{also}。", "{who}的{what}和{also}分别是什么？"),
    },
    "distinct": {
        "en": (
            "What are the different values of {what} among {who}?",
            "List each distinct {what} of {who}.",
            "Which different {what} values occur for {who}?",
        ),
        "zh": ("{who}有哪些不同的{what}？", "列出{who}中不重复的{what}。"),
    },
    "count": {
        "en": (
            "How many {bare} are there?",
            "Count the {bare}.",
            "What is the number of {bare}?",
            "Find the total number of {bare}.",
        ),
        "zh": ("一共有多少条{bare}？", "统计{bare}的数量。", "{bare}的总数是多少？"),
    },
    "count_distinct": {
        "en": (
            "How many different values of {what} are there among {who}?",
            "Count the distinct {what} values of {who}.",
        ),
        "zh": ("{who}有多少种不同的{what}？", "统计{who}中不同{what}的个数。"),
    },
    "aggregate": {
        "en": (
            "What is the {agg} {what} of {who}?",
            "Find the {agg} {what} of {who}.",
            "Give the {agg} {what} over {who}.",
        ),
        "zh": ("{who}的{what}的{agg}是多少？", "求{who}的{what}的{agg}。"),
    },
    "aggregate_two": {
        "en": (
            "What are the {agg} and the {agg2} {what} of {who}?",
            "Find the {agg} and {agg2} {what} of {who}.",
        ),
        "zh": ("{who}的{what}的{agg}和{agg2}分别是多少？", "求{who}的{what}的{agg}与{agg2}。"),
    },
    "sorted": {
        "en": (
            "List the {what} of {who}, sorted by {by} in {way} order.",
            "Show the {what} of {who} in {way} order of {by}.",
            "What is the {what} of {who}, ordered by {by} {way}?",
        ),
        "zh": ("按{by}{way}列出{who}的{what}。", "列出{who}的{what}，并按{by}{way}排列。"),
    },
    "top": {
        "en": (
            "What is the {what} of the one with the {end} {by} among {who}?",
            "Among {who}, which {what} goes with the {end} {by}?",
            "Of {who}, show the {what} of the one that has the {end} {by}.",
        ),
        "zh": ("{who}中{by}{end}的那一条的{what}是什么？", "找出{who}中{by}{end}者的{what}。"),
    },
    "top_k": {
        "en": (
            "Show the {what} of the {k} {parents} with the {end} {by}.",
            "Which {k} {parents} have the {end} {by}? Give their {what}.",
        ),
        "zh": (
            "列出{by}{end}的{k}条{parents}的{what}。",
            "{by}{end}的前{k}条{parents}的{what}是什么？",
        ),
    },
    "group_count": {
        "en": (
            "How many {bare} are there for each {by}?",
            "For each {by}, count the {bare}. Show the {by} and the count.",
            "Show each {by} and the number of {bare} with it.",
        ),
        "zh": ("每种{by}各有多少条{bare}？", "按{by}分组统计{bare}的数量，给出{by}和数量。"),
    },
    "group_aggregate": {
        "en": (
            "What is the {agg} {what} of {who} for each {by}?",
            "For each {by}, find the {agg} {what} of {who}. Show the {by} too.",
            "Show each {by} with the {agg} {what} of {who}.",
        ),
        "zh": (
            "对每种{by}，{who}的{what}的{agg}是多少？",
            "按{by}分组，给出{by}以及{who}的{what}的{agg}。",
        ),
    },
    "group_having": {
        "en": (
            "Which {by} values occur for at least {k} {bare}?",
            "Find the {by} values that at least {k} {bare} share.",
        ),
        "zh": ("哪些{by}至少有{k}条{bare}？", "找出至少对应{k}条{bare}的{by}。"),
    },
    "most_common": {
        "en": (
            "Which {by} is the most common among {who}?",
            "What is the most frequent {by} of {who}?",
            "Find the {by} that the most {bare} have.",
        ),
        "zh": ("{who}中最常见的{by}是什么？", "哪种{by}的{bare}最多？"),
    },
    "average_compared": {
        "en": (
            "Show the {what} of the {parents} whose {by} is {side} the average {by}.",
            "Which {parents} have a {by} {side} the average of all {parents}? Give the {what}.",
        ),
        "zh": (
            "列出{by}{side}平均{by}的{parents}的{what}。",
            "哪些{parents}的{by}{side}平均值？给出{what}。",
        ),
    },
    "average_compared_where": {
        "en": (
            "Show the {what} of the {parents} {cond} and whose {by} is {side} the average {by} of"
            " all {parents}.",
            "Among the {parents} {cond}, which have a {by} {side} the average of all {parents}?"
            " Give the {what}.",
        ),
        "zh": ("在{cond}{parents}中，列出{by}{side}全部{parents}平均{by}的{what}。",),
    },
    "extreme": {
        "en": (
            "Show the {what} of all {parents} that have the {end} {by}.",
            "What is the {what} of every one of the {parents} whose {by} equals the {end} {by}?",
        ),
        "zh": (
            "列出{by}等于{agg}的所有{parents}的{what}。",
            "{by}达到{agg}的{parents}的{what}是什么？",
        ),
    },
    "with_children": {
        "en": (
            "Show the {what} of the {parents} that have {children}.",
            "What is the {what} of the {parents} for which there are {children}?",
        ),
        "zh": ("列出有{children}的{parents}的{what}。", "哪些{parents}有{children}？给出{what}。"),
    },
    "without_children": {
        "en": (
            "Show the {what} of the {parents} that have no {children}.",
            "Which {parents} have no {children}? Give the {what}.",
            "What is the {what} of the {parents} without any {children}?",
        ),
        "zh": (
            "列出没有{children}的{parents}的{what}。",
            "哪些{parents}没有任何{children}？给出{what}。",
        ),
    },
    "count_without_children": {
        "en": (
            "How many {parents} have no {children}?",
            "Count the {parents} without any {children}.",
        ),
        "zh": ("有多少{parents}没有{children}？", "统计没有任何{children}的{parents}的数量。"),
    },
    "intersect": {
        "en": (
            "Which {what} values occur both for {parents} {cond} and for {parents} {cond2}?",
            "Find the {what} that {parents} {cond} and {parents} {cond2} have in common.",
        ),
        "zh": ("哪些{what}既出现在{cond}{parents}中，又出现在{cond2}{parents}中？",),
    },
    "except": {
        "en": (
            "Which {what} values occur for {parents} {cond} but not for any of the {parents}"
            " {cond2}?",
            "Find the {what} of {parents} {cond}, leaving out those of {parents} {cond2}.",
        ),
        "zh": ("哪些{what}出现在{cond}{parents}中，但不出现在{cond2}{parents}中？",),
    },
    "except_all": {
        "en": (
            "Which {what} values of the {parents} do not occur for any of those {cond}?",
            "Find the {what} of the {parents}, leaving out every value that {parents} {cond} have.",
        ),
        "zh": ("{parents}的哪些{what}不出现在{cond}{parents}中？",),
    },
    "union": {
        "en": (
            "Which different {what} values occur for {parents} {cond} or for {parents} {cond2}?",
            "List, without repeats, the {what} of {parents} {cond} together with that of {parents}"
            " {cond2}.",
        ),
        "zh": ("{cond}{parents}或{cond2}{parents}有哪些不同的{what}？",),
    },
    "join_list": {
        "en": (
            "What is the {what} of the {children} that belong to {bare}?",
            "Show the {what} of the {children} of the {bare}.",
            "List the {what} for the {children} belonging to the {bare}.",
        ),
        "zh": ("列出{bare}的{children}的{what}。", "{bare}的{children}的{what}是什么？"),
    },
    "join_both": {
        "en": (
            "Show the {what} of the {children} and the {also} of the {parent} of each, for {who}.",
            "For each of the {children} of {who}, list its {what} and the {also} of its {parent}.",
        ),
        "zh": ("对{who}，列出每条{children}的{what}以及所属{parent}的{also}。",),
    },
    "join_count": {
        "en": (
            "How many {children} belong to {bare}?",
            "Count the {children} of the {bare}.",
        ),
        "zh": ("{bare}一共有多少条{children}？", "统计属于{bare}的{children}数量。"),
    },
    "join_aggregate": {
        "en": (
            "What is the {agg} {what} of the {children} of the {bare}?",
            "Find the {agg} {what} over the {children} that belong to {bare}.",
        ),
        "zh": ("{bare}的{children}的{what}的{agg}是多少？",),
    },
    "join_sorted": {
        "en": (
            "List the {what} of the {children} of the {bare}, sorted by their {by} in {way} order.",
            "Show the {what} of the {children} that belong to {bare}, in {way} order of {by}.",
        ),
        "zh": ("按{by}{way}列出{bare}的{children}的{what}。",),
    },
    "join_top": {
        "en": (
            "Which {what} has the {parent} of the one with the {end} {by} among the {children}?",
            "Show the {what} of the {parent} to which the one with the {end} {by} of all"
            " {children} belongs.",
        ),
        "zh": ("{by}{end}的{children}所属的{parent}的{what}是什么？",),
    },
    "join_group_count": {
        "en": (
            "For each of {who} that has {children}, show the {what} and the number of {children}.",
            "Show the {what} of {who} and how many {children} each has, leaving out those with"
            " none.",
        ),
        "zh": ("对每个有{children}的{bare}，给出{what}和{children}的数量。",),
    },
    "join_group_aggregate": {
        "en": (
            "For each of {who} that has {children}, show the {what} and the {agg} {also} of its"
            " {children}.",
            "What is the {agg} {also} of the {children} of each of {who}? Show the {what} as well.",
        ),
        "zh": ("对每个有{children}的{bare}，给出{what}和{children}的{also}的{agg}。",),
    },
    "join_group_having": {
        "en": (
            "Show the {what} of {who} that have at least {k} {children}.",
            "Which of {who} have {k} or more {children}? Give the {what}.",
        ),
        "zh": (
            "列出至少有{k}条{children}的{bare}的{what}。",
            "哪些{bare}至少有{k}条{children}？给出{what}。",
        ),
    },
    "join_group_top": {
        "en": (
            "What is the {what} of the {parent} with the most {children} among {who}?",
            "Among {who}, which has the most {children}? Give the {what}.",
        ),
        "zh": ("{who}中{children}最多的那个的{what}是什么？",),
    },
    "join_group_top_sum": {
        "en": (
            "Among {who}, which has the highest {agg} {also} over its {children}? Give the {what}.",
            "Show the {what} of the {parent} whose {children} have the highest {agg} {also}, among"
            " {who}.",
        ),
        "zh": ("{who}中，{children}的{also}的{agg}最高的是哪个？给出{what}。",),
    },
    "chain_list": {
        "en": (
            "Show the different values of {what} of the {children} that are linked through"
            " {middle} to {bare}.",
            "Which different {what} values have the {children} that belong, by way of {middle}, to"
            " the {bare}?",
        ),
        "zh": ("通过{middle}与{bare}相关联的{children}有哪些不同的{what}？",),
    },
    "chain_count": {
        "en": (
            "How many {middle} link {children} with {bare}?",
            "Count the {middle} that connect {children} and {bare}.",
        ),
        "zh": ("有多少条{middle}把{children}与{bare}联系起来？",),
    },
    "chain_group": {
        "en": (
            "For the {bare}, count the {middle} by the {what} of the {children} they are linked to."
            " Show the {what} and the count.",
            "Show each {what} of the {children} and how many {middle} link it to {bare}.",
        ),
        "zh": ("对{bare}，按{children}的{what}统计{middle}的数量，给出{what}和数量。",),
    },
    "chain_top": {
        "en": (
            "Which {what} of the {children} has the most {middle} that belong to {bare}?",
            "For the {bare}, find the {what} of the {children} that occurs in the most {middle}.",
        ),
        "zh": ("对{bare}，哪种{children}的{what}对应的{middle}最多？",),
    },
}
