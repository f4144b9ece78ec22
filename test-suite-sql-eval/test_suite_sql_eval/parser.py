"""The SQL grammar of Spider's exact match.

`parse` accepts and rejects the same queries as upstream's parser, because a prediction outside
this grammar scores zero in exact match however right it is.  The grammar is narrow (no LEFT JOIN,
no alias without AS, no CASE, no CTE, no ``IS NULL``) and lax in places:

* every ``x AS y`` anywhere in the text makes ``y`` an alias of ``x``, for the whole text; the last
  one wins, and an alias may not have a table's name;
* a column without a table belongs to the first table of its own FROM that has it;
* the comma between result columns, the connector between conditions and whatever follows the
  query's end may be missing or wrong;
* a comparison with something other than a value or a sub-query reads one column and then skips
  to the next comma, bracket, AND or clause.

For a parser of the SQL that language models write, see `lenient`.
"""

from __future__ import annotations

from .em_ast import (
    NO_OPERATION,
    SET_OPERATIONS,
    ColumnUnit,
    Comparison,
    Condition,
    OrderBy,
    ParsedSql,
    SelectItem,
    Value,
    ValueUnit,
)
from .em_lexer import QuoteError, tokenize
from .schema import STAR, EvalSchema

AGGREGATES = frozenset({NO_OPERATION, "max", "min", "count", "sum", "avg"})
ARITHMETIC = frozenset({NO_OPERATION, "-", "+", "*", "/"})
COMPARISONS = frozenset(
    {"not", "between", "=", ">", "<", ">=", "<=", "!=", "in", "like", "is", "exists"}
)
CLAUSE_STARTS = frozenset({"select", "from", "where", "group", "order", "limit", *SET_OPERATIONS})
JOIN_WORDS = frozenset({"join", "on", "as"})
QUERY_ENDS = CLAUSE_STARTS | {")", ";"}
CONDITION_ENDS = QUERY_ENDS | JOIN_WORDS
VALUE_ENDS = CLAUSE_STARTS | JOIN_WORDS | {",", ")", "and"}
#: What a column in a query begins with where it is more than a name.
UNIT_STARTS = AGGREGATES | {"(", "distinct"}


_END = ""  # stands after the last word, so that looking at the next word needs no test


class ParseError(ValueError):
    """A query outside the grammar; the message says where and why."""


def parse(sql: str, schema: EvalSchema) -> ParsedSql:
    """Parses a query with the official grammar.

    Args:
        sql: the query.
        schema: the names it may use.

    Returns:
        The syntax tree.

    Raises:
        ParseError: the grammar does not accept the query.
    """
    try:
        words = tokenize(sql)
        return _Parser(words, schema, _find_aliases(words, schema)).query()
    except QuoteError as error:
        raise ParseError(str(error)) from error
    except RecursionError as error:
        raise ParseError("too deeply nested") from error


def _find_aliases(words: list[str], schema: EvalSchema) -> dict[str, str]:
    """Maps every alias of the text, and every table's own name, to what it stands for."""
    aliases = {}
    for position, word in enumerate(words):
        if word == "as":
            if position + 1 == len(words):
                raise ParseError("nothing after AS")
            aliases[words[position + 1]] = words[position - 1]
    for table in schema.tables:
        if table in aliases:
            raise ParseError(f'the alias "{table}" is the name of a table')
        aliases[table] = table
    return aliases


