"""A parser for ``--em lenient``: exact match for the SQL that language models write.

It reads SQL with sqlglot (the package's extra ``lenient``) and gives the same syntax tree as
`parser`, so exact match compares both kinds alike.  Beyond the official grammar it reads aliases
without AS, quoted names, CTE, CASE, functions, window functions, outer joins, ``IS NULL``,
positions and aliases in ORDER BY and GROUP BY, and conditions in brackets.

What the tree has no place for becomes a column named by its own text, with names resolved and
values replaced by ``?``.  A CTE counts as the FROM sub-query it stands for.  An outer join never
equals an inner one.  Brackets of AND and OR are dropped, as the official comparison cannot see
them.  It does not look for queries of equal meaning: that is execution accuracy's task.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .em_ast import (
    NO_OPERATION,
    ColumnUnit,
    Comparison,
    Condition,
    OrderBy,
    ParsedSql,
    SelectItem,
    Value,
    ValueUnit,
)
from .errors import InputError
from .parser import AGGREGATES, ParseError
from .schema import STAR, EvalSchema

_COMPARISONS = {
    "EQ": "=",
    "NullSafeEQ": "is",
    "NEQ": "!=",
    "GT": ">",
    "LT": "<",
    "GTE": ">=",
    "LTE": "<=",
    "Like": "like",
    "Is": "is",
}
_MIRRORED = {"=": "=", "!=": "!=", ">": "<", "<": ">", ">=": "<=", "<=": ">="}
_ARITHMETIC = {"Add": "+", "Sub": "-", "Mul": "*", "Div": "/"}
_DERIVED = "(query)"


def parse_lenient(sql: str, schema: EvalSchema) -> ParsedSql:
    """Parses a query with sqlglot's SQLite grammar.

    Args:
        sql: the query.
        schema: the names it may use.

    Returns:
        The syntax tree, of the same form as `parser.parse` gives.

    Raises:
        ParseError: not a SELECT, a syntax error or an unknown name.
        InputError: sqlglot is not installed; the message says how to install it.
    """
    try:
        import sqlglot
        from sqlglot.errors import SqlglotError
    except ModuleNotFoundError as error:
        raise InputError("--em lenient needs sqlglot: pip install sqlglot") from error
    try:
        statements = [each for each in sqlglot.parse(sql, read="sqlite") if each is not None]
        if len(statements) != 1:
            raise ParseError(f"expected one statement, found {len(statements)}")
        return _Converter(schema).query(statements[0], _Scope())
    except SqlglotError as error:
        raise ParseError(str(error).splitlines()[0]) from error
    except RecursionError as error:
        raise ParseError("too deeply nested") from error


@dataclass
class _Scope:
    """The names visible in one query: its sources, CTEs, result columns, and the query outside."""

    outer: _Scope | None = None
    sources: dict[str, str | None] = field(default_factory=dict)  # alias -> table, None: a query
    ctes: dict[str, ParsedSql] = field(default_factory=dict)
    results: list[Any] = field(default_factory=list)
    named: dict[str, Any] = field(default_factory=dict)

    def outward(self) -> Iterator[_Scope]:
        scope: _Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.outer


class _Converter:
    """Turns sqlglot's tree into ours; `node` is always a `sqlglot.Expression`."""

    def __init__(self, schema: EvalSchema) -> None:
        self._schema = schema

    # Queries and clauses

    def query(self, node: Any, outer: _Scope) -> ParsedSql:
        kind = type(node).__name__
        if kind in ("Subquery", "Paren"):
            return self.query(node.this, outer)
        scope = _Scope(outer)
        for cte in getattr(node, "ctes", []):
            scope.ctes[cte.alias.lower()] = self.query(cte.this, scope)
        if kind in ("Union", "Intersect", "Except"):
            return self._set_operation(node, scope)
        if kind != "Select":
            raise ParseError(f"not a SELECT: {kind.upper()}")
        return self._select(node, scope)

    def _set_operation(self, node: Any, scope: _Scope) -> ParsedSql:
        """Chains operands to the right, as the official tree does; ORDER BY goes to the last."""
        first = self.query(node.this, scope)
        last = first
        while any(last.set_operands):
            last = next(operand for operand in last.set_operands if operand is not None)
        operand = self.query(node.expression, scope)
        name = {"Union": "union", "Intersect": "intersect", "Except": "except_"}
        setattr(last, name[type(node).__name__], operand)
        while any(operand.set_operands):
            operand = next(each for each in operand.set_operands if each is not None)
        right = node.expression
        names = {each.alias_or_name.lower(): each.unalias() for each in right.selects}
        ends = _Scope(scope, results=right.selects, named=names)
        tables = {name: name for name in operand.tables if isinstance(name, str)}
        ends.sources.update(tables)
        self._order_and_limit(node, ends, operand)
        return first

    def _select(self, node: Any, scope: _Scope) -> ParsedSql:
        sql = ParsedSql(select_distinct=node.args.get("distinct") is not None)
        source = node.args.get("from_") or node.args.get("from")
        joins = node.args.get("joins") or []
        if source is not None:
            self._source(source.this, scope, sql)
        for join in joins:
            self._join(join, scope, sql)
        scope.results = [each.unalias() for each in node.expressions]
        scope.named = {each.alias.lower(): each.this for each in node.expressions if each.alias}
        sql.select = [self._select_item(each, scope) for each in scope.results]
        sql.where = self._clause(node, "where", scope)
        group = node.args.get("group")
        for each in group.expressions if group else []:
            sql.group_by.append(self._column_unit(self._result(each, scope), scope))
        sql.having = self._clause(node, "having", scope)
        self._order_and_limit(node, scope, sql)
        return sql

    def _clause(self, node: Any, name: str, scope: _Scope) -> Condition:
        clause = node.args.get(name)
        return self._condition(clause.this, scope) if clause else []

    def _order_and_limit(self, node: Any, scope: _Scope, sql: ParsedSql) -> None:
        order = node.args.get("order")
        if order:
            keys = [self._value_unit(self._result(each.this, scope), scope) for each in order]
            direction = "desc" if order.expressions[-1].args.get("desc") else "asc"
            sql.order_by = OrderBy(direction, tuple(keys))
        sql.limit = sql.limit or node.args.get("limit") is not None

    def _join(self, join: Any, scope: _Scope, sql: ParsedSql) -> None:
        self._source(join.this, scope, sql)
        kind = " ".join(filter(None, (join.method, join.side))).lower()
        if kind:
            sql.tables.append(f"({kind} join)")
        on = join.args.get("on")
        if on is not None:
            if sql.on:
                sql.on.append("and")
            sql.on.extend(self._condition(on, scope))

    def _source(self, node: Any, scope: _Scope, sql: ParsedSql) -> None:
        """Adds a table, sub-query or CTE of FROM to the query and to its scope."""
        for join in node.args.get("joins") or []:
            self._join(join, scope, sql)
        if type(node).__name__ != "Table":
            sql.tables.append(self.query(node, scope))
            scope.sources[node.alias.lower() or f"{_DERIVED}{len(sql.tables)}"] = None
            return
        name = node.name.lower()
        for each in scope.outward():
            if name in each.ctes:
                sql.tables.append(each.ctes[name])
                scope.sources[(node.alias or name).lower()] = None
                return
        if name not in self._schema.tables:
            raise ParseError(f'no such table: "{name}"')
        sql.tables.append(name)
        scope.sources[(node.alias or name).lower()] = name

    def _result(self, node: Any, scope: _Scope) -> Any:
        """Replaces a position or a result column's alias by its expression."""
        kind = type(node).__name__
        if kind == "Literal" and not node.is_string and node.name.isdigit():
            place = int(node.name) - 1
            return scope.results[place].unalias() if 0 <= place < len(scope.results) else node
        if kind == "Column" and not node.table:
            return scope.named.get(node.name.lower(), node)
        return node

    # Conditions

    def _condition(self, node: Any, scope: _Scope) -> Condition:
        kind = type(node).__name__
        if kind == "Paren":
            return self._condition(node.this, scope)
        if kind in ("And", "Or"):
            left = self._condition(node.this, scope)
            return [*left, kind.lower(), *self._condition(node.expression, scope)]
        return [self._comparison(node, scope)]

    def _comparison(self, node: Any, scope: _Scope) -> Comparison:
        kind = type(node).__name__
        if kind == "Not":
            inner = self._comparison(node.this, scope)
            inner.negated = not inner.negated
            return inner
        if kind == "Paren" and type(node.this).__name__ not in ("And", "Or"):
            return self._comparison(node.this, scope)
        if kind == "Escape":
            return self._comparison(node.this, scope)
        if kind == "Between":
            low, high = node.args["low"], node.args["high"]
            values = self._value(low, scope), self._value(high, scope)
            return Comparison(False, "between", self._left(node.this, scope), *values)
        if kind == "In":
            source = node.args.get("query")
            value = self.query(source, scope) if source else None
            return Comparison(False, "in", self._left(node.this, scope), value)
        if kind == "Exists":
            star = ValueUnit(NO_OPERATION, ColumnUnit(NO_OPERATION, STAR, False))
            return Comparison(False, "exists", star, self.query(node.this, scope))
        if kind in _COMPARISONS:
            return self._plain_comparison(node, _COMPARISONS[kind], scope)
        return Comparison(False, "=", self._left(node, scope), None)

    def _plain_comparison(self, node: Any, operator: str, scope: _Scope) -> Comparison:
        left, right = node.this, node.expression
        turned = self._is_value(left, scope) and not self._is_value(right, scope)
        if turned and operator in _MIRRORED:
            left, right, operator = right, left, _MIRRORED[operator]
        negated = bool(node.args.get("negate"))  # sqlglot 30 keeps NOT LIKE in one node
        return Comparison(negated, operator, self._left(left, scope), self._value(right, scope))

    def _left(self, node: Any, scope: _Scope) -> ValueUnit:
        return self._value_unit(self._named(node, scope), scope)

    def _named(self, node: Any, scope: _Scope) -> Any:
        """A result column's alias stands for its expression where no table has such a column."""
        if type(node).__name__ == "Column" and not node.table:
            name = node.name.lower()
            if name in scope.named and self._find(name, scope) is None:
                return scope.named[name]
        return node

    # Values and columns

    def _is_value(self, node: Any, scope: _Scope) -> bool:
        kind = type(node).__name__
        if kind in ("Neg", "Paren"):
            return self._is_value(node.this, scope)
        return kind in ("Literal", "Null", "Boolean") or self._is_quoted_value(node, scope)

    def _is_quoted_value(self, node: Any, scope: _Scope) -> bool:
        """Whether a name in double quotes is a string, as SQLite reads it when none fits."""
        if type(node).__name__ != "Column" or node.table or not node.this.args.get("quoted"):
            return False
        name = node.name.lower()
        return self._find(name, scope) is None and name not in scope.named

    def _value(self, node: Any, scope: _Scope) -> Value:
        kind = type(node).__name__
        if kind in ("Subquery", "Select", "Union", "Intersect", "Except"):
            return self.query(node, scope)
        if kind == "Paren":
            return self._value(node.this, scope)
        if kind == "Literal":
            return f'"{node.name}"' if node.is_string else float(node.name)
        if kind == "Neg" and type(node.this).__name__ == "Literal" and not node.this.is_string:
            return -float(node.this.name)
        if self._is_quoted_value(node, scope):
            return f'"{node.name}"'
        return self._column_unit(node, scope)

    def _select_item(self, node: Any, scope: _Scope) -> SelectItem:
        aggregate, argument, distinct = _aggregate(node)
        if aggregate == NO_OPERATION:
            return SelectItem(NO_OPERATION, self._value_unit(node, scope))
        value = self._value_unit(argument, scope)
        left = ColumnUnit(value.left.aggregate, value.left.column, distinct)
        return SelectItem(aggregate, ValueUnit(value.operation, left, value.right))

    def _value_unit(self, node: Any, scope: _Scope) -> ValueUnit:
        kind = type(node).__name__
        if kind == "Paren":
            return self._value_unit(node.this, scope)
        if kind in _ARITHMETIC and not any(map(_is_compound, (node.this, node.expression))):
            left = self._column_unit(node.this, scope)
            return ValueUnit(_ARITHMETIC[kind], left, self._column_unit(node.expression, scope))
        return ValueUnit(NO_OPERATION, self._column_unit(node, scope))

    def _column_unit(self, node: Any, scope: _Scope) -> ColumnUnit:
        aggregate, argument, distinct = _aggregate(node)
        return ColumnUnit(aggregate, self._column(argument, scope), distinct)

    def _column(self, node: Any, scope: _Scope) -> str:
        kind = type(node).__name__
        if kind == "Star" or (kind == "Column" and type(node.this).__name__ == "Star"):
            return STAR
        if kind == "Paren":
            return self._column(node.this, scope)
        if kind == "Column":
            return self._resolve(node, scope)
        return self._text(node, scope)

    def _resolve(self, node: Any, scope: _Scope) -> str:
        name = node.name.lower()
        found = self._find(name, scope, node.table.lower())
        if found is not None:
            return found
        if self._is_quoted_value(node, scope):
            return "?"
        if not node.table and name in scope.named:
            return self._column(scope.named[name], scope)
        raise ParseError(f'no such column: "{node.sql(dialect="sqlite")}"')

    def _find(self, name: str, scope: _Scope, alias: str = "") -> str | None:
        """Finds a column in the nearest scope that has it; first table first."""
        for each in scope.outward():
            sources: Mapping[str, str | None] = each.sources
            if alias:
                sources = {alias: each.sources[alias]} if alias in each.sources else {}
            for table in sources.values():
                if table is not None and name in self._schema.tables[table]:
                    return f"{table}.{name}"
            if None in sources.values():
                return f"{_DERIVED}.{name}"
        return None

    def _text(self, node: Any, scope: _Scope) -> str:
        """Writes any other expression with resolved names and without values."""
        from sqlglot import exp

        def plain(part: Any) -> Any:
            if isinstance(part, exp.Column):
                return exp.Var(this=self._column(part, scope))
            return exp.Var(this="?") if isinstance(part, exp.Literal) else part

        # A sub-query has a scope of its own, so its text stays as written.
        resolved = node if node.find(exp.Select) else node.transform(plain)
        return str(resolved.sql(dialect="sqlite", comments=False)).lower()


def _aggregate(node: Any) -> tuple[str, Any, bool]:
    """Splits an aggregate call into its name, its argument and whether it says DISTINCT."""
    distinct = False
    if type(node).__name__ == "Distinct":
        return NO_OPERATION, node.expressions[0], True
    name = type(node).__name__.lower()
    if name not in AGGREGATES or node.expressions:
        return NO_OPERATION, node, distinct
    argument = node.this
    if type(argument).__name__ == "Distinct" and len(argument.expressions) == 1:
        argument, distinct = argument.expressions[0], True
    return name, argument, distinct


def _is_compound(node: Any) -> bool:
    return type(node).__name__ in _ARITHMETIC
