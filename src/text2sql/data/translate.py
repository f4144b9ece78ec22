"""Prose schemas to CREATE TABLE: by rule, or by a language model whose every answer is checked."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from text2sql.chat import ChatClient
from text2sql.files import read_jsonl, sha256_text
from text2sql.prompt import Message
from text2sql.schema import Column, ForeignKey, Schema, Table, render_schema

TABLE = re.compile(r"Table (\S+) has columns such as (.*?)\.(?= |$)")
TABLES = re.compile(r"^(\S+) contains tables such as (.*?)\.(?= |$)")
PRIMARY = re.compile(r"(?<=\. )(\S[^.]*?) is the primary key\.")
FOREIGN = re.compile(r"The ([^.]+?) of (\S+) is the foreign key of ([^.]+?) of (\S+)\.")
FENCE = re.compile(r"<sql>(.*?)</sql>|```(?:sql)?(.*?)```", re.DOTALL | re.IGNORECASE)
SYSTEM = (
    "Turn the description of a database into CREATE TABLE statements for SQLite. Use exactly the"
    " tables and columns described, and put the statements between <sql> and </sql>."
)
TRIES = 3


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
    """Return the SQL between <sql> tags or in a code fence, else the whole answer."""
    match = FENCE.search(answer)
    return (next(g for g in match.groups() if g is not None) if match else answer).strip()


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


@dataclass
class Translator:
    """Asks an OpenAI-compatible endpoint, once per distinct schema, and checks each answer.

    `log` is a JSONL file of every answer; what it holds is not asked again. `client` counts tokens
    and what they cost (see `ChatClient`).
    """

    url: str
    model: str
    log: Path
    price_in: float = 0.0
    price_out: float = 0.0
    temperature: float = 0.15
    max_tokens: int = 1024
    replaced: int = 0
    _done: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.client = ChatClient(self.url, self.model, self.price_in, self.price_out)
        if self.log.is_file():
            self._done = {r["key"]: r["ddl"] for r in read_jsonl(self.log) if r["accepted"]}

    def translate(self, prose: str) -> str:
        """Return checked DDL for a prose schema.

        After three answers that fail the check, the deterministic rendering takes their place.

        Raises:
            UserError: the endpoint cannot be reached or refuses the request.
            ValueError: the text is no prose schema.
        """
        key = sha256_text(f"{self.model}\n{prose}")
        if key in self._done:
            return self._done[key]
        promised = parse_prose(prose)
        for _ in range(TRIES):
            ddl = extract_ddl(self._ask(prose))
            problems = check_ddl(ddl, promised)
            self._write(key, ddl, problems, "model", not problems)
            if not problems:
                break
        else:
            self.replaced += 1
            ddl = render_schema(promised)
            self._write(key, ddl, [], "renderer", True)
        self._done[key] = ddl
        return ddl

    def _write(self, key: str, ddl: str, problems: list[str], source: str, accepted: bool) -> None:
        record = {
            "key": key,
            "ddl": ddl,
            "problems": problems,
            "source": source,
            "accepted": accepted,
        }
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(record, ensure_ascii=False) + "\n")

    def _ask(self, prose: str) -> str:
        messages: list[Message] = [
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": prose},
        ]
        return self.client.ask(messages, temperature=self.temperature, max_tokens=self.max_tokens)
