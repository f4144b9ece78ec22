"""Functions by the names that queries write: those that only read pass, all others do not."""

from __future__ import annotations

import pytest

from text2sql.schema import Schema
from text2sql.sql.validate import Rejected, Validator, find_fault

READS = {
    "postgres": [
        "json_agg(a ORDER BY b)", "jsonb_build_object('k', a)", "jsonb_path_query_array(j, '$.x')",
        "random()", "clock_timestamp()", "gen_random_uuid()", "make_interval(days => 3)",
        "to_char(d, 'YYYY-MM')", "date_bin('1 hour', d, d)", "extract(isodow FROM d)",
        "width_bucket(a, 0, 10, 5)", "array_to_string(array_agg(a), ',')", "cardinality(x)",
        "string_to_array('a,b', ',')", "regexp_split_to_array(t, ',')", "regexp_count(t, 'a')",
        "count(*) FILTER (WHERE a > 1)", "percentile_cont(0.5) WITHIN GROUP (ORDER BY a)",
        "mode() WITHIN GROUP (ORDER BY a)", "ntile(4) OVER (ORDER BY a)", "regr_slope(a, b)",
        "ts_rank(to_tsvector('english', t), plainto_tsquery('x'))", "similarity(t, 'x')",
        "levenshtein(t, 'x')", "d AT TIME ZONE 'UTC'", "timezone('UTC', d)", "j #>> '{a,b}'",
        "j @> '{}'", "t ~* 'x'", "t ILIKE 'x%'", "(d, d) OVERLAPS (d, d)", "row(a, b)",
        "xmlelement(name x, a)", "num_nonnulls(a, b)", "isfinite(d)", "age(d, d)",
        "overlay(t placing 'x' from 2)", "position('a' in t)", "substring(t from 1 for 2)",
        "trim(both 'x' from t)", "normalize(t)", "string_agg(DISTINCT t, ',' ORDER BY t)",
        "a::numeric(10,2)", "cast(a as varchar(10))", "grouping(a)", "sha256('a')",
        "st_distance(g, g)",
        "justify_interval(i)", "pg_size_pretty(a)", "pg_typeof(a)", "format('%s', a)", "log(2, a)",
    ],
    "mysql": [
        "unix_timestamp(d)", "json_unquote(json_extract(j, '$.a'))", "json_arrayagg(a)",
        "json_objectagg(a, b)", "j->>'$.a'", "json_contains(j, '1')", "json_length(j)", "std(a)",
        "group_concat(DISTINCT a ORDER BY a SEPARATOR ';')", "timestampdiff(MONTH, d, d)",
        "date_add(d, INTERVAL 1 DAY)", "date_format(d, '%Y')", "sec_to_time(a)",
        "makedate(2024, 1)", "period_diff(202401, 202301)", "extract(YEAR_MONTH FROM d)",
        "quarter(d)", "yearweek(d)",
        "weekofyear(d)", "microsecond(d)", "if(a > 1, 'x', 'y')", "ifnull(a, 0)", "elt(1, t)",
        "interval(a, 1, 2)", "field(t, 'x')", "find_in_set('a', t)", "insert(t, 1, 1, 'x')",
        "substring_index(t, ',', 1)", "regexp_substr(t, 'a')", "regexp_replace(t, 'a', 'b')",
        "t REGEXP 'x'", "conv(a, 10, 2)", "crc32(t)", "sha2(t, 256)", "uuid()", "rand()", "bin(a)",
        "format(a, 2)", "truncate(a, 1)", "bit_count(a)", "bit_or(a)", "inet_aton('1.1.1.1')",
        "convert(a, CHAR)", "cast(a AS UNSIGNED)", "match(t) AGAINST ('x')", "strcmp(t, 'x')",
        "any_value(a)", "lead(a) OVER (ORDER BY b)", "sysdate()", "utc_timestamp()", "soundex(t)",
        "a DIV 2", "a <=> b", "char(65)", "space(2)", "last_day(d)", "hex(t)", "median(a) OVER ()",
    ],
    "duckdb": [
        "list_transform(x, y -> y + 1)", "list_filter(x, y -> y > 1)", "list_aggregate(x, 'sum')",
        "struct_pack(k := a)", "s.field", "{'k': a}", "map([1], [2])", "map_keys(m)", "unnest(x)",
        "date_diff('day', d, d)", "date_trunc('month', d)", "time_bucket(INTERVAL '1 day', d)",
        "strftime(d, '%Y')", "strptime(t, '%Y')", "epoch_ms(a)", "make_date(2024, 1, 1)", "today()",
        "arg_max(a, b)", "quantile_cont(a, 0.5)", "approx_count_distinct(a)", "histogram(a)",
        "mode(a)", "median(a)", "any_value(a)", "string_agg(t, ',')", "list(a)", "count_if(a > 1)",
        "regexp_extract(t, 'a', 1)", "regexp_matches(t, 'a')", "string_split(t, ',')", "len(t)",
        "levenshtein(t, 'x')", "jaro_winkler_similarity(t, 'x')", "json_extract_string(j, '$.a')",
        "j->>'$.a'", "try_cast(t AS INT)", "typeof(a)", "random()", "uuid()", "hash(a)", "md5(t)",
        "row_number() OVER ()", "array_agg(a)", "greatest(a, b)", "coalesce(a, b)", "t.upper()",
        "range(3)", "generate_series(1, 3)", "format('{}', a)", "printf('%d', a)", "x[1:2]",
    ],
}  # fmt: skip
TABLES = {
    "postgres": [
        "generate_series(1, 3) AS g(n)", "unnest(ARRAY[1, 2]) WITH ORDINALITY AS u(v, n)",
        "jsonb_array_elements('[1]'::jsonb) AS e", "json_each('{}') AS e",
        "regexp_split_to_table('a,b', ',') AS p", "jsonb_to_recordset('[]') AS r(a int, b text)",
    ],
    "mysql": ["JSON_TABLE('[1]', '$[*]' COLUMNS (x INT PATH '$')) AS j"],
    "duckdb": ["range(5) AS r(n)", "generate_series(1, 3) AS g", "unnest([1, 2]) AS u(v)"],
}  # fmt: skip
REFUSED = {
    "postgres": [
        "pg_sleep(1)", "pg_read_file('x')", "pg_ls_dir('.')", "lo_import('x')", "lo_export(1, 'x')",
        "dblink('x', 'y')", "query_to_xml('DELETE FROM t', true, true, '')",
        "set_config('a', 'b', true)",
        "table_to_xml('t', true, true, '')", "current_setting('x')", "pg_terminate_backend(1)",
        "nextval('s')", "setval('s', 1)", "pg_advisory_lock(1)", "txid_current()", "setseed(0.5)",
        "ts_stat('SELECT 1')", "version()", "current_user", "session_user", "inet_server_addr()",
        "abs(pg_sleep(1)::text::int)", '"pg_sleep"(1)', "pg_catalog.pg_sleep(1)", "no_such(a)",
        "coalesce((SELECT setseed(1)), random())", "pg_stat_reset()", "pg_notify('a', 'b')",
        "json_agg(pg_read_file('x'))", "has_table_privilege('t', 'select')", "pg_reload_conf()",
    ],
    "mysql": [
        "sleep(1)", "benchmark(9, md5('a'))", "load_file('x')", "get_lock('a', 1)", "version()",
        "release_lock('a')", "last_insert_id(5)", "user()", "database()", "schema()", "row_count()",
        "connection_id()", "current_user()", "session_user()", "uuid_short()", "sys.x()",
        "master_pos_wait('a', 1)", "json_arrayagg(sleep(1))", "if(1, sleep(1), 0)", "no_such(a)",
    ],
    "duckdb": [
        "nextval('s')", "setseed(0.5)", "getenv('HOME')", "current_setting('x')", "version()",
        "current_user", "current_query()", "query('DELETE FROM t')", "read_text('x')", "no_such(a)",
        "json_execute_serialized_sql('x')", "write_log('x')", "list_transform(x, y -> getenv(y))",
        "t.getenv()", "pg_sleep(1)", "txid_current()", "getvariable('x')",
    ],
}  # fmt: skip
REFUSED_TABLES = {
    "postgres": ["pg_ls_dir('.') AS f", "ts_stat('SELECT 1') AS s", "dblink('x', 'y') AS d(a int)"],
    "mysql": [],
    "duckdb": [
        "read_csv('x')", "read_parquet('x')", "read_json_auto('x')", "glob('*')", "sniff_csv('x')",
        "query('DROP TABLE t')", "query_table('t')", "duckdb_settings()", "pragma_table_info('t')",
        "parquet_metadata('x')", "read_text('x')", "checkpoint()",
    ],
}  # fmt: skip
COVERED = {
    "postgres": "WITH pg_sleep(x) AS (SELECT 1) SELECT pg_sleep(5) FROM pg_sleep",
    "mysql": "WITH version(x) AS (SELECT 1) SELECT version() FROM version",
    "duckdb": "WITH nextval(x) AS (SELECT 1) SELECT nextval('s') FROM nextval",
}


