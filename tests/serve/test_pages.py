"""The pages in a real headless Chromium: ask, see rows, errors, history, keyboard, phone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE

from tests.serve.conftest import Server
from tests.serve.fake_openai import FakeOpenAI
from tests.serve.test_models import begin
from tests.serve.tiny import EARLIER, FOLLOW_UP
from text2sql.prompt import Example

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="playwright is not installed; run: make setup-test"
)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = ["--no-sandbox", "--disable-dev-shm-usage"]  # for root, and where /dev/shm is small
Start = Callable[..., Server]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine; on Debian: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page on which no script may fail and no other host may be asked."""
    context = browser.new_context()
    context.set_default_timeout(PATIENCE * 1000)
    page = context.new_page()
    faults: list[str] = []
    hosts: set[str] = set()
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: hosts.add(request.url.split("/")[2].split(":")[0]))
    yield page
    context.close()
    assert faults == []
    assert hosts <= {"127.0.0.1", ""}  # "" is a data: URL


def ask(page: Any, question: str) -> None:
    page.fill("#question", question)
    page.keyboard.press("Enter")
    page.wait_for_selector("#facts >> text=/ s$/", timeout=PATIENCE * 1000)


def test_ask_and_see_sql_rows_chart_and_schema(start: Start, database: Path, page: Any) -> None:
    page.goto(start(database).url)
    page.wait_for_selector("#diagram svg")
    assert page.locator("#diagram text.table").all_text_contents() == ["shop", "bike"]
    assert page.locator("#diagram path.key").count() == 1
    ask(page, "Number of shops by city?")
    assert page.inner_text("#sql") == "SELECT city, count(*) FROM shop GROUP BY city"
    assert page.locator("#sql .keyword").all_text_contents() == ["SELECT", "FROM", "GROUP", "BY"]
    page.wait_for_selector("#result td")
    cells = page.locator("#result td").all_text_contents()
    assert cells == ["Ghent", "2", "Leuven", "1"]
    assert page.locator("#chart rect.bar").count() == 2
    assert page.is_hidden("#trouble")


def test_long_names_do_not_run_into_their_types(start: Start, database: Path, page: Any) -> None:
    page.goto(start(database).url)
    columns = [
        {"name": name, "type": kind, "primary_key": key}
        for name in ("id", "publication_year", "MAXIMUM_WWWWIDTH", "a" * 40)
        for kind in ("INTEGER", "DATE", "VARCHAR(255)", "")
        for key in (False, True)
    ]
    schema = {"db_id": "d", "tables": [{"name": "t", "columns": columns}], "foreign_keys": []}
    lines = page.evaluate(
        """async (schema) => {
            const { diagram } = await import("/static/pictures.js");
            const box = document.querySelector("#diagram");
            box.replaceChildren(diagram(schema));
            const ends = (one) => {
                const { left, right } = one.getBoundingClientRect();
                return [left, right];
            };
            return [...box.querySelectorAll("text.type")].map(
                (type) => [...ends(type.previousElementSibling), ...ends(type)]);
        }""",
        schema,
    )
    assert len(lines) == len(columns)
    assert [line for line in lines if line[3] > line[2] and line[1] > line[2]] == []


def test_what_is_not_valid_is_shown_but_not_run(start: Start, database: Path, page: Any) -> None:
    page.goto(start(database).url)
    page.wait_for_selector("#diagram svg")
    ask(page, "Which colours?")
    assert "not valid" in page.inner_text("#facts")
    assert page.inner_text("#warnings") == "no such column: colour"
    assert page.locator("#result td").count() == 0


