"""Plan and pairs by a language model: a real HTTP server that gives good and broken answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

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
    ("How many customers are there", "SELECT count(*) FROM customer"),
]


def pairs(found: list[tuple[str, str]]) -> str:
    return json.dumps({"pairs": [{"question": q, "sql": s} for q, s in found]}, ensure_ascii=False)


class Server(HTTPServer):
    """Answers each request with the next (status, text) of its script; the last one repeats."""

    script: list[tuple[int, str]]
    requests: list[dict[str, Any]]


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, Server)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, text = server.script[min(len(server.requests), len(server.script) - 1)]
        server.requests.append(body)
        usage = {"prompt_tokens": 100, "completion_tokens": 50}
        reply = {"choices": [{"message": {"content": text}}], "usage": usage}
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(reply).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server(("127.0.0.1", 0), Handler)
    made.requests = []
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def snapshot(shop_sqlite: str) -> Snapshot:
    return Snapshot(read_schema(shop_sqlite, 5, db_id="shop", details=True))


def url_of(server: Server) -> str:
    return f"http://127.0.0.1:{server.server_port}/v1"


@pytest.fixture
def writer(
    server: Server, snapshot: Snapshot, shop_sqlite: str, tmp_path: Path
) -> Iterator[LlmWriter]:
    from text2sql.sql.database import Database

    client = ChatClient(url_of(server), "m", price_in=1, price_out=2)
    with Database(shop_sqlite) as database:
        validator = Validator(snapshot.schema, "sqlite", database)
        yield LlmWriter(client, snapshot, validator, tmp_path / "log.jsonl")


def test_plan_is_checked_and_rescaled(server: Server, writer: LlmWriter) -> None:
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
def test_slightly_broken_plans_are_repaired(server: Server, writer: LlmWriter, text: str) -> None:
    server.script = [(200, text)]
    assert [t.name for t in writer.plan(["cards"], 10)] == ["Sales", "Goods"]
    assert len(server.requests) == 1


def test_bad_plans_are_asked_again(server: Server, writer: LlmWriter) -> None:
    ghosts = json.dumps({"topics": [{"name": "a", "tables": ["ghost"], "count": 1}]})
    server.script = [(503, ""), (200, "I cannot."), (200, ghosts), (200, json.dumps(PLAN))]
    assert len(writer.plan(["cards"], 10)) == 2
    assert writer.counts["asked again"] == 2
    assert "none of the tables exists" in server.requests[-1]["messages"][-1]["content"]


def test_plans_are_asked_for_at_most_three_times(server: Server, writer: LlmWriter) -> None:
    server.script = [(200, "no")]
    with pytest.raises(UserError, match="no usable plan after 3 answers"):
        writer.plan(["cards"], 10)
    assert len(server.requests) == 3


def test_only_good_pairs_are_kept_and_topped_up(server: Server, writer: LlmWriter) -> None:
    server.script = [(200, pairs(GOOD[:3] + BAD)), (200, "broken {"), (200, pairs(GOOD[3:]))]
    topic = Topic("Sales", ("customer", "orders"), 6)
    found = list(writer.generate([topic]))
    assert sorted(p.question for p in found) == sorted(q for q, _ in GOOD)
    assert all(p.source == "llm:m" and p.topic == "Sales" and p.rows for p in found)
    assert {p.language for p in found} == {"en", "zh"}
    counts = writer.counts
    assert [counts[f"failed: {layer}"] for layer in ("syntax", "schema", "execution")] == [1, 1, 1]
    assert counts["empty"] == 1
    assert counts["duplicate"] >= 1  # the server repeats itself as long as a level is missing
    assert "Which cities occur?" in server.requests[1]["messages"][0]["content"]
    assert writer.report()["cost"] == pytest.approx(len(server.requests) * 200e-6)


def test_a_model_that_gives_nothing_ends(server: Server, writer: LlmWriter) -> None:
    server.script = [(200, pairs(BAD[:2]))]
    assert list(writer.generate([Topic("Sales", ("customer",), 5)])) == []
    assert len(server.requests) <= 3


def test_a_broken_off_run_goes_on_from_its_log(
    server: Server, snapshot: Snapshot, tmp_path: Path
) -> None:
    topics = [Topic("a", ("customer", "orders"), 5)]
    log = tmp_path / "log.jsonl"

    def run() -> list[str]:
        validator = Validator(snapshot.schema, "sqlite")
        writer = LlmWriter(ChatClient(url_of(server), "m"), snapshot, validator, log)
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


def test_endpoints_without_structured_output(server: Server, writer: LlmWriter) -> None:
    server.script = [(400, ""), (200, json.dumps(PLAN))]
    assert len(writer.plan(["cards"], 10)) == 2
    assert "response_format" not in server.requests[-1]


def test_the_command_prints_cost(server: Server, shop_sqlite: str, build_folder: Path) -> None:
    answers = [GOOD[:3], GOOD[3:]]
    server.script = [(200, json.dumps(PLAN)), *((200, pairs(found)) for found in answers)]
    arguments = [
        "database",
        "create-data",
        "--total",
        "6",
        "--llm-url",
        url_of(server),
        "--llm-model",
        "m",
    ]
    arguments += ["--price-in", "10", "--price-out", "20", "--dev-share", "0.3"]
    result = CliRunner().invoke(cli, arguments, env={"DB_URL": shop_sqlite})
    assert result.exit_code == 0, (result.output, result.exception)
    assert "cost: 0.0" in result.output
    assert (build_folder / "own" / "shop.llm.jsonl").is_file()


def test_no_endpoint_is_one_line(snapshot: Snapshot, tmp_path: Path) -> None:
    client, validator = (
        ChatClient("http://127.0.0.1:9/v1", "m"),
        Validator(snapshot.schema, "sqlite"),
    )
    writer = LlmWriter(client, snapshot, validator, tmp_path / "log.jsonl")
    with pytest.raises(UserError, match="the endpoint does not answer"):
        writer.plan(["cards"], 10)
