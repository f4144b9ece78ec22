"""Plan and pairs by a language model: a real HTTP server that gives good and broken answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from scripted_chat import ScriptedChat, scripted_chat

from text2sql.chat import ChatClient, EndpointError
from text2sql.cli import cli
from text2sql.create.llm import LlmWriter
from text2sql.create.topics import Topic
from text2sql.data.snapshot import Snapshot
from text2sql.errors import UserError
from text2sql.schema import read_schema
from text2sql.sql.validate import Validator

PLAN = {
    "topics": [
        {"name": "Sales", "tables": ["ORDERS", "customer", "ghost"], "count": 300, "reason": "x"},
        {"name": "Nothing", "tables": ["ghost"], "count": 5},
        {"name": "Goods", "tables": ["product", "order_item"], "count": 100},
    ]
}
GOOD = [
    ("How many customers are there?", "SELECT count(*) FROM customer"),
    ("Which cities occur?", "SELECT DISTINCT city FROM customer"),
    ("Name the customers of Oslo.", "SELECT name FROM customer WHERE city = 'Oslo'"),
    ("Total by customer?", "SELECT customer_id, sum(amount) FROM orders GROUP BY customer_id"),
    (
        "Above average orders?",
        "SELECT id FROM orders WHERE amount > (SELECT avg(amount) FROM orders)",
    ),
    ("客户有多少？", "SELECT count(id) FROM customer"),
]
BAD = [
    ("Drop it", "DROP TABLE customer"),
    ("Unknown", "SELECT nosuch FROM customer"),
    ("Fails", "SELECT name FROM customer WHERE sum(id) > 1"),
    ("Empty", "SELECT name FROM customer WHERE city = 'Atlantis'"),
    ("Zero", "SELECT count(*) FROM customer WHERE city = 'Atlantis'"),
    ("How many customers are there", "SELECT count(*) FROM customer"),
]


def pairs(found: list[tuple[str, str]]) -> str:
    return json.dumps({"pairs": [{"question": q, "sql": s} for q, s in found]}, ensure_ascii=False)


@pytest.fixture
def server() -> Iterator[ScriptedChat]:
    with scripted_chat() as made:
        yield made


@pytest.fixture
def snapshot(shop_sqlite: str) -> Snapshot:
    return Snapshot(read_schema(shop_sqlite, 5, db_id="shop", details=True))


@pytest.fixture
def writer(
    server: ScriptedChat, snapshot: Snapshot, shop_sqlite: str, tmp_path: Path
) -> Iterator[LlmWriter]:
    from text2sql.sql.database import Database

    client = ChatClient(server.url, "m", price_in=1, price_out=2)
    with Database(shop_sqlite) as database:
        validator = Validator(snapshot.schema, "sqlite", database)
        yield LlmWriter(client, snapshot, validator, tmp_path / "log.jsonl")


def test_plan_is_checked_and_rescaled(server: ScriptedChat, writer: LlmWriter) -> None:
    server.script = [(200, json.dumps(PLAN))]
    topics = writer.plan(["cards"], 40)
    assert [(t.name, t.tables) for t in topics] == [
        ("Sales", ("orders", "customer")),
        ("Goods", ("product", "order_item")),
    ]
    assert sum(t.count for t in topics) == 40
    assert topics[0].count == 30
    asked = server.requests[0]["response_format"]
    assert asked["type"] == "json_schema"
    assert asked["json_schema"]["name"] == "PlanAnswer"


@pytest.mark.parametrize(
    "text",
    [
        "Here it is:\n```json\n" + json.dumps(PLAN) + "\n```",
        "<think>{hm}</think>" + json.dumps(PLAN),
        json.dumps(PLAN).replace("}]}", "},]}"),  # trailing comma
        json.dumps(PLAN).replace('"', "'"),
        json.dumps(PLAN)[:-2],  # cut off
    ],
)
def test_slightly_broken_plans_are_repaired(
    server: ScriptedChat, writer: LlmWriter, text: str
) -> None:
    server.script = [(200, text)]
    assert [t.name for t in writer.plan(["cards"], 10)] == ["Sales", "Goods"]
    assert len(server.requests) == 1


def test_bad_plans_are_asked_again(server: ScriptedChat, writer: LlmWriter) -> None:
    ghosts = json.dumps({"topics": [{"name": "a", "tables": ["ghost"], "count": 1}]})
    server.script = [(503, ""), (200, "I cannot."), (200, ghosts), (200, json.dumps(PLAN))]
    assert len(writer.plan(["cards"], 10)) == 2
    assert writer.counts["asked again"] == 2
    assert "none of the tables exists" in server.requests[-1]["messages"][-1]["content"]


def test_plans_are_asked_for_at_most_three_times(server: ScriptedChat, writer: LlmWriter) -> None:
    server.script = [(200, "no")]
    with pytest.raises(UserError, match="no usable plan after 3 answers"):
        writer.plan(["cards"], 10)
    assert len(server.requests) == 3


def test_only_good_pairs_are_kept_and_topped_up(server: ScriptedChat, writer: LlmWriter) -> None:
    server.script = [(200, pairs(GOOD[:3] + BAD)), (200, "broken {"), (200, pairs(GOOD[3:]))]
    topic = Topic("Sales", ("customer", "orders"), 6)
    found = list(writer.generate([topic]))
    assert sorted(p.question for p in found) == sorted(q for q, _ in GOOD)
    assert all(p.source == "llm:m" and p.topic == "Sales" and p.rows for p in found)
    assert {p.language for p in found} == {"en", "zh"}
    counts = writer.counts
    assert [counts[f"failed: {layer}"] for layer in ("syntax", "schema", "execution")] == [1, 1, 1]
    assert counts["empty"] == 2
    assert counts["duplicate"] >= 1  # the server repeats itself as long as a level is missing
    assert (
        counts["pairs: written"]
        == sum(counts[kind] for kind in counts if kind.startswith("failed: "))
        + counts["empty"]
        + counts["duplicate"]
        + counts["kept"]
    )
    why = {row["question"]: (row["kind"], row["reason"]) for row in writer.rejects}
    assert why["Unknown"] == ("failed: schema", "no such column: nosuch")
    assert why["Empty"] == ("empty", "the query returns no row")
    assert why["Zero"] == ("empty", "the query returns nothing but NULL or zero")
    assert "Which cities occur?" in server.requests[1]["messages"][0]["content"]
    assert writer.report()["cost"] == pytest.approx(len(server.requests) * 200e-6)


def test_an_answer_cut_off_loses_its_last_pair_alone(
    server: ScriptedChat, writer: LlmWriter
) -> None:
    text = pairs(GOOD[:3])
    server.script = [(200, text[: text.rindex('"sql"')]), (200, pairs(GOOD[3:]))]
    found = list(writer.generate([Topic("Sales", ("customer", "orders"), 5)]))
    assert sorted(p.question for p in found) == sorted(q for q, _ in GOOD[:2] + GOOD[3:])
    assert writer.counts["broken entries"] == 1
    assert writer.counts["asked again"] == 0


def test_an_answer_without_a_whole_pair_is_asked_again(
    server: ScriptedChat, writer: LlmWriter
) -> None:
    server.script = [(200, '{"pairs": [{"question": "How many?"}]}'), (200, pairs(GOOD))]
    assert list(writer.generate([Topic("Sales", ("customer", "orders"), 2)]))
    assert "pairs.0.sql: Field required" in server.requests[1]["messages"][-1]["content"]


def test_a_model_that_gives_nothing_ends(server: ScriptedChat, writer: LlmWriter) -> None:
    server.script = [(200, pairs(BAD[:2]))]
    assert list(writer.generate([Topic("Sales", ("customer",), 5)])) == []
    assert len(server.requests) <= 3


def test_a_broken_off_run_goes_on_from_its_log(
    server: ScriptedChat, snapshot: Snapshot, tmp_path: Path
) -> None:
    topics = [Topic("a", ("customer", "orders"), 5)]
    log = tmp_path / "log.jsonl"

    def run() -> list[str]:
        validator = Validator(snapshot.schema, "sqlite")
        writer = LlmWriter(ChatClient(server.url, "m"), snapshot, validator, log)
        return [pair.sql for pair in writer.generate(topics)]

    server.script = [(200, pairs(GOOD[:3])), (401, "")]
    with pytest.raises(EndpointError, match="status 401"):
        run()
    asked = len(server.requests)
    server.script = [(200, "")] * asked + [(200, pairs(GOOD[3:5]))]
    found = run()
    assert sorted(found) == sorted(sql for _, sql in GOOD[:5])
    assert "Which cities occur?" in server.requests[asked]["messages"][0]["content"]
    asked = len(server.requests)
    assert run() == found
    assert len(server.requests) == asked


def test_endpoints_without_structured_output(server: ScriptedChat, writer: LlmWriter) -> None:
    server.script = [(400, ""), (200, json.dumps(PLAN))]
    assert len(writer.plan(["cards"], 10)) == 2
    assert "response_format" not in server.requests[-1]
    assert "max_tokens" in server.requests[-1]


def test_endpoints_without_room_for_so_many_tokens(server: ScriptedChat, writer: LlmWriter) -> None:
    refusal = "This model's maximum context length is 4096 tokens; you asked for 4500"
    server.script = [(400, refusal), (200, json.dumps(PLAN))]
    assert len(writer.plan(["cards"], 10)) == 2
    assert "max_tokens" not in server.requests[-1]
    assert "response_format" in server.requests[-1]


def test_the_command_prints_cost(
    server: ScriptedChat, shop_sqlite: str, build_folder: Path
) -> None:
    answers = [GOOD[:3], GOOD[3:]]
    server.script = [(200, json.dumps(PLAN)), *((200, pairs(found)) for found in answers)]
    arguments = [
        "database",
        "create-data",
        "--total",
        "6",
        "--llm-url",
        server.url,
        "--llm-model",
        "m",
    ]
    arguments += ["--price-in", "10", "--price-out", "20", "--dev-share", "0.3"]
    result = CliRunner().invoke(cli, arguments, env={"DB_URL": shop_sqlite})
    assert result.exit_code == 0, (result.output, result.exception)
    assert "cost: 0.0" in result.output
    assert "6 kept" in result.output and "shop.rejects.jsonl" in result.output
    rejects = (build_folder / "own" / "shop.rejects.jsonl").read_text().splitlines()
    assert {json.loads(line)["kind"] for line in rejects} == {"duplicate"}  # it repeats itself
    assert (build_folder / "own" / "shop.llm.jsonl").is_file()


def test_a_model_slower_than_the_time_limit_is_heard_out(
    server: ScriptedChat, snapshot: Snapshot, tmp_path: Path
) -> None:
    server.script, server.pause = [(200, json.dumps(PLAN))], 0.2
    client = ChatClient(server.url, "m", seconds=0.6)
    heard: list[str] = []
    validator = Validator(snapshot.schema, "sqlite")
    writer = LlmWriter(client, snapshot, validator, tmp_path / "log.jsonl", listener=heard.append)
    assert len(writer.plan(["cards"], 10)) == 2
    assert len(server.requests) == 1
    assert heard[-1] == json.dumps(PLAN)
    assert len(heard) * server.pause > client.seconds  # so that the test can fail


def test_what_a_model_wrote_in_vain_is_kept(
    server: ScriptedChat, shop_sqlite: str, build_folder: Path
) -> None:
    server.script = [(200, json.dumps(PLAN)), (200, pairs(BAD[:2]))]
    arguments = ["database", "create-data", "--total", "2", "--db-url", shop_sqlite]
    result = CliRunner().invoke(cli, [*arguments, "--llm-url", server.url, "--llm-model", "m"])
    assert result.exit_code == 2
    rejects = build_folder / "own" / "shop.rejects.jsonl"
    assert f"no pair could be made; {rejects} says why" in result.output
    assert {json.loads(line)["kind"] for line in rejects.read_text().splitlines()} == {
        "failed: syntax",
        "failed: schema",
    }


def test_no_endpoint_is_one_line(snapshot: Snapshot, tmp_path: Path) -> None:
    client, validator = (
        ChatClient("http://127.0.0.1:9/v1", "m"),
        Validator(snapshot.schema, "sqlite"),
    )
    writer = LlmWriter(client, snapshot, validator, tmp_path / "log.jsonl")
    with pytest.raises(UserError, match="the endpoint does not answer"):
        writer.plan(["cards"], 10)
