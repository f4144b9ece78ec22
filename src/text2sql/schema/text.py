"""Read a schema from text: CREATE TABLE statements of any dialect, or M-Schema."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from text2sql.schema.model import Column, ForeignKey, Schema, Table

M_TABLE = re.compile(r"^# Table: ([^\n]+?)\s*\n\[\n(.*?)\n\]", re.MULTILINE | re.DOTALL)
M_COLUMN = re.compile(r"^\(([^:\n]+):([^,)\n]+(?:\([^)\n]*\))?)([^\n]*)\)?,?$", re.MULTILINE)
M_KEY = re.compile(r"^([^.=\n]+)\.([^=\n]+)=([^.\n]+)\.([^\n]+)$", re.MULTILINE)

DIALECTS = (None, "sqlite", "postgres", "mysql", "tsql")
BACKTICKS_FIRST = ("mysql", None, "sqlite")  # where KEY `name` (`column`) is no column
BEGINS_TABLE = (
    r"CREATE\s+(?:OR\s+REPLACE\s+)?(?:(?:GLOBAL|LOCAL|TEMP|TEMPORARY|UNLOGGED|EXTERNAL)\s+)*"
    r"TABLE\b(?!\s*:)"  # with a colon it is a heading of MySQL's client
)
PIECE = re.compile(
    rf"'(?:[^']|'')*'|\"[^\"]*\"|`[^`]*`|--[^\n]*|/\*.*?\*/|[();]|\b{BEGINS_TABLE}",
    re.IGNORECASE | re.DOTALL,
)
QUOTED = r"(?:\"[^\"]*\"|`[^`]*`|\w+)"
COLLATE = re.compile(rf"('(?:[^']|'')*')|\bCOLLATE\s+{QUOTED}(?:\.{QUOTED})*", re.IGNORECASE)
COMMENT_ON = re.compile(
    rf"COMMENT\s+ON\s+(TABLE|COLUMN)\s+({QUOTED}(?:\.{QUOTED})*)\s+IS\s+(NULL|'(?:[^']|'')*')\s*",
    re.IGNORECASE,
)
# What stands between tables in dumps and says nothing of their columns.
BESIDE = re.compile(
    r"(?:alter|insert|create|set|drop|use|lock|unlock|grant|select|begin|commit|pragma|go)\b|\*+ ",
    re.IGNORECASE,
)
SHOWN = 80  # characters of a statement that could not be read


@dataclass(frozen=True)
class ReadText:
    """What a text says of a schema; `skipped` begins each statement that could not be read."""

    schema: Schema | None
    skipped: tuple[str, ...] = ()


def parse_schema(text: str) -> Schema | None:
    """Return the tables of a schema given as CREATE TABLE statements or as M-Schema.

    Returns:
        The schema; None when no table is recognised. Then the text goes to the model as it is.
    """
    return read_schema_text(text).schema


def read_schema_text(text: str) -> ReadText:
    """Read a schema statement by statement, each in the first dialect in which it is a table.

    Collations are left out, and the texts of COMMENT ON are the comments of tables and columns.
    """
    if M_TABLE.search(text):
        found = _from_m_schema(text)
        return ReadText(found if found.tables else None)
    tables: dict[str, Table] = {}
    keys: list[ForeignKey] = []
    skipped, comments = [], []
    for statement in _statements(text):
        if re.match(BEGINS_TABLE, statement, re.IGNORECASE):
            read = _read_table(statement)
            if read:
                tables[read[0].name.casefold()] = read[0]
                keys += read[1]
            else:
                skipped.append(statement)
        elif comment := COMMENT_ON.match(statement):
            comments.append(comment)
            skipped += [rest] if (rest := statement[comment.end() :].lstrip(" :,")) else []
        elif not BESIDE.match(statement):
            skipped.append(statement)
    if not tables:
        return ReadText(None)
    skipped += [comment[0] for comment in comments if not _add_comment(tables, comment)]
    schema = Schema("schema", tuple(tables.values()), tuple(keys))
    return ReadText(schema, tuple(" ".join(each.split())[:SHOWN] for each in skipped))


def _from_m_schema(text: str) -> Schema:
    tables = tuple(
        Table(
            name,
            tuple(
                Column(column.strip(), kind.strip(), "Primary Key" in rest)
                for column, kind, rest in M_COLUMN.findall(body)
            ),
        )
        for name, body in M_TABLE.findall(text)
    )
    keys = text.partition("【Foreign keys】")[2]
    return Schema("schema", tables, tuple(ForeignKey(*key) for key in M_KEY.findall(keys)))


def _statements(text: str) -> Iterator[str]:
    """Yield statements: up to a semicolon, or to where the next table begins, without comments."""
    parts: list[str] = []
    place = 0
    for piece in PIECE.finditer(text):
        parts.append(text[place : piece.start()])
        place = piece.end()
        if piece[0] == ";" or piece[0][0] in "cC":
            yield from _whole(parts)
            parts = []
        if piece[0].startswith(("--", "/*")):
            parts.append(" ")
        elif piece[0] != ";":
            parts.append(piece[0])
    yield from _whole([*parts, text[place:]])


def _whole(parts: list[str]) -> Iterator[str]:
    statement = "".join(parts).strip()
    if statement:
        yield statement


def _read_table(statement: str) -> tuple[Table, list[ForeignKey]] | None:
    """Return a table with its foreign keys, None where no dialect has such a statement."""
    plain = COLLATE.sub(lambda match: match[1] or "", statement)
    for form in (plain, _up_to_last_bracket(plain)):
        for dialect in BACKTICKS_FIRST if "`" in form else DIALECTS:
            try:
                create = sqlglot.parse_one(form, read=dialect)
            except (SqlglotError, RecursionError):
                continue
            if isinstance(create, exp.Create) and isinstance(create.this, exp.Schema):
                table, keys = _table(create)
                if table.columns:
                    return table, keys
    return None


def _up_to_last_bracket(statement: str) -> str:
    """Return a CREATE TABLE without what stands behind its columns, such as a storage engine."""
    depth = 0
    for piece in PIECE.finditer(statement):
        depth += {"(": 1, ")": -1}.get(piece[0], 0)
        if piece[0] == ")" and depth == 0:
            return statement[: piece.end()]
    return statement


def _table(create: exp.Create) -> tuple[Table, list[ForeignKey]]:
    name = create.this.this.name
    primary = {
        column.name.casefold()
        for key in create.find_all(exp.PrimaryKey)
        for column in key.expressions
    }
    columns, keys = [], []
    for one in create.this.expressions:
        if isinstance(one, exp.ColumnDef):
            is_key = one.name.casefold() in primary or bool(
                one.find(exp.PrimaryKeyColumnConstraint)
            )
            kind = one.args.get("kind")
            columns.append(
                Column(
                    one.name,
                    kind.sql() if kind else "TEXT",
                    is_key,
                    comment=_said(one.find(exp.CommentColumnConstraint)),
                )
            )
            keys += [_key(name, [one.name], found) for found in one.find_all(exp.Reference)]
        for foreign in one.find_all(exp.ForeignKey):
            own = [column.name for column in foreign.expressions]
            reference = foreign.args.get("reference")
            keys += [_key(name, own, reference)] if reference else []
    comment = _said(create.find(exp.SchemaCommentProperty))
    return Table(name, tuple(columns), comment=comment), [key for key in keys if key]


def _said(comment: exp.Expr | None) -> str:
    return comment.this.name if comment is not None and comment.this is not None else ""


def _key(table: str, own: list[str], reference: exp.Reference) -> ForeignKey | None:
    target = reference.this
    if not isinstance(target, exp.Schema):
        return ForeignKey(table, own[0], target.name, own[0]) if own else None
    named = [column.name for column in target.expressions]
    return ForeignKey(table, own[0], target.this.name, named[0]) if own and named else None


def _add_comment(tables: dict[str, Table], comment: re.Match[str]) -> bool:
    """Put the text of a COMMENT ON to its table or column; False where there is none such."""
    names = [name.strip('"`').casefold() for name in re.findall(QUOTED, comment[2])]
    text = "" if comment[3].upper() == "NULL" else comment[3][1:-1].replace("''", "'")
    if comment[1].upper() == "TABLE":
        table = tables.get(names[-1])
        if table:
            tables[names[-1]] = replace(table, comment=text)
        return table is not None
    table = tables.get(names[-2]) if len(names) > 1 else None
    if table is None or names[-1] not in [column.name.casefold() for column in table.columns]:
        return False
    columns = tuple(
        replace(column, comment=text) if column.name.casefold() == names[-1] else column
        for column in table.columns
    )
    tables[names[-2]] = replace(table, columns=columns)
    return True
