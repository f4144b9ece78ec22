"""The generator's grammar: each pattern makes one kind of query and the slots of its question.

The SQL keeps to Spider's subset (SELECT, joins with ON, WHERE, GROUP BY, HAVING, ORDER BY, LIMIT,
one level of nesting, set operations), which every dialect takes and the evaluator can grade.
"""

from __future__ import annotations

from collections.abc import Callable

from text2sql.create import patterns_join as join
from text2sql.create import patterns_table as table
from text2sql.create.draft import Draft
from text2sql.create.picker import Picker

PATTERNS: dict[str, Callable[[Picker], Draft]] = {
    "list": table.list_,
    "list_two": table.list_two,
    "distinct": table.distinct,
    "count": table.count,
    "count_distinct": table.count_distinct,
    "aggregate": table.aggregate,
    "aggregate_two": table.aggregate_two,
    "sorted": table.sorted_,
    "top": table.top,
    "top_k": table.top_k,
    "group_count": table.group_count,
    "group_aggregate": table.group_aggregate,
    "group_having": table.group_having,
    "most_common": table.most_common,
    "average_compared": table.average_compared,
    "average_compared_where": table.average_compared_where,
    "extreme": table.extreme,
    "with_children": join.with_children,
    "without_children": join.without_children,
    "count_without_children": join.count_without_children,
    "intersect": table.set_operation("INTERSECT"),
    "except": table.set_operation("EXCEPT"),
    "except_all": table.except_all,
    "union": table.set_operation("UNION"),
    "join_list": join.join_list,
    "join_both": join.join_both,
    "join_count": join.join_count,
    "join_aggregate": join.join_aggregate,
    "join_sorted": join.join_sorted,
    "join_top": join.join_top,
    "join_group_count": join.join_group_count,
    "join_group_aggregate": join.join_group_aggregate,
    "join_group_having": join.join_group_having,
    "join_group_top": join.join_group_top,
    "join_group_top_sum": join.join_group_top_sum,
    "chain_list": join.chain_list,
    "chain_count": join.chain_count,
    "chain_group": join.chain_group,
    "chain_top": join.chain_top,
}
