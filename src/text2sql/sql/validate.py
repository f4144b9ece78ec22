"""Check SQL in three layers: syntax, schema, execution. A reject says which layer and why."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.normalize_identifiers import normalize_identifiers
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, traverse_scope
from sqlglot.schema import MappingSchema
from test_suite_sql_eval.executor import Result

from text2sql.schema import Schema
from text2sql.sql.allowlist import refusal
from text2sql.sql.database import Database

# sqlglot says there, on stderr, that it takes unknown statements as commands; those are refused.
logging.getLogger("sqlglot").setLevel(logging.ERROR)

Layer = Literal["syntax", "schema", "execution"]
MAX_CHARACTERS = 20_000
MAX_ROWS = 100  # the LIMIT that a query is executed with
# Schema names under which a table may be called in each dialect.
HOME_SCHEMAS = {"sqlite": "main", "duckdb": "main", "postgres": "public", "tsql": "dbo"}
ROW_IDS = frozenset({"rowid", "oid", "_rowid_"})
NO_SQL = "the model's answer holds no SQL query"
UNRESOLVED = re.compile(
    r"(?:Column '(.+?)' could not be resolved|Unknown column: (.+?)\b)(?: for table: '(.+?)')?"
)


class Rejected(Exception):
    """SQL that is not taken: `layer` says where it failed, the message why."""

    def __init__(self, layer: Layer, reason: str) -> None:
        super().__init__(f"{layer}: {reason}")
        self.layer, self.reason = layer, reason


@dataclass(frozen=True)
class Checked:
    """SQL that passed: as written but for its semicolon, its tree, its result if it was run."""

    sql: str
    tree: exp.Query
    result: Result | None = None


class Validator:
    """Checks queries on one schema.

    Args:
        schema: tables and columns there are.
        dialect: sqlglot's name of the SQL dialect.
        database: where to execute; without one the third layer is left out.
        functions: names of functions to trust besides the known ones.
    """

    def __init__(
        self,
        schema: Schema,
        dialect: str,
        database: Database | None = None,
        functions: Iterable[str] = (),
    ) -> None:
        self._dialect, self._database = dialect, database
        self._functions = frozenset(name.lower() for name in functions)
        # MySQL's sqlglot strategy keeps letter case, but its columns ignore it.
        self._names = (
            "mysql, normalization_strategy=case_insensitive" if dialect == "mysql" else (dialect)
        )
        fold = (lambda name: name) if dialect == "postgres" else str.lower
        self._tables: dict[str, Any] = {
            # Names alone are looked up, so that one type does for all.
            fold(t.name): {fold(c.name): "text" for c in t.columns}
            for t in schema.tables
        }
        # The database schema of each table; where the dialect is not known, neither is that.
        usual = HOME_SCHEMAS.get(dialect, schema.db_id)
        self._homes = {fold(t.name): (t.schema or usual).lower() for t in schema.tables if dialect}
        self._usual_home = usual.lower() if dialect else None

    def check(self, sql: str) -> Checked:
        """Return the query as checked.

        Raises:
            Rejected: at the first layer that it does not pass.
        """
        tree = self.check_syntax(sql)
        self.check_schema(tree)
        clean = sql.strip().rstrip("; \t\r\n")
        if self._database is None:
            return Checked(clean, tree)
        return Checked(clean, tree, self.execute(clean, tree))

    def check_syntax(self, sql: str) -> exp.Query:
        """Return the tree of one statement that only reads; raise Rejected otherwise."""
        if len(sql) > MAX_CHARACTERS:
            raise Rejected("syntax", f"longer than {MAX_CHARACTERS} characters")
        try:
            tokens = sqlglot.tokenize(sql, read=self._dialect)
            if any(token.comments for token in tokens):
                raise Rejected("syntax", "holds a comment")
            trees = [tree for tree in sqlglot.parse(sql, read=self._dialect) if tree is not None]
        except SqlglotError as error:
            raise Rejected("syntax", f"the SQL does not parse: {_first_line(error)}") from None
        except RecursionError:
            raise Rejected("syntax", "the SQL does not parse: it is nested too deeply") from None
        if len(trees) != 1:
            count = "several statements" if trees else "no statement"
            raise Rejected("syntax", f"the answer holds {count}; one may run")
        reason = refusal(trees[0], self._functions, self._dialect, tokens)
        if reason:
            raise Rejected("syntax", reason)
        tree = trees[0]
        assert isinstance(tree, exp.Query)
        return tree

    def check_schema(self, tree: exp.Expr) -> None:
        """Raise Rejected where a table or column is unknown or ambiguous."""
        try:
            copy = normalize_identifiers(tree.copy(), dialect=self._names)
            self._check_tables(copy)
            qualified = qualify(
                copy,
                dialect=self._names,
                schema=MappingSchema(self._tables, dialect=self._names, normalize=False),
                expand_stars=True,
                validate_qualify_columns=True,
                quote_identifiers=False,
                identify=False,
            )
            for scope in traverse_scope(qualified):
                _check_bare_columns(scope)
        except SqlglotError as error:
            raise Rejected("schema", self._unresolved(_first_line(error))) from None
        except RecursionError:
            raise Rejected("schema", "too deeply nested") from None

    def _unresolved(self, message: str) -> str:
        """What sqlglot says of a column, in the words of the databases."""
        match = UNRESOLVED.match(message)
        if not match:
            return message
        name, table = match[1] or match[2], match[3]
        known = any(name in columns for columns in self._tables.values()) and not table
        called = f"{table}.{name}" if table else name
        return f"no such column{' here, or more than one' if known else ''}: {called}"

    def _check_tables(self, tree: exp.Expr) -> None:
        for scope in traverse_scope(tree):
            for source in scope.sources.values():
                if isinstance(source, exp.Table) and isinstance(source.this, exp.Identifier):
                    self._check_table(source)
        # What qualify sees has no schema names any more.
        for table in tree.find_all(exp.Table):
            table.set("db", None)

    def _check_table(self, table: exp.Table) -> None:
        known = {self._usual_home, *self._homes.values()}
        if table.catalog or (table.db and self._usual_home and table.db.lower() not in known):
            raise Rejected("schema", f"no schema {table.db} here")
        home = self._homes.get(table.name)
        if table.name not in self._tables or (table.db and home and table.db.lower() != home):
            shown = f"{table.db}.{table.name}" if table.db and home else table.name
            raise Rejected("schema", f"no such table: {shown}")

    def execute(self, sql: str, tree: exp.Query) -> Result:
        """Run a checked query with a LIMIT; raise Rejected when it fails."""
        assert self._database is not None
        result = self._database.run(limited_sql(sql, tree, self._dialect, MAX_ROWS))
        if result.error is not None:
            raise Rejected("execution", result.error)
        return result


def find_fault(
    sql: str, schema: Schema | None, dialect: str | None, functions: Iterable[str] = ()
) -> str | None:
    """Return why a query must not or cannot run, None when nothing speaks against it.

    Args:
        sql: what the model wrote.
        schema: the tables it may name; None when they are not known.
        dialect: sqlglot's name of the SQL dialect; None for its general one.
        functions: names of functions to trust besides the known ones.
    """
    if not sql:
        return NO_SQL
    validator = Validator(schema or Schema("", ()), dialect or "", functions=functions)
    try:
        tree: exp.Expr = validator.check_syntax(sql)
        if schema and dialect in (None, "sqlite"):
            tree = _without_sqlite_extras(tree, schema)
        if schema:
            validator.check_schema(tree)
    except Rejected as reject:
        return reject.reason
    return None


def _without_sqlite_extras(tree: exp.Expr, schema: Schema) -> exp.Expr:
    """Put a text where SQLite reads one for want of a column, or finds the number of a row."""
    columns = {column for _, column in schema.names()}
    columns |= {alias.alias.casefold() for alias in tree.find_all(exp.Alias)}
    columns |= {c.name.casefold() for alias in tree.find_all(exp.TableAlias) for c in alias.columns}

    def replace(node: exp.Expr) -> exp.Expr:
        if not isinstance(node, exp.Column) or node.is_star or node.name.casefold() in columns:
            return node
        text = node.this.args.get("quoted") and not node.table
        row_id = node.name.casefold() in ROW_IDS
        return exp.Literal.string(node.name) if text or row_id else node

    return tree.transform(replace)


def limited_sql(sql: str, tree: exp.Query, dialect: str, rows: int) -> str:
    """Return a query with a LIMIT of at most so many rows.

    The limit is put on in the syntax tree. Where the text with a LIMIT behind it parses to that
    very tree, the text is returned: what sqlglot writes from a tree is not always what an older
    server takes.

    Args:
        sql: the query as written, without a semicolon.
        tree: its syntax tree.
        dialect: sqlglot's name of the dialect.
        rows: the limit.
    """
    own = tree.args.get("limit")
    if isinstance(own, exp.Fetch):
        if _fetches_at_most(own, rows):
            return sql
    elif own is not None and own.expression.is_int and int(own.expression.name) <= rows:
        return sql
    wanted = tree.copy()
    wanted.set("limit", exp.Limit(expression=exp.Literal.number(rows)))
    if own is None and dialect != "tsql":  # sqlglot reads LIMIT there, the server does not
        text = f"{sql} LIMIT {rows}"
        with suppress(SqlglotError):
            if sqlglot.parse_one(text, read=dialect) == wanted:
                return text
    return wanted.sql(dialect=dialect)


def _fetches_at_most(fetch: exp.Fetch, rows: int) -> bool:
    """Whether a FETCH FIRST clause names no larger number, or none that a LIMIT could stand for."""
    count, options = fetch.args.get("count"), fetch.args.get("limit_options")
    if options and (options.args.get("percent") or options.args.get("with_ties")):
        return True
    return count is None or (count.is_int and int(count.name) <= rows)


def _check_bare_columns(scope: Scope) -> None:
    """Raise Rejected for a column that got no table and is no alias of the SELECT list."""
    query = scope.expression
    known = set(query.named_selects) if isinstance(query, exp.Query) else set()
    for column in query.find_all(exp.Column):
        own = column.find_ancestor(exp.Select) is query
        if own and not column.table and column.name not in known:
            raise Rejected("schema", f"no such column: {column.name}")


def _first_line(error: BaseException) -> str:
    lines = str(error).replace("\x1b[4m", "").replace("\x1b[0m", "").strip().splitlines()
    return " ".join(lines[0].split()) if lines else type(error).__name__
