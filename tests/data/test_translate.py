"""DDL translation against a real HTTP server that misbehaves on purpose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from scripted_chat import ScriptedChat, scripted_chat

from text2sql.chat import AnswerLog, ChatClient
from text2sql.cli import cli
from text2sql.data.translate import Translator, check_ddl, extract_ddl, parse_prose
from text2sql.errors import UserError
from text2sql.files import read_jsonl, write_json
from text2sql.schema import Column, ForeignKey, Schema, Table, render_schema

SCHEMA = Schema(
    "owls",
    (
        Table("owl", (Column("id", primary_key=True), Column("18_weight"), Column("nest_id"))),
        Table("nest", (Column("id", primary_key=True), Column("home town"))),
    ),
    (ForeignKey("owl", "nest_id", "nest", "id"),),
)
PROSE = render_schema(SCHEMA, "prose")
GOOD = "<sql>" + render_schema(SCHEMA).replace("TEXT", "INT") + "</sql>"
BAD = "<sql>CREATE TABLE owl (id INT);</sql>"


@pytest.fixture
def server() -> Iterator[ScriptedChat]:
    with scripted_chat() as made:
        yield made


def translator(server: ScriptedChat, tmp_path: Path) -> Translator:
    client = ChatClient(server.url, "m", price_in=1, price_out=2)
    return Translator(client, AnswerLog(tmp_path / "log.jsonl"))


def test_prose_and_back() -> None:
    assert parse_prose(PROSE) == SCHEMA


def test_errors_are_retried_and_answers_logged(server: ScriptedChat, tmp_path: Path) -> None:
    server.script = [(503, ""), (200, BAD), (200, GOOD)]
    asked = translator(server, tmp_path)
    ddl = asked.translate(PROSE)
    assert check_ddl(ddl, SCHEMA) == []
    assert asked.translate(PROSE) == ddl
    assert len(server.requests) == 3
    assert (asked.client.tokens_in, asked.client.tokens_out) == (200, 100)
    (found,) = asked.schemas
    assert (found.db_id, found.tables, len(found.faults), found.replaced) == ("owls", 2, 1, False)
    assert asked.client.cost == pytest.approx(400e-6)
    told = server.requests[2]["messages"]
    assert told[2] == {"role": "assistant", "content": BAD}
    assert "missing table: nest; missing column: owl.18_weight" in told[3]["content"]
    assert translator(server, tmp_path).translate(PROSE) == ddl  # from the log
    assert len(server.requests) == 3


def test_the_rule_replaces_bad_answers(server: ScriptedChat, tmp_path: Path) -> None:
    server.script = [(200, BAD)]
    asked = translator(server, tmp_path)
    assert asked.translate(PROSE) == render_schema(SCHEMA)
    assert len(server.requests) == 3
    (found,) = asked.schemas
    assert found.replaced and found.faults == ("missing table: nest",) * 3


@pytest.mark.parametrize(
    "answer",
    [
        "<sql>{}</sql>",
        "Here it is:\n```sql\n{}\n```\nThat is all.",
        "```SQLite\n{}\n```",
        "<sql>\n```sql\n{}\n```\n</sql>",
        "```sql\n<sql>\n{}\n</sql>\n```",
        "<sql>\n{}\n",  # the model forgot to close it
        "```sql\n{}",
        "{}",
    ],
)
def test_statements_are_found_in_what_stands_around_them(answer: str) -> None:
    assert extract_ddl(answer.format("CREATE TABLE a (b INT);")) == "CREATE TABLE a (b INT);"


def test_a_listener_hears_of_the_answer(server: ScriptedChat, tmp_path: Path) -> None:
    heard: list[str] = []
    asked = translator(server, tmp_path)
    asked.listener = heard.append
    server.script = [(200, GOOD)]
    asked.translate(PROSE)
    assert heard[-1] == GOOD and len(heard) > 1


def test_the_command_ends_with_what_was_wrong(server: ScriptedChat, tmp_path: Path) -> None:
    server.script = [(200, BAD), (200, GOOD), (200, BAD)]
    other = render_schema(replace(SCHEMA, db_id="bats"), "prose")
    source, output = tmp_path / "prose.json", tmp_path / "ddl.jsonl"
    write_json(source, [{"instruction": text} for text in (PROSE, other, PROSE)])
    arguments = ["dataset", "translate-ddl", str(source), str(output), "--url", server.url]
    result = CliRunner().invoke(cli, [*arguments, "--model", "m"])
    assert result.exit_code == 0, (result.output, result.exception)
    assert "500 + 250 tokens" in result.output
    assert "1 of 2 schemas replaced by the rule" in result.output
    assert "  owls: missing table: nest, translated then" in result.output
    wrong = "; ".join(["missing table: nest"] * 3)
    assert f"  bats: {wrong}, replaced by the rule" in result.output
    assert "an answer of" in result.output  # the bar shows it grow
    assert len(list(read_jsonl(output))) == 3


def test_refusal_is_one_line(server: ScriptedChat, tmp_path: Path) -> None:
    server.script = [(401, "")]
    with pytest.raises(UserError, match="status 401"):
        translator(server, tmp_path).translate(PROSE)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("ddl", "problem"),
    [
        ("CREATE TABLE", "does not run"),
        ("", "missing table: nest"),
        (render_schema(SCHEMA) + "CREATE TABLE x (y INT);", "unknown table: x"),
        (render_schema(SCHEMA).replace("nest_id TEXT", "nest TEXT, nest_id TEXT"), "owl.nest"),
        (render_schema(SCHEMA) + "ATTACH 'other.sqlite' AS o;", "does not run"),
    ],
)
def test_check(ddl: str, problem: str) -> None:
    assert any(problem in found for found in check_ddl(ddl, SCHEMA))