def test_a_failed_query_and_a_lost_server_are_said_in_words(
    start: Start, database: Path, page: Any
) -> None:
    server = start(database, query_seconds=1)
    page.goto(server.url)
    page.wait_for_selector("#diagram svg")
    ask(page, "Never end.")
    page.wait_for_selector("#result .trouble")
    assert "stopped after 1 seconds" in page.inner_text("#result")
    database.unlink()
    page.fill("#question", "How many bikes are there?")
    page.click("#ask")
    page.wait_for_selector("#trouble:not([hidden])")
    assert "database cannot be reached" in page.inner_text("#trouble")
    server.uvicorn.should_exit = True
    while server.service.alive:
        page.wait_for_timeout(50)
    page.click("#ask")
    page.wait_for_selector("#trouble >> text=Is it still running?")


def test_values_of_a_database_stay_text(start: Start, database: Path, page: Any) -> None:
    import sqlite3

    evil = "<img src=x onerror='document.title=1'><script>document.title=2</script>"
    connection = sqlite3.connect(database)
    connection.execute("UPDATE bike SET model = ?", [evil])
    connection.commit()
    connection.close()
    page.goto(start(database).url)
    page.wait_for_selector("#diagram svg")
    ask(page, "Prices of all bikes?")
    page.wait_for_selector("#result td")
    assert evil in page.locator("#result td").all_text_contents()
    assert page.title() == "text2sql"


def test_history_outlives_the_page_and_the_server(start: Start, database: Path, page: Any) -> None:
    server = start(database)
    page.goto(server.url)
    page.wait_for_selector("#diagram svg")
    ask(page, "How many bikes are there?")
    page.reload()
    page.wait_for_selector("#diagram svg")
    page.locator("#history button").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#answer:not([hidden])")
    assert page.inner_text("#sql") == "SELECT count(*) FROM bike"
    assert page.input_value("#question") == "How many bikes are there?"
    page.click("#forget")
    assert page.locator("#history button").count() == 0


def test_an_answer_is_in_the_history_before_its_rows_come(
    start: Start, database: Path, page: Any
) -> None:
    page.goto(start(database, query_seconds=2).url)
    page.wait_for_selector("#diagram svg")
    ask(page, "Never end.")
    page.reload()
    page.wait_for_selector("#diagram svg")
    assert page.locator("#history button").all_text_contents() == ["Never end."]


def test_a_question_goes_on_from_the_one_before(
    start: Start, database: Path, page: Any, talker: Any
) -> None:
    page.goto(start(database, engine=talker).url)
    page.wait_for_selector("#diagram svg")
    ask(page, EARLIER.question)
    page.locator("#follow").focus()
    page.keyboard.press("Enter")
    assert page.locator("#thread li").all_text_contents() == ["".join(EARLIER)]
    assert page.evaluate("document.activeElement.id") == "question"
    ask(page, FOLLOW_UP[0])
    assert page.inner_text("#sql") == FOLLOW_UP[1]
    page.click("#anew")
    assert page.is_hidden("#conversation")
    ask(page, EARLIER.question)
    assert page.inner_text("#sql") == EARLIER.sql


def test_an_answer_is_accepted_or_put_right(
    start: Start, database: Path, page: Any, tmp_path: Path
) -> None:
    path = tmp_path / "accepted.jsonl"
    page.goto(start(database, accepted=str(path)).url)
    page.wait_for_selector("#diagram svg")
    ask(page, "How many bikes are there?")
    page.click("#accept")
    page.wait_for_selector("#facts >> text=kept")
    ask(page, "Which colours?")
    assert page.is_hidden("#accept")
    page.click("#correct")
    page.fill("#corrected", "SELECT wheels FROM bike")
    page.click("#correction button")
    page.wait_for_selector("#trouble >> text=no such column: wheels")
    page.fill("#corrected", "SELECT DISTINCT model FROM bike")
    page.click("#correction button")
    page.wait_for_selector("#facts >> text=kept")
    assert page.inner_text("#sql") == "SELECT DISTINCT model FROM bike"
    kept = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(pair["question"], pair["corrected"]) for pair in kept] == [
        ("How many bikes are there?", False),
        ("Which colours?", True),
    ]