def refusal(sql: str, dialect: str, functions: tuple[str, ...] = ()) -> str | None:
    try:
        Validator(Schema("d", ()), dialect, functions=functions).check_syntax(sql)
    except Rejected as reject:
        return reject.reason
    return None


@pytest.mark.parametrize("dialect", READS)
def test_functions_that_read_pass(dialect: str) -> None:
    queries = [f"SELECT {call} FROM t" for call in READS[dialect]]
    queries += [f"SELECT * FROM {table}" for table in TABLES[dialect]]
    assert {sql: why for sql in queries if (why := refusal(sql, dialect))} == {}


@pytest.mark.parametrize("dialect", REFUSED)
def test_all_others_are_refused(dialect: str) -> None:
    queries = [f"SELECT {call} FROM t" for call in REFUSED[dialect]]
    queries += [f"SELECT * FROM {table}" for table in REFUSED_TABLES[dialect]]
    assert [sql for sql in [*queries, COVERED[dialect]] if not refusal(sql, dialect)] == []


@pytest.mark.parametrize("dialect", REFUSED)
def test_a_database_that_is_not_known_is_held_to_the_same(dialect: str) -> None:
    for call in REFUSED[dialect]:
        if call.startswith(("t.", '"', "query", "list_", "current_")):
            continue
        assert find_fault(f"SELECT {call} FROM t", None, None), call


@pytest.mark.parametrize(
    ("dialect", "call", "name"),
    [
        ("postgres", "setseed(0.5)", "setseed"),
        ("postgres", "Version()", "VERSION"),
        ("postgres", "my_score(a)", "my_score"),
        ("mysql", "database()", "database"),
        ("mysql", "sleep(1)", "Sleep"),
        ("duckdb", "getenv('A')", "getenv"),
    ],
)
def test_functions_are_trusted_by_the_name_that_is_written(
    dialect: str, call: str, name: str
) -> None:
    sql = f"SELECT {call} FROM t"
    reason = refusal(sql, dialect)
    assert reason == f"function {name.lower()}() is not known to only read"
    assert refusal(sql, dialect, (name,)) is None
