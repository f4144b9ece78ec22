"""What a query may be made of: everything that is not named here is refused.

A list of what is allowed, not of what is forbidden: databases have thousands of functions, and
among them are some that write, sleep, read files or run other statements.
"""

from __future__ import annotations

import re

from sqlglot import exp

WORD = re.compile(r"[^\W\d]\w*|\*")
NODES: tuple[type[exp.Expr], ...] = (
    # Queries and their clauses.
    *(exp.Select, exp.SetOperation, exp.Subquery, exp.With, exp.CTE, exp.From, exp.Join),
    *(exp.Where, exp.Group, exp.Having, exp.Order, exp.Ordered, exp.Limit, exp.Offset, exp.Fetch),
    *(exp.LimitOptions, exp.Distinct, exp.Qualify, exp.Cube, exp.Rollup, exp.GroupingSets),
    *(exp.Lateral, exp.Values, exp.Unnest, exp.Window, exp.WindowSpec, exp.Filter),
    *(exp.WithinGroup, exp.IgnoreNulls, exp.RespectNulls),
    # Names.
    *(exp.Table, exp.TableAlias, exp.Column, exp.Identifier, exp.Star, exp.Alias),
    # Values and operators; `:=` assigns in MySQL, so it is left out by hand in `refusal`.
    *(exp.Literal, exp.Boolean, exp.Null, exp.National, exp.HexString, exp.DataType),
    *(exp.DataTypeParam, exp.Interval, exp.IntervalSpan, exp.Var, exp.Tuple, exp.Paren, exp.Array),
    *(exp.Binary, exp.Unary, exp.Between, exp.In, exp.Any, exp.All, exp.Exists, exp.Case, exp.If),
    *(exp.Cast, exp.Collate, exp.AtTimeZone, exp.Bracket, exp.Slice, exp.Escape, exp.Cast),
    *(exp.JSONPath, exp.JSONPathPart, exp.Connector, exp.Not, exp.Distinct),
)
# Binary in sqlglot's tree, but more than an operator. A dot behind a row calls a function on it
# in PostgreSQL.
REFUSED_NODES: tuple[type[exp.Expr], ...] = (
    exp.PropertyEQ,
    exp.Operator,
    exp.Kwarg,
    exp.Dot,
)

# Functions by sqlglot's name for them, or by the name written where sqlglot has none.
_FUNCTION_NAMES = """
    abs acos age any_value approx_distinct array array_agg array_length array_size ascii asin
    atan atan2 avg bit_length bool_and bool_or btrim cast ceil ceiling char char_length
    character_length chr coalesce concat concat_ws convert corr cos cot count count_if covar_pop
    covar_samp cume_dist curdate current_date current_time current_timestamp current_datetime
    curtime date date_add date_diff date_format date_from_parts date_part date_sub
    date_to_date_str date_trunc datediff datetime datetime_trunc datetrunc day day_of_month
    day_of_week day_of_week_iso day_of_year dayname dayofmonth dayofweek dayofyear degrees
    dense_rank div elt every exists exp extract field find_in_set first first_value floor format
    from_unixtime glob greatest group_concat hex hour if ifnull initcap instr int_div is_ascii
    is_inf is_nan isnull json_array_length json_extract json_extract_scalar json_type json_valid
    julianday justify_days lag last last_day last_value lcase lead least left len length ln
    local_time localtime localtimestamp locate log log10 log2 logical_and logical_or lower lpad
    ltrim make_date max md5 median mid min minute mod mode month monthname months_between
    nth_value ntile null_if now nullif nvl octet_length overlay pad percent_rank percentile_cont
    percentile_disc pi position pow power printf quantile quarter quote radians rand rank
    regexp_extract regexp_ilike regexp_like regexp_matches regexp_replace replace reverse right
    round row_number rpad rtrim safe_divide second sign sin split_part sqrt starts_with
    ends_with stddev stddev_pop stddev_samp str_position str_to_date str_to_time strftime strpos
    strptime substr substring substring_index sum tan time time_to_str time_str_to_time
    time_to_unix timediff timestamp timestamp_diff timestamp_add timestamp_sub timestamp_trunc
    timestampdiff to_char to_date to_days to_number to_timestamp total translate trim trunc
    truncate try_cast ts_or_ds_add ts_or_ds_diff ts_or_ds_to_date ts_or_ds_to_timestamp
    ts_or_ds_to_date_str typeof ucase unicode unhex unix_to_time unix_to_time_str unixepoch
    unnest upper utc_date utc_timestamp var_pop var_samp variance variance_pop week week_of_year
    weekday weekofyear xor year yearweek ts_or_ds_to_datetime ts_or_ds_to_time
    current_timestamp_l_t_z array_to_string generate_series explode make_interval
"""
FUNCTIONS = frozenset(_FUNCTION_NAMES.split())
TABLE_FUNCTIONS = frozenset({"generate_series", "unnest", "explode"})


def refusal(tree: exp.Expr, functions: frozenset[str] = frozenset()) -> str | None:
    """Return why a syntax tree is not that of a query that only reads, or None when it is.

    Args:
        tree: one statement.
        functions: names of further functions to trust, in lower case.
    """
    if not isinstance(tree, exp.Query):
        return f"{_said(tree)} is not a query that only reads"
    for node in tree.walk():
        if isinstance(node, exp.Select) and not node.expressions:
            return "SELECT of nothing"
        if isinstance(node, exp.Table) and isinstance(node.this, exp.Func):
            name = _function_name(node.this)
            if name not in TABLE_FUNCTIONS:
                return f"table function {name}() is not known to only read"
        if isinstance(node, exp.Identifier) and not node.quoted and not WORD.fullmatch(node.name):
            return f"{node.name} is not a name"
        if isinstance(node, exp.Func) and not isinstance(node, exp.Connector | exp.Case | exp.If):
            name = _function_name(node)
            if name not in FUNCTIONS and name not in functions and not _is_operator(node):
                return f"function {name}() is not known to only read"
        elif isinstance(node, REFUSED_NODES) or not isinstance(node, NODES):
            return f"not a query that only reads: {_said(node)} is not allowed"
    return None


def _function_name(node: exp.Func) -> str:
    if isinstance(node, exp.Anonymous | exp.AnonymousAggFunc):
        return str(node.this).lower()
    return node.sql_name().lower()


def _is_operator(node: exp.Func) -> bool:
    """Whether a node that sqlglot counts as a function is an operator, such as ``->``."""
    return isinstance(node, exp.Binary | exp.Exists | exp.Cast) and not isinstance(
        node, REFUSED_NODES
    )


def _said(node: exp.Expr) -> str:
    return {
        "Into": "SELECT ... INTO",
        "Lock": "a locking clause",
        "Parameter": "a variable",
        "SessionParameter": "a server variable",
        "Placeholder": "a placeholder",
        "PropertyEQ": "an assignment",
        "Command": str(node.this).upper() if isinstance(node.this, str) else "a command",
    }.get(type(node).__name__, type(node).__name__.upper())