def test_a_typed_schema(start: Start, page: Any) -> None:
    page.goto(start().url)
    page.wait_for_selector("#typed:checked")
    page.fill("#schema", "CREATE TABLE shop (shop_id INTEGER PRIMARY KEY, name TEXT, city TEXT);")
    page.locator("#schema").blur()
    page.wait_for_selector("#diagram text.table")
    ask(page, "Number of shops by city?")
    assert page.inner_text("#sql")
    assert page.is_hidden("#run-label")


def test_keys_of_the_question(start: Start, database: Path, page: Any) -> None:
    page.goto(start(database).url)
    page.wait_for_selector("#diagram svg")
    page.fill("#question", "How many bikes")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("are there?")
    assert page.input_value("#question") == "How many bikes\nare there?"
    assert page.is_hidden("#answer")
    page.locator("#run").focus()
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#facts >> text=/ s$/")


def test_examples_shown_to_the_model_can_be_read(start: Start, database: Path, page: Any) -> None:
    class Finder:
        """Stands in for a knowledge base; tests/serve/test_examples.py has a real one."""

        def find(self, questions: Any) -> list[list[Example]]:
            return [[Example("How many <b>shops</b>?", "SELECT count(*) FROM shop")]]

        def show(self, question: Any, examples: list[Example], *_: Any) -> Any:
            return question, examples

        def close(self) -> None:
            pass

    page.goto(start(database, finder=Finder()).url)
    page.wait_for_selector("#diagram svg")
    ask(page, "How many bikes are there?")
    page.click("#examples summary")
    assert page.inner_text("#examples summary") == "1 solved question shown to the model"
    assert page.inner_text("#examples dt") == "How many <b>shops</b>?"
    assert page.inner_text("#examples dd") == "SELECT count(*) FROM shop"


@pytest.mark.parametrize("width", [360, 1280])
def test_a_chart_is_readable_at_any_width(
    start: Start, database: Path, page: Any, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 740})
    page.goto(start(database).url)
    page.wait_for_selector("#diagram svg")
    ask(page, "Number of shops by city?")
    page.wait_for_selector("#chart svg")
    heights = page.locator("#chart svg text").evaluate_all(
        "all => all.map((one) => one.getBoundingClientRect().height)"
    )
    assert min(heights) >= 11


def test_the_slash_key_goes_back_to_the_question(start: Start, database: Path, page: Any) -> None:
    page.goto(start(database).url)
    page.wait_for_selector("#diagram svg")
    page.locator("#copy").evaluate("() => document.activeElement.blur()")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "question"
    assert page.input_value("#question") == ""


def test_the_token_is_asked_for_once(start: Start, database: Path, page: Any) -> None:
    page.goto(start(database, token="a-secret-of-the-test").url)
    page.wait_for_selector("#token-form:not([hidden])")
    page.fill("#token", "a-secret-of-the-test")
    page.keyboard.press("Enter")
    page.wait_for_selector("#diagram svg")
    ask(page, "How many bikes are there?")
    page.wait_for_selector("#result td")
    page.goto(page.url + "docs")
    page.wait_for_selector("#paths details")


