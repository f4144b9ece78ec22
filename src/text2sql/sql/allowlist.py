"""What a query may be made of: everything that is not named here is refused.

A list of what is allowed, not of what is forbidden: databases have thousands of functions, and
among them are some that write, sleep, read files or run other statements.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import zip_longest

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.tokens import Token, TokenType

from text2sql.sql.functions import TABLE_FUNCTIONS, known_functions

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
    *(
        exp.DataTypeParam,
        exp.ColumnDef,
        exp.Interval,
        exp.IntervalSpan,
        exp.Var,
        exp.Tuple,
        exp.Paren,
        exp.Array,
    ),
    *(exp.Binary, exp.Unary, exp.Between, exp.In, exp.Any, exp.All, exp.Exists, exp.Case, exp.If),
    *(exp.Cast, exp.Collate, exp.AtTimeZone, exp.Bracket, exp.Slice, exp.Escape, exp.Cast),
    *(exp.JSONPath, exp.JSONPathPart, exp.Connector, exp.Not, exp.Distinct),
    *(exp.JSONKeyValue, exp.JSONSchema, exp.JSONColumnDef, exp.OnCondition, exp.FormatJson),
    *(exp.Lambda, exp.PropertyEQ, exp.Dot, exp.Pivot, exp.Introducer, exp.RawString),
    *(exp.ByteString, exp.BitString, exp.UnicodeString, exp.MatchAgainst, exp.Variadic),
)
TABLE_NODES: tuple[type[exp.Expr], ...] = (
    *(exp.GenerateSeries, exp.ExplodingGenerateSeries, exp.Unnest, exp.Explode),
    *(exp.JSONTable, exp.RegexpExtractAll),
)
# Binary in sqlglot's tree, but more than an operator. A dot behind a row calls a function on it
# in PostgreSQL.
REFUSED_NODES: tuple[type[exp.Expr], ...] = (
    exp.PropertyEQ,
    exp.Operator,
    exp.Kwarg,
    exp.Dot,
)
# Named arguments, and the fields and methods of values.
HARMLESS: dict[str, tuple[type[exp.Expr], ...]] = {
    "duckdb": (exp.PropertyEQ, exp.Kwarg, exp.Dot),
    "postgres": (exp.PropertyEQ, exp.Kwarg),
}

# Functions of any dialect: by the name written, or by sqlglot's own for it.
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
# Words that stand in front of a parenthesis and call nothing.
_CONSTRUCTS = """
    in values over as exists using and or not on where select from having by any all some case when
    then else join filter group within partition array interval sets rollup cube distinct limit
    offset like ilike between div mod xor is end union intersect except materialized recursive
    lateral with window columns key index against returning top fetch set escape regexp rlike glob
    similar to separator order ties if left right struct row unpivot pivot include exclude replace
    varchar char character nchar nvarchar varbinary binary bit varbit decimal numeric dec number
    float double time timestamp timestamptz timetz datetime int integer tinyint smallint mediumint
    bigint bpchar text blob enum year unsigned signed precision varying zone nested path ordinality
    default tablesample bernoulli system
"""
CONSTRUCTS = frozenset(_CONSTRUCTS.split())
# Known to sqlglot as functions: NEXT VALUE FOR writes, COLUMNS stands for any columns.
NEVER = (exp.NextValueFor, exp.Columns)


def refusal(
    tree: exp.Expr,
    functions: frozenset[str] = frozenset(),
    dialect: str = "",
    tokens: Sequence[Token] = (),
) -> str | None:
    """Return why a syntax tree is not that of a query that only reads, or None when it is.

    Args:
        tree: one statement.
        functions: names of further functions to trust, in lower case, as queries write them.
        dialect: sqlglot's name of the SQL dialect, "" where it is not known.
        tokens: of the statement. sqlglot has names of its own for many functions; here stand those
            that were written.
    """
    if not isinstance(tree, exp.Query):
        return f"{_said(tree)} is not a query that only reads"
    known = FUNCTIONS | known_functions(dialect) | functions
    unknown = [name for name in _called(tree, tokens, dialect) if name not in known]
    for node in tree.walk():
        if isinstance(node, exp.Select) and not node.expressions:
            return "SELECT of nothing"
        if isinstance(node, exp.Table) and isinstance(node.this, exp.Func):
            name = _function_name(node.this)
            if not _is_table_function(node.this, name, unknown, functions):
                name = unknown[0] if unknown else name
                return f"table function {name}() is not known to only read"
        if isinstance(node, exp.Identifier) and not node.quoted and not WORD.fullmatch(node.name):
            return f"{node.name} is not a name"
        if isinstance(node, exp.Func) and not isinstance(node, exp.Connector | exp.Case | exp.If):
            name = _function_name(node)
            if name in known or _is_operator(node):
                continue
            is_written = isinstance(node, exp.Anonymous | exp.AnonymousAggFunc)
            if is_written or unknown or not tokens or isinstance(node, NEVER):
                name = name if is_written or not unknown else unknown[0]
                return f"function {name}() is not known to only read"
        elif isinstance(node, _refused(dialect)) or not isinstance(node, NODES):
            return f"not a query that only reads: {_said(node)} is not allowed"
    return None


def _called(tree: exp.Expr, tokens: Sequence[Token], dialect: str) -> list[str]:
    """Return the names of functions as written, words aside that call nothing."""
    parser = Dialect.get_or_raise(dialect).parser_class
    named = {*parser.FUNCTIONS, *parser.FUNCTION_PARSERS}
    # Columns may follow the name of a common table expression or an alias.
    aliases = {alias.name.lower() for alias in tree.find_all(exp.TableAlias)}
    names = []
    for token, following in zip_longest(tokens, tokens[1:]):
        name = token.text.lower()
        # Some, such as current_user, need no parenthesis.
        is_bare = token.token_type in parser.NO_PAREN_FUNCTIONS
        is_call = following is not None and following.token_type == TokenType.L_PAREN
        if not (is_call or is_bare) or not WORD.fullmatch(name):
            continue
        is_alias = name in aliases and name.upper() not in named
        if name not in CONSTRUCTS and not is_alias:
            names.append(name)
    return names


def _is_table_function(
    node: exp.Func, name: str, unknown: list[str], functions: frozenset[str]
) -> bool:
    if name in TABLE_FUNCTIONS or name in functions:
        return True
    if isinstance(node, exp.Anonymous | exp.AnonymousAggFunc):
        return False
    # By another name in sqlglot: what was written is known, and such a one is a table function.
    return not unknown and isinstance(node, TABLE_NODES)


def _refused(dialect: str) -> tuple[type[exp.Expr], ...]:
    taken = HARMLESS.get(dialect, ())
    return tuple(node for node in REFUSED_NODES if node not in taken)


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
