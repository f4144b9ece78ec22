"""Prose schemas to CREATE TABLE: by rule, or by a language model whose every answer is checked."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache, partial

from text2sql.chat import AnswerLog, ChatClient
from text2sql.prompt import Message
from text2sql.schema import Column, ForeignKey, Schema, Table, render_schema

TABLE = re.compile(r"Table (\S+) has columns such as (.*?)\.(?= |$)")
TABLES = re.compile(r"^(\S+) contains tables such as (.*?)\.(?= |$)")
PRIMARY = re.compile(r"(?<=\. )(\S[^.]*?) is the primary key\.")
FOREIGN = re.compile(r"The ([^.]+?) of (\S+) is the foreign key of ([^.]+?) of (\S+)\.")
# What stands around SQL in answers, the outer one first; one cut off lacks its end.
AROUND = tuple(
    re.compile(pattern, re.DOTALL | re.IGNORECASE)
    for pattern in (r"<sql>(.*?)(?:</sql>|\Z)", r"```(?:sqlite|sql)?(.*?)(?:```|\Z)")
)
SYSTEM = (
    "Turn the description of a database into CREATE TABLE statements for SQLite. Use exactly the"
    " tables and columns described, and put the statements between <sql> and </sql>."
)
AGAIN = "That cannot be used: {}. Answer again with all statements."
SAMPLING = {"temperature": 0.15, "max_tokens": 4096}
TRIES = 3
SAID = 5  # faults of an answer that the model is told


def parse_prose(text: str) -> Schema:
    """Read a schema from DB-GPT-Hub's prose; the inverse of ``render_schema(..., "prose")``.

    SQLite's internal tables, which some of those texts list, are left out: nobody can create them.

    Raises:
        ValueError: the text is not of that form.
    """
    head = TABLES.match(text)
    if not head:
        raise ValueError("no '<database> contains tables such as ...' at the start")
    spans = list(TABLE.finditer(text))
    tables = []
    for index, match in enumerate(spans):
        if match.group(1).startswith("sqlite_"):
            continue
        end = spans[index + 1].start() if index + 1 < len(spans) else len(text)
        primary = set(PRIMARY.findall(text[match.end() - 1 : end]))
        names = match.group(2).split(", ")
        columns = tuple(Column(name, "TEXT", name in primary) for name in names)
        tables.append(Table(match.group(1), columns))
    if not tables:
        raise ValueError("no 'Table ... has columns such as ...' in it")
    keys = tuple(
        ForeignKey(table, column, ref_table, ref_column)
        for column, table, ref_column, ref_table in FOREIGN.findall(text)
    )
    return Schema(head.group(1), tuple(tables), keys)


def extract_ddl(answer: str) -> str:
    """Return the SQL between <sql> tags, in a code fence or in both, else the whole answer."""
    for around in AROUND:
        match = around.search(answer)
        answer = match.group(1) if match else answer
    return answer.strip()


def check_ddl(ddl: str, promised: Schema) -> list[str]:
    """Return what is wrong with translated DDL; an empty list when it holds.

    It must run in an empty SQLite database and make exactly the promised tables and columns
    (letter case aside).
    """
    with closing(sqlite3.connect(":memory:")) as connection:
        # Only what stays inside this empty database: no ATTACH, no reading of files.
        connection.set_authorizer(_only_tables)
        try:
            connection.executescript(ddl)
        except sqlite3.Error as error:
            return [f"does not run: {error}"]
        connection.set_authorizer(None)
        made = _made(connection)
    wanted = {t.name.casefold(): {c.name.casefold() for c in t.columns} for t in promised.tables}
    problems = [f"missing table: {name}" for name in sorted(wanted.keys() - made.keys())]
    problems += [f"unknown table: {name}" for name in sorted(made.keys() - wanted.keys())]
    for name in sorted(wanted.keys() & made.keys()):
        problems += [f"missing column: {name}.{c}" for c in sorted(wanted[name] - made[name])]
        problems += [f"unknown column: {name}.{c}" for c in sorted(made[name] - wanted[name])]
    return problems


def _only_tables(action: int, *_: str | None) -> int:
    return sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_ATTACH else sqlite3.SQLITE_OK


def _made(connection: sqlite3.Connection) -> dict[str, set[str]]:
    names = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%'"
        " ESCAPE '\\'"
    ).fetchall()
    return {
        name.casefold(): {
            row[0].casefold()
            for row in connection.execute("SELECT name FROM pragma_table_info(?)", (name,))
        }
        for (name,) in names
    }


@dataclass(frozen=True)
class Translated:
    """What came of a schema: what was wrong first with each answer that did not hold.

    `replaced` says that none held and the rule took over.
    """

    db_id: str
    tables: int
    faults: tuple[str, ...]
    replaced: bool


@dataclass
class Translator:
    """Asks an endpoint, and checks each answer; what the log holds is not asked again.

    `client` counts tokens and what they cost (see `ChatClient`), `schemas` tells what came of each
    schema. The listener is told every answer so far, as it grows.
    """

    client: ChatClient
    log: AnswerLog
    listener: Callable[[str], None] = lambda _: None
    schemas: list[Translated] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.translate = cache(self._translate)

    def _translate(self, prose: str) -> str:
        """Return checked DDL for a prose schema.

        Who is asked again is told what was wrong. After three answers that fail the check, the
        deterministic rendering takes their place.

        Raises:
            UserError: the endpoint cannot be reached or refuses the request.
            ValueError: the text is no prose schema.
        """
        promised = parse_prose(prose)
        faults: list[str] = []
        messages: list[Message] = [
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": prose},
        ]
        for attempt in range(TRIES):
            asked = [self.client.model, messages, attempt]
            answer, _ = self.log.answer(asked, partial(self._ask, messages))
            ddl = extract_ddl(answer)
            problems = check_ddl(ddl, promised)
            if not problems:
                break
            faults.append(problems[0])
            messages = [
                *messages[:2],
                {"role": "assistant", "content": answer},
                {"role": "user", "content": AGAIN.format("; ".join(problems[:SAID]))},
            ]
        else:
            ddl = render_schema(promised)
        replaced = len(faults) == TRIES
        tables = len(promised.tables)
        self.schemas.append(Translated(promised.db_id, tables, tuple(faults), replaced))
        return ddl

    def _ask(self, messages: list[Message]) -> str:
        return self.client.ask(messages, self.listener, **SAMPLING)
