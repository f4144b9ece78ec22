"""A seeded generator of mutated queries, to compare this package with the official program.

Each mutation makes a query wrong, differently written or broken in one to three steps: columns
swapped or dropped, operators, values, DISTINCT, ORDER BY, LIMIT, joins, set operations, aliases,
case, spacing, syntax.  The queries come from the caller; the same seed gives the same mutations.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

_TOKEN = re.compile(r"'[^']*'|\"[^\"]*\"|[\w.]+|[<>!]=|\s+|.", re.DOTALL)
_OPERATORS = ("=", "!=", "<", ">", "<=", ">=", "like", "in", "<>", "not in", "not like", "is")
_AGGREGATES = ("count", "sum", "avg", "min", "max")
_JOIN = re.compile(r"\bjoin\b", re.IGNORECASE)
_CLAUSES = re.compile(
    r"\b(where|group\s+by|having|order\s+by|limit|intersect|union|except)\b", re.IGNORECASE
)


class Mutation(NamedTuple):
    """A mutated query and what it came from."""

    db_id: str
    gold: str
    mutated: str
    steps: tuple[str, ...]


Tables = Mapping[str, Sequence[str]]
Step = Callable[[str, Tables, random.Random], str]


def mutations(
    gold: Sequence[tuple[str, str]], tables: Mapping[str, Tables], count: int, seed: int = 0
) -> Iterator[Mutation]:
    """Yields mutated queries.

    Args:
        gold: pairs of query and db_id.
        tables: db_id -> table -> columns.
        count: how many mutations.
        seed: the seed of the generator.
    """
    generator = random.Random(seed)
    for number in range(count):
        sql, db_id = gold[number % len(gold)]
        names = generator.choices(list(STEPS), k=generator.choice((1, 1, 2, 3)))
        mutated = sql
        for name in names:
            mutated = STEPS[name](mutated, tables[db_id], generator)
        # One query a line is the format of both programs' files.
        mutated = re.sub(r"[\t\n\r]", " ", mutated).strip()
        yield Mutation(db_id, sql, mutated or "select", tuple(names))


def _tokens(sql: str) -> list[str]:
    return _TOKEN.findall(sql)


def _replace_one(
    sql: str, generator: random.Random, fits: Callable[[str], bool], new: Callable[[str], str]
) -> str:
    tokens = _tokens(sql)
    places = [place for place, token in enumerate(tokens) if fits(token)]
    if places:
        place = generator.choice(places)
        tokens[place] = new(tokens[place])
    return "".join(tokens)


def _is_column(token: str, tables: Tables) -> bool:
    name = token.lower().rpartition(".")[2]
    return any(name == column.lower() for columns in tables.values() for column in columns)


def _any_column(tables: Tables, generator: random.Random) -> str:
    return generator.choice([column for columns in tables.values() for column in columns] or ["*"])


def change_column(sql: str, tables: Tables, generator: random.Random) -> str:
    def new(token: str) -> str:
        prefix = token.rpartition(".")[0]
        column = _any_column(tables, generator)
        return f"{prefix}.{column}" if prefix and generator.random() < 0.8 else column

    return _replace_one(sql, generator, lambda token: _is_column(token, tables), new)


def swap_columns(sql: str, tables: Tables, generator: random.Random) -> str:
    tokens = _tokens(sql)
    places = [place for place, token in enumerate(tokens) if _is_column(token, tables)]
    if len(places) > 1:
        one, other = generator.sample(places, 2)
        tokens[one], tokens[other] = tokens[other], tokens[one]
    return "".join(tokens)


def drop_column(sql: str, tables: Tables, generator: random.Random) -> str:
    tokens = _tokens(sql)
    commas = [place for place, token in enumerate(tokens) if token == ","]
    if not commas:
        return sql
    comma = generator.choice(commas)
    end = comma + 1
    while end < len(tokens) and tokens[end].strip() == "":
        end += 1
    return "".join([*tokens[:comma], " ", *tokens[end + 1 :]])


def add_column(sql: str, tables: Tables, generator: random.Random) -> str:
    column = _any_column(tables, generator)
    return re.sub(r"(?i)\s+from\b", lambda _: f" , {column} FROM", sql, count=1)


def change_operator(sql: str, tables: Tables, generator: random.Random) -> str:
    def fits(token: str) -> bool:
        return token.lower() in _OPERATORS

    return _replace_one(sql, generator, fits, lambda _: generator.choice(_OPERATORS))


def change_aggregate(sql: str, tables: Tables, generator: random.Random) -> str:
    def fits(token: str) -> bool:
        return token.lower() in _AGGREGATES

    return _replace_one(sql, generator, fits, lambda _: generator.choice(_AGGREGATES))


def change_value(sql: str, tables: Tables, generator: random.Random) -> str:
    def fits(token: str) -> bool:
        return token[0] in "'\"" or token.replace(".", "").isdigit()

    def new(token: str) -> str:
        choices = ["0", "1", "2.5", "-3", "'x'", '"Y z"', "'a.b'", "value", "null", token.upper()]
        choices += [f"'%{token.strip(chr(34) + chr(39))}%'", token.strip("'\""), token[:-1]]
        return generator.choice(choices)

    return _replace_one(sql, generator, fits, new)


def toggle_distinct(sql: str, tables: Tables, generator: random.Random) -> str:
    if re.search(r"(?i)\bdistinct\b", sql) and generator.random() < 0.7:
        return re.sub(r"(?i)\bdistinct\s*", "", sql, count=1)
    place = generator.choice([r"(?i)\bselect\b", r"(?i)\b(?:count|sum|avg|min|max)\s*\("])
    return re.sub(place, lambda match: f"{match[0]} DISTINCT ", sql, count=1)


def change_order(sql: str, tables: Tables, generator: random.Random) -> str:
    if re.search(r"(?i)\border\s+by\b", sql):
        column = _any_column(tables, generator)
        return generator.choice(
            [
                re.sub(r"(?i)\bdesc\b", "ASC", sql),
                re.sub(r"(?i)\basc\b", "DESC", sql),
                re.sub(r"(?i)\b(?:asc|desc)\b", "", sql),
                re.sub(r"(?i)\border\s+by\b.*?(?=\blimit\b|\)|$)", "", sql, flags=re.DOTALL),
                re.sub(r"(?i)\border\s+by\s+", f"ORDER BY {column} , ", sql),
            ]
        )
    direction = generator.choice(["", " ASC", " DESC"])
    return f"{sql} ORDER BY {_any_column(tables, generator)}{direction}"


def change_limit(sql: str, tables: Tables, generator: random.Random) -> str:
    limit = generator.choice(["", "LIMIT 1", "LIMIT 3", "LIMIT", "LIMIT 1,2", "LIMIT 2 OFFSET 1"])
    if re.search(r"(?i)\blimit\b", sql):
        return re.sub(r"(?i)\blimit\s+\d+", limit, sql)
    return f"{sql} {limit}"


def change_join(sql: str, tables: Tables, generator: random.Random) -> str:
    kind = generator.choice(["LEFT JOIN", "INNER JOIN", ",", "NATURAL JOIN", "CROSS JOIN", "JOIN"])
    if _JOIN.search(sql) and generator.random() < 0.5:
        return _JOIN.sub(kind, sql, count=1)
    if generator.random() < 0.5:
        return re.sub(r"(?i)\bon\s+\S+\s*=\s*\S+", "", sql, count=1)
    table = generator.choice(list(tables))
    return re.sub(r"(?i)\bfrom\s+", lambda _: f"FROM {table} JOIN ", sql, count=1)


def change_table(sql: str, tables: Tables, generator: random.Random) -> str:
    known = {table.lower() for table in tables}

    def fits(token: str) -> bool:
        return token.lower() in known

    return _replace_one(sql, generator, fits, lambda _: generator.choice(list(tables)))


def change_set_operation(sql: str, tables: Tables, generator: random.Random) -> str:
    operation = generator.choice(["UNION", "INTERSECT", "EXCEPT", "UNION ALL"])
    found = re.search(r"(?i)\b(?:union|intersect|except)\b", sql)
    if not found:
        return f"{sql} {operation} {sql}"
    return generator.choice(
        [
            sql[: found.start()],
            sql[found.end() :],
            f"{sql[: found.start()]}{operation}{sql[found.end() :]}",
            f"{sql[found.end() :]} {found[0]} {sql[: found.start()]}",
        ]
    )


def change_alias(sql: str, tables: Tables, generator: random.Random) -> str:
    if not re.search(r"(?i)\bas\b", sql):
        table = generator.choice(list(tables))
        return re.sub(rf"(?i)\b{re.escape(table)}\b", f"{table} AS T1", sql, count=1)
    return generator.choice(
        [
            re.sub(r"(?i)\bas\s+", "", sql),
            re.sub(r"(?i)\bt1\b", "a", sql),
            re.sub(r"(?i)\bt2\.", "T1.", sql, count=1),
            re.sub(r"(?i)\bt1\.", "", sql, count=1),
            re.sub(r"(?i)\bt2\b", generator.choice(list(tables)), sql),
            re.sub(r"(?i)\s+from\b", " AS total FROM", sql, count=1),
        ]
    )


def change_case(sql: str, tables: Tables, generator: random.Random) -> str:
    return generator.choice([sql.upper(), sql.lower(), sql.title(), sql.swapcase()])


def change_spacing(sql: str, tables: Tables, generator: random.Random) -> str:
    return generator.choice(
        [
            re.sub(r"\s*([(),=<>])\s*", r"\1", sql),
            re.sub(r"([(),=<>])", r" \1 ", sql),
            sql.replace(" ", "  "),
            sql.replace(",", ", ").replace(" ,", ","),
            f" {sql} ;",
            f"{sql}.",
            sql.replace(".", " . ", 1),
        ]
    )


def change_connector(sql: str, tables: Tables, generator: random.Random) -> str:
    def fits(token: str) -> bool:
        return token.lower() in ("and", "or")

    return _replace_one(sql, generator, fits, lambda _: generator.choice(["and", "or", "OR", ""]))


def add_condition(sql: str, tables: Tables, generator: random.Random) -> str:
    column, other = _any_column(tables, generator), _any_column(tables, generator)
    condition = generator.choice(
        [
            f"{column} = 1",
            f"{column} = {other}",
            f"{column} is not null",
            f"{column} between 1 and 5",
            f"{column} + {other} > 3",
            f"not {column} = 1",
            f"{column} not like 'a%'",
            f"{column} in (select {other} from {generator.choice(list(tables))})",
            f"exists (select * from {generator.choice(list(tables))})",
        ]
    )
    if re.search(r"(?i)\bwhere\b", sql):
        connector = generator.choice([" AND", " OR", ""])
        return re.sub(r"(?i)\bwhere\b", lambda _: f"WHERE {condition}{connector}", sql, count=1)
    clause = _CLAUSES.search(sql)
    place = clause.start() if clause else len(sql)
    return f"{sql[:place]} WHERE {condition} {sql[place:]}"


def drop_clause(sql: str, tables: Tables, generator: random.Random) -> str:
    found = list(_CLAUSES.finditer(sql))
    if not found:
        return sql
    number = generator.randrange(len(found))
    end = found[number + 1].start() if number + 1 < len(found) else len(sql)
    return sql[: found[number].start()] + sql[end:]


def break_syntax(sql: str, tables: Tables, generator: random.Random) -> str:
    tokens = _tokens(sql)
    place = generator.randrange(len(tokens)) if tokens else 0
    other = generator.randrange(len(tokens)) if tokens else 0
    kind = generator.randrange(6)
    if kind == 0:
        tokens = tokens[:place] + tokens[place + 1 :]
    elif kind == 1:
        tokens = tokens[:place]
    elif kind == 2:
        noise = ["(", ")", "'", ",", ";", "as", "not", "none", "*", "--", "and", "from", "@", "é"]
        tokens.insert(place, f" {generator.choice(noise)} ")
    elif kind == 3 and tokens:
        tokens[place], tokens[other] = tokens[other], tokens[place]
    elif kind == 4:
        tokens[place:place] = tokens[other : other + 4]
    else:
        tokens = [" (", *tokens, ") "]
    return "".join(tokens)


def nest(sql: str, tables: Tables, generator: random.Random) -> str:
    column = _any_column(tables, generator)
    table = generator.choice(list(tables))
    return generator.choice(
        [
            f"SELECT count(*) FROM ({sql})",
            f"SELECT {column} FROM ({sql}) AS T9",
            f"SELECT {column} FROM {table} WHERE {column} IN ({sql})",
            f"SELECT {column} FROM {table} WHERE {column} > ({sql}) AND {column} = 1",
            f"SELECT count(*) FROM ({sql}) JOIN {table}",
            f"SELECT CASE WHEN 1 THEN 2 END FROM {table}",
            f"WITH c AS ({sql}) SELECT * FROM c",
        ]
    )


def _keep(sql: str, tables: Tables, generator: random.Random) -> str:
    return sql


STEPS: dict[str, Step] = {
    "keep": _keep,
    "change_column": change_column,
    "swap_columns": swap_columns,
    "drop_column": drop_column,
    "add_column": add_column,
    "change_operator": change_operator,
    "change_aggregate": change_aggregate,
    "change_value": change_value,
    "toggle_distinct": toggle_distinct,
    "change_order": change_order,
    "change_limit": change_limit,
    "change_join": change_join,
    "change_table": change_table,
    "change_set_operation": change_set_operation,
    "change_alias": change_alias,
    "change_case": change_case,
    "change_spacing": change_spacing,
    "change_connector": change_connector,
    "add_condition": add_condition,
    "drop_clause": drop_clause,
    "break_syntax": break_syntax,
    "nest": nest,
}
