"""Functions that only read their arguments, by the names that are written, for each dialect.

Left out are those that write, sleep, lock, read files, run SQL that is given to them as text, or
tell of the server and its users: PostgreSQL's pg_proc, MariaDB's information_schema.sql_functions
and duckdb_functions() were gone through for what remains.
"""

from __future__ import annotations

from functools import cache

_POSTGRES = """
    abs acos acosd acosh age any_value area array_agg array_append array_cat array_dims array_fill
    array_length array_lower array_ndims array_position array_positions array_prepend array_remove
    array_replace array_sample array_shuffle array_to_json array_to_string array_to_tsvector
    array_upper ascii asin asind asinh atan atan2 atan2d atand atanh avg bit_and bit_count
    bit_length bit_or bit_xor bool_and bool_or bound_box box broadcast btrim cardinality casefold
    cbrt ceil ceiling center char_length character_length chr circle clock_timestamp coalesce
    concat concat_ws convert convert_from convert_to corr cos cosd cosh cot cotd count covar_pop
    covar_samp crc32 cume_dist date date_add date_bin date_part date_subtract date_trunc decode
    degrees dense_rank diagonal diameter difference div dmetaphone encode enum_first enum_last
    enum_range erf every exp extract factorial first_value floor format gamma gcd gen_random_uuid
    generate_series generate_subscripts get_bit get_byte greatest grouping height host hostmask
    inet_merge inet_same_family initcap isclosed isempty isfinite isopen json json_agg
    json_array json_array_elements json_array_elements_text json_array_length json_arrayagg
    json_build_array json_build_object json_each json_each_text json_exists json_extract_path
    json_extract_path_text json_object json_object_agg json_object_keys json_objectagg
    json_populate_record json_populate_recordset json_query json_scalar json_serialize
    json_strip_nulls json_table json_to_record json_to_recordset json_typeof json_value jsonb_agg
    jsonb_array_elements jsonb_array_elements_text jsonb_array_length jsonb_build_array
    jsonb_build_object jsonb_concat jsonb_contains jsonb_each jsonb_each_text jsonb_exists
    jsonb_exists_all jsonb_exists_any jsonb_extract_path jsonb_extract_path_text jsonb_insert
    jsonb_object jsonb_object_agg jsonb_object_keys jsonb_path_exists jsonb_path_exists_tz
    jsonb_path_match jsonb_path_match_tz jsonb_path_query jsonb_path_query_array
    jsonb_path_query_first jsonb_populate_record jsonb_populate_recordset jsonb_pretty jsonb_set
    jsonb_set_lax jsonb_strip_nulls jsonb_to_record jsonb_to_recordset jsonb_typeof justify_days
    justify_hours justify_interval lag last_value lcm lead least left length levenshtein lgamma
    line ln log log10 lower lower_inc lower_inf lpad lseg ltrim make_date make_interval make_time
    make_timestamp make_timestamptz masklen max md5 metaphone min min_scale mod mode netmask network
    normalize now npoints nth_value ntile nullif num_nonnulls num_nulls numnode octet_length overlay
    parse_ident path pclose percent_rank percentile_cont percentile_disc pg_size_bytes
    pg_size_pretty pg_typeof phraseto_tsquery pi plainto_tsquery point polygon popen position pow
    power querytree quote_ident quote_literal quote_nullable radians radius random range_agg
    range_intersect_agg range_merge rank regexp_count regexp_instr regexp_like regexp_match
    regexp_matches regexp_replace regexp_split_to_array regexp_split_to_table regexp_substr
    regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy
    repeat replace reverse right round row row_number row_to_json rpad rtrim scale set_bit set_byte
    set_masklen setweight sha224 sha256 sha384 sha512 show_trgm sign similarity sin sind sinh slope
    soundex split_part sqrt starts_with statement_timestamp stddev stddev_pop stddev_samp
    strict_word_similarity string_agg string_to_array string_to_table strip strpos substr substring
    sum tan tand tanh text timeofday timezone to_ascii to_bin to_char to_date to_hex to_json
    to_jsonb to_number to_oct to_timestamp to_tsquery to_tsvector transaction_timestamp translate
    trim trim_array trim_scale trunc ts_delete ts_filter ts_headline ts_lexize ts_rank ts_rank_cd
    tsquery_phrase tsvector_to_array unaccent unistr unnest upper upper_inc upper_inf var_pop
    var_samp variance websearch_to_tsquery width width_bucket word_similarity xmlagg xmlattributes
    xmlcomment xmlconcat xmlelement xmlexists xmlforest xmlparse xmlpi xmlroot xmlserialize
    xml_is_well_formed xml_is_well_formed_content xml_is_well_formed_document xpath xpath_exists
    int4range int8range numrange tsrange tstzrange daterange int4multirange int8multirange
    nummultirange tsmultirange tstzmultirange datemultirange multirange uuid_extract_timestamp
"""
_MYSQL = """
    abs acos add_months adddate addtime aes_decrypt aes_encrypt any_value ascii asin atan atan2 avg
    bin bin_to_uuid binary bit_and bit_count bit_length bit_or bit_xor cast ceil ceiling char
    char_length character_length charset chr coalesce coercibility collation compress concat
    concat_ws conv convert convert_tz cos cot count crc32 crc32c cume_dist curdate curtime date
    date_add date_format date_sub datediff day dayname dayofmonth dayofweek dayofyear decode degrees
    dense_rank elt exp export_set extract extractvalue field find_in_set first_value floor format
    from_base64 from_days from_unixtime get_format greatest group_concat grouping hex hour if ifnull
    inet6_aton inet6_ntoa inet_aton inet_ntoa insert instr interval is_ipv4 is_ipv4_compat
    is_ipv4_mapped is_ipv6 is_uuid isnull json_array json_array_append json_array_insert
    json_arrayagg json_compact json_contains json_contains_path json_depth json_detailed json_equals
    json_exists json_extract json_insert json_keys json_length json_loose json_merge
    json_merge_patch json_merge_preserve json_normalize json_object json_object_filter_keys
    json_object_to_array json_objectagg json_overlaps json_pretty json_query json_quote json_remove
    json_replace json_schema_valid json_search json_set json_storage_size json_table json_type
    json_unquote json_valid json_value lag last_day last_value lcase lead least left length lengthb
    ln localtime localtimestamp locate log log10 log2 lower lpad ltrim make_set makedate maketime
    match max md5 median microsecond mid min minute mod month monthname natural_sort_key now
    nth_value ntile nullif nvl nvl2 oct octet_length ord percent_rank percentile_cont
    percentile_disc period_add period_diff pi position pow power quarter quote radians rand rank
    regexp_instr regexp_like regexp_replace regexp_substr repeat replace reverse right round
    row_number rpad rtrim sec_to_time second sformat sha sha1 sha2 sign sin soundex space sqrt std
    stddev stddev_pop stddev_samp str_to_date strcmp subdate substr substring substring_index
    subtime sum sysdate tan time time_format time_to_sec timediff timestamp timestampadd
    timestampdiff to_base64 to_char to_days to_seconds trim trunc truncate ucase uncompress
    uncompressed_length unhex unix_timestamp updatexml upper utc_date utc_time utc_timestamp uuid
    uuid_to_bin var_pop var_samp variance week weekday weekofyear weight_string year yearweek
"""
_DUCKDB = """
    abs acos acosh add age aggregate ago alias any_value apply approx_count_distinct approx_quantile
    approx_top_k arbitrary arg_max arg_max_null arg_min arg_min_null argmax argmin array_agg
    array_aggr array_aggregate array_append array_apply array_cat array_concat array_contains
    array_cosine_distance array_cosine_similarity array_cross_product array_distance array_distinct
    array_dot_product array_extract array_filter array_grade_up array_has array_has_all
    array_has_any array_indexof array_inner_product array_intersect array_length
    array_negative_inner_product array_pop_back array_pop_front array_position array_prepend
    array_push_back array_push_front array_reduce array_resize array_reverse array_reverse_sort
    array_select array_slice array_sort array_to_json array_to_string array_transform array_unique
    array_value array_where array_zip ascii asin asinh atan atan2 atanh avg bar base64 bin bit_and
    bit_count bit_length bit_or bit_position bit_xor bitstring bitstring_agg bool_and bool_or
    cardinality cast cbrt ceil ceiling century char_length character_length chr coalesce
    concat concat_ws contains corr cos cosh cot count count_if count_star countif covar_pop
    covar_samp cume_dist damerau_levenshtein date date_add date_diff date_part date_sub date_trunc
    datediff datepart datesub datetrunc day dayname dayofmonth dayofweek dayofyear decade decode
    degrees dense_rank divide editdist3 element_at encode ends_with entropy enum_code enum_first
    enum_last enum_range enum_range_boundary epoch epoch_ms epoch_ns epoch_us equi_width_bins era
    even exp extract factorial favg fdiv fill filter first first_value flatten floor fmod format
    format_bytes formatreadabledecimalsize formatreadablesize from_base64 from_binary from_hex
    from_json from_json_strict fsum gamma gcd generate_series generate_subscripts geomean
    geometric_mean get_bit get_current_time get_current_timestamp grade_up greatest
    greatest_common_divisor group_concat grouping grouping_id hamming hash hex histogram hour if
    ifnull instr isfinite isinf isnan isodow isoyear jaccard jaro_similarity jaro_winkler_similarity
    json json_array json_array_length json_contains json_each json_exists json_extract
    json_extract_path json_extract_path_text json_extract_string json_group_array json_group_object
    json_group_structure json_keys json_merge_patch json_object json_pretty json_quote
    json_serialize_sql json_structure json_transform json_transform_strict json_tree json_type
    json_valid json_value julian kahan_sum kurtosis kurtosis_pop lag last last_day last_value lcase
    lcm lead least least_common_multiple left left_grapheme len length length_grapheme levenshtein
    lgamma list list_aggr list_aggregate list_any_value list_append list_apply
    list_approx_count_distinct list_avg list_bit_and list_bit_or list_bit_xor list_bool_and
    list_bool_or list_cat list_concat list_contains list_cosine_distance list_cosine_similarity
    list_count list_distance list_distinct list_dot_product list_element list_entropy list_extract
    list_filter list_first list_grade_up list_has list_has_all list_has_any list_histogram
    list_indexof list_inner_product list_intersect list_kurtosis list_last list_mad list_max
    list_median list_min list_mode list_negative_inner_product list_pack list_position list_prepend
    list_product list_reduce list_resize list_reverse list_reverse_sort list_select list_sem
    list_skewness list_slice list_sort list_stddev_pop list_stddev_samp list_string_agg list_sum
    list_transform list_unique list_value list_var_pop list_var_samp list_where list_zip listagg ln
    log log10 log2 lower lpad ltrim mad make_date make_time make_timestamp make_timestamp_ms
    make_timestamp_ns make_timestamptz map map_concat map_contains map_contains_entry
    map_contains_value map_entries map_extract map_extract_value map_from_entries map_keys
    map_values max max_by md5 md5_number mean median microsecond millennium millisecond min min_by
    minute mismatches mod mode month monthname multiply nanosecond nextafter nfc_normalize
    normalized_interval now nth_value ntile nullif octet_length ord overlay parse_dirname
    parse_dirpath parse_filename parse_path percent_rank percentile_cont percentile_disc
    pg_size_pretty pg_typeof pi position pow power prefix printf product quantile quantile_cont
    quantile_disc quarter radians random range rank rank_dense reduce regexp_escape regexp_extract
    regexp_extract_all regexp_full_match regexp_matches regexp_replace regexp_split_to_array
    regexp_split_to_table regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx
    regr_sxy regr_syy repeat replace reservoir_quantile reverse right right_grapheme round
    round_even roundbankers row row_number row_to_json rpad rtrim second sem set_bit sha1 sha256
    sign signbit sin sinh skewness split split_part sqrt starts_with stddev stddev_pop stddev_samp
    str_split str_split_regex strftime string_agg string_split string_split_regex string_to_array
    strip_accents strlen strpos strptime struct_concat struct_extract struct_extract_at
    struct_insert struct_keys struct_pack struct_update struct_values substr substring
    substring_grapheme subtract suffix sum sumkahan switch tan tanh time_bucket timezone
    timezone_hour timezone_minute to_base to_base64 to_binary to_centuries to_days to_decades to_hex
    to_hours to_json to_microseconds to_millennia to_milliseconds to_minutes to_months to_quarters
    to_seconds to_timestamp to_weeks to_years today transaction_timestamp translate trim trunc
    try_cast try_strptime typeof ucase unbin unhex unicode union_extract union_tag union_value
    unnest unpivot_list upper url_decode url_encode uuid uuidv4 uuidv7 var_pop var_samp variance
    wavg week weekday weekofyear weighted_avg xor year yearweek
"""
# Of PostGIS, MySQL and DuckDB's extension.
_SPATIAL = """
    st_area st_asgeojson st_astext st_asbinary st_azimuth st_boundary st_buffer st_centroid
    st_closestpoint st_collect st_contains st_convexhull st_coveredby st_covers st_crosses
    st_difference st_dimension st_disjoint st_distance st_distance_sphere st_distancesphere
    st_dwithin st_endpoint st_envelope st_equals st_extent st_geogfromtext st_geohash
    st_geometrytype st_geomfromgeojson st_geomfromtext st_geomfromwkb st_intersection st_intersects
    st_isclosed st_isempty st_isvalid st_latitude st_length st_longitude st_makeenvelope st_makeline
    st_makepoint st_npoints st_numpoints st_overlaps st_perimeter st_point st_pointfromtext
    st_pointn st_setsrid st_simplify st_srid st_startpoint st_symdifference st_touches st_transform
    st_union st_within st_x st_xmax st_xmin st_y st_ymax st_ymin
"""
_BY_DIALECT = {"postgres": _POSTGRES, "mysql": _MYSQL, "duckdb": _DUCKDB}
# Those that stand where a table does.
TABLE_FUNCTIONS = frozenset(
    """
    generate_series unnest explode generate_subscripts json_array_elements json_array_elements_text
    json_each json_each_text json_object_keys json_populate_recordset json_table json_to_record
    json_to_recordset json_tree jsonb_array_elements jsonb_array_elements_text jsonb_each
    jsonb_each_text jsonb_object_keys jsonb_path_query jsonb_populate_recordset jsonb_to_record
    jsonb_to_recordset range regexp_matches regexp_split_to_table repeat string_to_table
    """.split()  # noqa: SIM905 - one name a line would be a page
)


@cache
def known_functions(dialect: str) -> frozenset[str]:
    """Return the names, in lower case, of a dialect's functions that are known to only read.

    Args:
        dialect: sqlglot's name of it; "" where it is not known, which takes those of all.
    """
    texts = [_BY_DIALECT[dialect]] if dialect in _BY_DIALECT else []
    texts = texts or ([] if dialect else list(_BY_DIALECT.values()))
    return frozenset(f"{' '.join(texts)} {_SPATIAL if texts else ''}".split())
