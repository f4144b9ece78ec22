"""Which names may stand where in a query that is still being written.

A model that answers token by token names columns before the tables they come from. `NameScope`
reads what there is of a SELECT and says whether it can still become one in which every name is
resolved as SQLite resolves it (https://sqlite.org/lang_select.html): a qualified column belongs to
the table its alias stands for, a bare one to a table of its FROM clause or of a query around it.
It checks names only; the rest of the syntax is the model's. A column that a subquery in FROM makes
up (``SELECT avg(n) FROM (SELECT count(*) AS n ...)``) cannot be named before it, since nothing has
said by then that it will be there.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from text2sql.infer.sql_lexemes import Lexeme, lexemes_of
from text2sql.schema import Schema

Columns = frozenset[str] | None  # of a table, in lower case; None: not known, any may be there
Phase = Literal["select", "source", "from", "rest"]

BEGIN = re.compile(r"\s*(?:select|with)\b|.*```sql\s", re.IGNORECASE | re.DOTALL)
ROW_IDS = frozenset({"rowid", "oid", "_rowid_"})
USUAL_ALIAS = re.compile(r"[a-z]\d*")  # before FROM has said which aliases there are
NUMBERED = re.compile(r"[a-z]+\d+")  # an alias that is whole; no letter comes after its number
AFTER_FROM = frozenset(
    ("where", "group", "having", "order", "limit", "window", "union", "intersect", "except")
)
KEYWORDS = AFTER_FROM | frozenset(
    (
        *("all", "and", "as", "asc", "between", "by", "case", "cast", "collate", "cross"),
        *("current_date", "current_time", "current_timestamp", "desc", "distinct", "else", "end"),
        *("escape", "exists", "false", "filter", "following", "from", "full", "glob", "in"),
        *("inner", "is", "isnull", "join", "left", "like", "match", "natural", "not", "notnull"),
        *("null", "nulls", "offset", "on", "or", "outer", "over", "partition", "preceding"),
        *("range", "recursive", "regexp", "right", "rows", "select", "then", "true"),
        *("unbounded", "using", "values", "when", "with"),
    )
)


class NameScope:
    """The names of one database, of SQLite's dialect.

    Args:
        schema: the whole schema.
    """

    def __init__(self, schema: Schema) -> None:
        self.tables: dict[str, Columns] = {
            table.name.casefold(): frozenset(column.name.casefold() for column in table.columns)
            for table in schema.tables
        }
        self.functions = sqlite_functions()

    def allows(self, text: str, ended: bool = False) -> bool:
        """Say whether an answer may go on so that all its names are right.

        Args:
            text: what is written so far; it may end within a word. Before the query, which begins
                the answer or stands after "```sql", anything may be written.
            ended: whether nothing more follows.
        """
        begin = BEGIN.match(text)
        if begin is None:
            return True
        start = 0 if text[begin.end() - 1].isalpha() else begin.end()
        try:
            _Reader(self, list(lexemes_of(text[start:], ended)), ended).read()
        except _NoSuchName:
            return False
        return True


@cache
def sqlite_functions() -> frozenset[str]:
    """Return the names of all functions of this SQLite, in lower case."""
    with closing(sqlite3.connect(":memory:")) as connection:
        rows = connection.execute("SELECT lower(name) FROM pragma_function_list").fetchall()
    return frozenset(name for (name,) in rows)


class _NoSuchName(Exception):
    """However the text goes on, a name in it is wrong."""


@dataclass
class _Query:
    """A SELECT, as far as it is written."""

    parent: _Query | None
    depth: int  # parentheses around it
    phase: Phase = "select"
    sources: dict[str, Columns] = field(default_factory=dict)
    latest: str = ""  # the source that an alias would rename
    uses: list[tuple[str, str]] = field(default_factory=list)  # (qualifier, column) before FROM
    outputs: set[str] = field(default_factory=set)
    is_compound: bool = False


class _Reader:
    def __init__(self, scope: NameScope, lexemes: list[Lexeme], ended: bool) -> None:
        self._scope, self._lexemes, self._ended = scope, lexemes, ended
        self._tables = dict(scope.tables)  # and those that WITH defines
        self._query: _Query | None = None
        self._depth = 0
        self._place = 0

    def read(self) -> None:
        while self._place < len(self._lexemes):
            lexeme = self._lexemes[self._place]
            if lexeme.text == ";" and lexeme.kind == "mark":
                self._ended = True
                break
            self._step(lexeme)
            self._place += 1
        while self._ended and self._query:
            self._close()

    def _at(self, offset: int) -> Lexeme:
        place = self._place + offset
        inside = 0 <= place < len(self._lexemes)
        return self._lexemes[place] if inside else Lexeme("", "", False)

    def _step(self, lexeme: Lexeme) -> None:
        if lexeme.kind == "mark":
            self._mark(lexeme.text)
        elif lexeme.kind == "word" and lexeme.text in KEYWORDS and self._at(-1).text != ".":
            self._keyword(lexeme)
        elif lexeme.kind in ("word", "name", "text"):
            self._name(lexeme)

    def _mark(self, mark: str) -> None:
        query = self._query
        if mark == "(":
            self._depth += 1
        elif mark == ")":
            if query and query.depth == self._depth:
                self._close()
            self._depth -= 1
            query = self._query
            if query and query.phase == "source" and query.depth == self._depth:
                self._add_source("", None)
        elif mark == "," and query and query.depth == self._depth and query.phase == "from":
            query.phase = "source"

    def _keyword(self, keyword: Lexeme) -> None:
        query, word = self._query, keyword.text
        own = query is not None and query.depth == self._depth
        if word == "select":
            self._begin(query if own else None)
        elif query is None or not own:
            return
        elif word == "join" or (word == "from" and self._begins_from(query)):
            query.phase = "source"
        elif word in AFTER_FROM and query.phase in ("from", "source"):
            self._settle(query)
            query.phase = "rest"

    def _begins_from(self, query: _Query) -> bool:
        is_operator = self._at(-1).text == "distinct" and self._at(-2).text in ("is", "not")
        return query.phase == "select" and not is_operator

    def _begin(self, before: _Query | None) -> None:
        """Begin a query: within parentheses, as the next part of a compound, or at the start."""
        if before is None:
            self._query = _Query(self._query, self._depth)
            return
        parent = before.parent
        self._close()
        self._query = _Query(parent, self._depth, is_compound=True)

    def _close(self) -> None:
        query = self._query
        assert query is not None
        if query.phase == "source":
            raise _NoSuchName
        if query.phase != "rest":
            self._settle(query)
        self._query = query.parent

    def _settle(self, query: _Query) -> None:
        """Hold what was written before FROM against the tables that are there now."""
        query.phase = "rest"
        for qualifier, column in query.uses:
            self._resolve(query, qualifier, column)

    def _name(self, name: Lexeme) -> None:
        query = self._query
        following = self._at(1)
        if query is None:  # WITH name AS (...)
            if self._depth == 0 and not name.cut:
                self._tables[name.text] = None
            return
        if following.text == "." and following.kind == "mark":
            self._place += 2
            if self._place < len(self._lexemes) and query.phase != "source":
                self._require(self._at(1).text != "(")
                self._use(query, name.text, self._at(0))
            elif query.phase == "source":
                self._add_source(self._at(0).text, None)
        elif following.text == "(" and following.kind == "mark":
            if query.phase == "source":
                self._require(name.text not in self._tables)
                self._add_source(name.text, None)
            else:
                self._require(name.text in self._scope.functions)
        elif query.phase == "source":
            self._source(query, name)
        elif self._at(-1).text == "as" or self._ends_operand(self._at(-1)):
            self._alias(query, name)
        elif name.kind != "text" and not (following.kind == "" and self._may_be_called(name)):
            self._use(query, "", name)

    def _may_be_called(self, name: Lexeme) -> bool:
        return not self._ended and name.text in self._scope.functions

    def _ends_operand(self, lexeme: Lexeme) -> bool:
        if lexeme.kind == "word":
            return lexeme.text not in KEYWORDS or lexeme.text == "end"
        return lexeme.kind in ("string", "number", "name", "text") or lexeme.text == ")"

    def _source(self, query: _Query, name: Lexeme) -> None:
        if name.cut:
            is_nested = self._at(-1).text == "(" and "select".startswith(name.text)
            self._require(is_nested or _starts(self._tables, name.text))
        else:
            self._require(name.text in self._tables)
            self._add_source(name.text, self._tables[name.text])

    def _add_source(self, name: str, columns: Columns) -> None:
        query = self._query
        assert query is not None
        query.latest = name or f"({len(query.sources)})"
        query.sources[query.latest] = columns
        query.phase = "from"

    def _alias(self, query: _Query, alias: Lexeme) -> None:
        if query.phase == "select" or query.depth != self._depth:
            query.outputs.add(alias.text)
        elif query.phase == "from" and alias.cut:
            self._require(not self._would_end_from(query, alias.text))
            self._require(self._may_be_alias(query, alias.text))
        elif query.phase == "from" and query.latest:
            columns = query.sources.pop(query.latest)
            self._require(alias.text not in query.sources)
            query.sources[alias.text], query.latest = columns, ""
            for qualifier, column in query.uses:
                self._require(qualifier != alias.text or _has(columns, column))
        else:
            self._use(query, "", alias)

    def _may_be_alias(self, query: _Query, beginning: str) -> bool:
        """Say whether the latest source may get an alias that so begins.

        Columns named before FROM may speak against an alias with a number, such as T2. A model that
        means it then would write it together with the next word ("T2ON"), were it not held here.
        """
        numbered = NUMBERED.match(beginning)
        if numbered is None or not query.latest:
            return True
        columns, alias = query.sources[query.latest], numbered.group()
        if all(_has(columns, column) for qualifier, column in query.uses if qualifier == alias):
            return True
        others = {qualifier for qualifier, _ in query.uses if qualifier != alias}
        return _starts(others, beginning)

    def _would_end_from(self, query: _Query, word: str) -> bool:
        """Say whether a word becomes one after which a table that is missing cannot come."""
        if len(word) < 2 or not any(keyword.startswith(word) for keyword in AFTER_FROM):
            return False
        try:
            for qualifier, column in query.uses:
                self._resolve(query, qualifier, column)
        except _NoSuchName:
            return True
        return False

    def _use(self, query: _Query, qualifier: str, column: Lexeme) -> None:
        """Take note of a column; hold it against the tables if they are known."""
        name = column.text
        if query.phase == "select":
            self._require(self._may_come(query, qualifier, name, column.cut))
            if not column.cut:
                query.uses.append((qualifier, name))
        elif column.cut and not qualifier and self._is_word_in_scope(query, name):
            return
        else:
            self._resolve(query, qualifier, name, column.cut)

    def _may_come(self, query: _Query, qualifier: str, column: str, cut: bool) -> bool:
        """Say whether a FROM clause may follow that has a column."""
        if qualifier == "":
            words = _starts(self._words(), column) or bool(USUAL_ALIAS.fullmatch(column))
            anywhere = any(_has(columns, column, cut) for columns in self._tables.values())
            return anywhere or self._is_outer(query, "", column, cut) or (cut and words)
        together = [name for source, name in query.uses if source == qualifier]
        named = {qualifier: self._tables[qualifier]} if qualifier in self._tables else self._tables
        return any(
            _has(columns, column, cut) and all(_has(columns, name) for name in together)
            for columns in named.values()
        ) or self._is_outer(query, qualifier, column, cut)

    def _is_outer(self, query: _Query, qualifier: str, column: str, cut: bool) -> bool:
        outer = query.parent
        if outer is None:
            return False
        try:
            self._resolve(outer, qualifier, column, cut)
        except _NoSuchName:
            return False
        return True

    def _resolve(self, query: _Query, qualifier: str, column: str, cut: bool = False) -> None:
        """Raise _NoSuchName unless a query or one around it has a column."""
        at: _Query | None = query
        while at:
            if qualifier and qualifier in at.sources:
                self._require(_has(at.sources[qualifier], column, cut))
                return
            if at is not query and at.phase in ("select", "source"):  # its tables are still to come
                self._require(any(_has(names, column, cut) for names in self._tables.values()))
                return
            if not qualifier:
                named = column in at.outputs or (cut and _starts(at.outputs, column))
                if named or any(_has(names, column, cut) for names in at.sources.values()):
                    return
            if at.is_compound and not qualifier:
                self._require(any(_has(names, column, cut) for names in self._tables.values()))
                return
            at = at.parent
        raise _NoSuchName

    def _is_word_in_scope(self, query: _Query, word: str) -> bool:
        at: _Query | None = query
        while at:
            if _starts(at.sources, word) or at.phase == "select":
                return True
            at = at.parent
        return _starts(KEYWORDS | self._scope.functions, word)

    def _words(self) -> Iterable[str]:
        return KEYWORDS | self._scope.functions | self._tables.keys()

    @staticmethod
    def _require(holds: bool) -> None:
        if not holds:
            raise _NoSuchName


def _starts(words: Iterable[str], beginning: str) -> bool:
    return any(word.startswith(beginning) for word in words)


def _has(columns: Columns, name: str, cut: bool = False) -> bool:
    if columns is None or name == "*" or name in columns or name in ROW_IDS:
        return True
    return cut and _starts(columns | ROW_IDS, name)