class _Parser:
    """A recursive-descent parser over a list of words; `_position` is the next one."""

    def __init__(self, words: list[str], schema: EvalSchema, aliases: dict[str, str]) -> None:
        self._words = [*words, _END]
        self._schema = schema
        self._aliases = aliases
        self._position = 0

    # Reading words

    @property
    def _word(self) -> str:
        """The next word; at the end of the text an error."""
        word = self._words[self._position]
        if not word:
            raise ParseError("unexpected end of the query")
        return word

    def _at_end(self) -> bool:
        return not self._words[self._position]

    def _next_is(self, *words: str) -> bool:
        return self._words[self._position] in words

    def _next_in(self, words: frozenset[str]) -> bool:
        return self._words[self._position] in words

    def _take(self) -> str:
        word = self._words[self._position]
        if not word:
            raise ParseError("unexpected end of the query")
        self._position += 1
        return word

    def _accept(self, word: str) -> bool:
        """Skips the next word if it is the given one; an error at the end of the text."""
        following = self._words[self._position]
        if following == word:
            self._position += 1
            return True
        if not following:
            raise ParseError("unexpected end of the query")
        return False

    def _expect(self, word: str) -> None:
        if not self._accept(word):
            raise ParseError(f'expected "{word}", found "{self._word}"')

    # Queries and clauses

    def query(self) -> ParsedSql:
        start = self._position
        in_brackets = self._accept("(")
        select_start = self._position
        sql = ParsedSql()
        # FROM comes first, since its tables decide what a bare column name means.
        self._position = start
        scope = self._from_clause(sql)
        after_from = self._position
        self._position = select_start
        self._select_clause(sql, scope)
        self._position = after_from
        if self._next_is("where"):
            self._take()
            sql.where = self._condition(scope)
        self._group_by(sql, scope)
        if self._next_is("having"):
            self._take()
            sql.having = self._condition(scope)
        self._order_by(sql, scope)
        self._limit(sql)
        self._skip_semicolons()
        if in_brackets:
            self._expect(")")
        self._skip_semicolons()
        self._set_operation(sql)
        return sql

    def _from_clause(self, sql: ParsedSql) -> list[str]:
        """Reads FROM into the query and returns its tables, the scope of bare column names."""
        try:
            self._position = self._words.index("from", self._position) + 1
        except ValueError:
            raise ParseError("there is no FROM") from None
        scope: list[str] = []
        while not self._at_end():
            in_brackets = self._accept("(")
            if self._word == "select":
                sql.tables.append(self.query())
            else:
                self._accept("join")
                table = self._table()
                sql.tables.append(table)
                scope.append(table)
            if self._next_is("on"):
                self._take()
                condition = self._condition(scope)
                if sql.on:
                    sql.on.append("and")
                sql.on.extend(condition)
            if in_brackets:
                self._expect(")")
            if self._next_in(QUERY_ENDS):
                break
        return scope

    def _table(self) -> str:
        word = self._take()
        name = self._aliases.get(word)
        if name is None or name not in self._schema.names:
            raise ParseError(f'no such table: "{word}"')
        if self._next_is("as"):
            self._position += 2
        return name

    def _select_clause(self, sql: ParsedSql, scope: list[str]) -> None:
        self._expect("select")
        if self._next_is("distinct"):
            self._take()
            sql.select_distinct = True
        while not self._at_end() and not self._next_in(CLAUSE_STARTS):
            aggregate = self._take() if self._next_in(AGGREGATES) else NO_OPERATION
            sql.select.append(SelectItem(aggregate, self._value_unit(scope)))
            self._skip_comma()

    def _group_by(self, sql: ParsedSql, scope: list[str]) -> None:
        if not self._next_is("group"):
            return
        self._take()
        self._expect("by")
        while not self._at_end() and not self._next_in(QUERY_ENDS):
            sql.group_by.append(self._column_unit(scope))
            if not self._skip_comma():
                break

    def _order_by(self, sql: ParsedSql, scope: list[str]) -> None:
        if not self._next_is("order"):
            return
        self._take()
        self._expect("by")
        direction = "asc"
        keys = []
        while not self._at_end() and not self._next_in(QUERY_ENDS):
            keys.append(self._value_unit(scope))
            if self._next_is("asc", "desc"):
                direction = self._take()
            if not self._skip_comma():
                break
        sql.order_by = OrderBy(direction, tuple(keys))

    def _limit(self, sql: ParsedSql) -> None:
        if self._next_is("limit"):
            self._take()
            self._take()
            sql.limit = True

    def _set_operation(self, sql: ParsedSql) -> None:
        if not self._next_is(*SET_OPERATIONS):
            return
        operation = self._take()
        operand = self.query()
        if operation == "intersect":
            sql.intersect = operand
        elif operation == "union":
            sql.union = operand
        else:
            sql.except_ = operand

    def _skip_semicolons(self) -> None:
        while self._next_is(";"):
            self._take()

    def _skip_comma(self) -> bool:
        if self._next_is(","):
            self._take()
            return True
        return False

    # Conditions and values

    def _condition(self, scope: list[str]) -> Condition:
        items: Condition = []
        while not self._at_end():
            items.append(self._comparison(scope))
            if self._next_in(CONDITION_ENDS):
                break
            if self._next_is("and", "or"):
                items.append(self._take())
        return items

    def _comparison(self, scope: list[str]) -> Comparison:
        left = self._value_unit(scope)
        negated = self._accept("not")
        operator = self._take()
        if operator not in COMPARISONS:
            raise ParseError(f'expected a comparison, found "{operator}"')
        value = self._value(scope)
        second_value: Value = None
        if operator == "between":
            self._expect("and")
            second_value = self._value(scope)
        return Comparison(negated, operator, left, value, second_value)

    def _value(self, scope: list[str]) -> Value:
        start = self._position
        in_brackets = self._accept("(")
        value: Value
        if self._word == "select":
            value = self.query()
        elif '"' in self._word:
            value = self._take()
        else:
            try:
                value = float(self._word)
                self._position += 1
            except ValueError:
                value = self._column_value(start, scope)
        if in_brackets:
            self._expect(")")
        return value

    def _column_value(self, start: int, scope: list[str]) -> ColumnUnit:
        """Reads a column in a value's place and skips what follows it up to the value's end."""
        end = self._position
        while (word := self._words[end]) and word not in VALUE_ENDS:
            end += 1
        # The column must lie wholly within the stretch, bracket included.
        stretch = _Parser(self._words[start:end], self._schema, self._aliases)
        column = stretch._column_unit(scope)
        self._position = end
        return column

    def _value_unit(self, scope: list[str]) -> ValueUnit:
        in_brackets = self._words[self._position] == "("
        if in_brackets:
            self._position += 1
        left = self._column_unit(scope)
        operation, right = NO_OPERATION, None
        if self._next_in(ARITHMETIC):
            operation = self._take()
            right = self._column_unit(scope)
        if in_brackets:
            self._expect(")")
        return ValueUnit(operation, left, right)

    def _column_unit(self, scope: list[str]) -> ColumnUnit:
        if self._words[self._position] not in UNIT_STARTS:  # the usual case, read quicker
            return ColumnUnit(NO_OPERATION, self._column(scope), False)
        in_brackets = self._accept("(")
        if self._word in AGGREGATES:
            # A bracket before an aggregate is never closed here, as upstream has it.
            aggregate = self._take()
            self._expect("(")
            distinct = self._accept("distinct")
            column = self._column(scope)
            self._expect(")")
            return ColumnUnit(aggregate, column, distinct)
        distinct = self._accept("distinct")
        column = self._column(scope)
        if in_brackets:
            self._expect(")")
        return ColumnUnit(NO_OPERATION, column, distinct)

    def _column(self, scope: list[str]) -> str:
        word = self._take()
        if word == STAR:
            return STAR
        if "." in word:
            return self._qualified_column(word)
        if not scope:
            raise ParseError(f'no table for the column "{word}"')
        for name in scope:
            table = self._aliases.get(name, "")
            if table not in self._schema.tables:
                raise ParseError(f'no such table: "{name}"')
            if word in self._schema.tables[table]:
                return f"{table}.{word}"
        raise ParseError(f'no such column: "{word}"')

    def _qualified_column(self, word: str) -> str:
        alias, _, name = word.partition(".")
        column = f"{self._aliases.get(alias)}.{name}"
        if "." in name or alias not in self._aliases or column not in self._schema.names:
            raise ParseError(f'no such column: "{word}"')
        return column