@pytest.mark.parametrize("width", [360, 800, 1400])
def test_nothing_is_wider_than_the_screen(
    start: Start, database: Path, page: Any, width: int
) -> None:
    server = start(database)
    page.set_viewport_size({"width": width, "height": 740})
    for path in ("/", "/results", "/docs"):
        page.goto(server.url + path)
        page.wait_for_load_state("networkidle")
        if path == "/":
            page.wait_for_selector("#diagram svg")
            ask(page, "Prices of all bikes?")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_results_lead_to_every_question(
    start: Start, page: Any, build_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.serve.test_results import write_run

    write_run(build_folder)
    page.goto(start().url + "/results")
    page.click("text=Tiny LoRA")
    page.wait_for_selector("#questions:not([hidden])")
    assert page.inner_text("#count") == "3 of 3 questions"
    page.select_option("#verdict", "wrong")
    assert page.inner_text("#count") == "2 of 3 questions"
    page.select_option("#error", "no_such_column")
    page.click("#list summary")
    page.wait_for_selector("#list dd")
    assert "colour" in page.inner_text("#list")


def test_running_jobs_are_shown_and_go(start: Start, page: Any, build_folder: Path) -> None:
    stage = build_folder / "runs" / "p" / "sample" / "infer" / "lora.partial"
    stage.mkdir(parents=True)
    progress = stage / "progress.json"
    progress.write_text(json.dumps({"done": 3, "total": 9, "unit": "questions"}))
    page.goto(start().url + "/results")
    page.wait_for_selector("text=p/sample, infer:lora: 3 of 9 questions")
    progress.write_text(json.dumps({"done": 8, "total": 9, "unit": "questions"}))
    page.wait_for_selector("text=8 of 9 questions")
    progress.unlink()
    page.wait_for_selector("#jobs", state="hidden")


def test_the_page_speaks_chinese_and_remembers_it(
    start: Start, database: Path, page: Any, tmp_path: Path
) -> None:
    page.goto(start(database, accepted=str(tmp_path / "accepted.jsonl")).url)
    page.wait_for_selector("#diagram svg")
    ask(page, "Number of shops by city?")
    page.wait_for_selector("#result td")
    page.click("#language")
    assert page.locator("html").get_attribute("lang") == "zh-CN"
    words = {
        "#ask": "提问",
        "#copy": "复制",
        "#follow": "追问",
        "#accept": "采纳",
        "#correct": "更正",
    }
    assert {name: page.inner_text(name) for name in words} == words
    assert page.inner_text("#live-name") == "数据库 shops"
    assert page.inner_text("#result p") == "2 行"
    assert page.inner_text("#facts").startswith("有效，")
    assert page.get_attribute("#question", "placeholder") == "有多少……？"
    assert page.inner_text("#sql") == "SELECT city, count(*) FROM shop GROUP BY city"
    page.reload()
    page.wait_for_selector("#diagram svg")
    assert page.inner_text("#ask") == "提问"
    page.click("#language")
    assert page.inner_text("#ask") == "Ask"
    assert page.inner_text("#live-name") == "the database shops"
    left = page.evaluate("document.body.innerText.match(/[\\u4e00-\\u9fff]+/g)")
    assert left == ["中文"]


def test_every_button_of_the_page_has_chinese_words(
    start: Start, database: Path, page: Any
) -> None:
    page.goto(start(database).url)
    page.wait_for_selector("#diagram svg")
    page.click("#language")
    texts = page.locator("button, label, legend, summary, nav a").evaluate_all(
        "all => all.map(one => one.textContent.trim()).filter(text => text)"
    )
    english = [text for text in texts if not any("一" <= letter <= "鿿" for letter in text)]
    assert english == ["English"]


def test_models_are_a_choice_where_there_are_several(
    start: Start, database: Path, tiny_model: Path, page: Any
) -> None:
    page.goto(start(database).url)
    page.wait_for_selector("#diagram svg")
    assert page.is_hidden("#model")
    fake = FakeOpenAI({"base": "SELECT 1", "bikes-lora": "SELECT 2"})
    try:
        server = begin(start, database, tiny_model, fake.url, models=["bikes-lora"])
        page.goto(server.url)
        page.wait_for_selector("#model:visible")
        assert page.locator("#model option").all_text_contents() == ["tiny", "bikes-lora"]
        ask(page, "How many bikes are there?")
        assert page.inner_text("#sql") == "SELECT 1"
        page.select_option("#model", "bikes-lora")
        ask(page, "How many bikes are there?")
        page.wait_for_selector("#sql >> text=SELECT 2")
    finally:
        fake.close()
