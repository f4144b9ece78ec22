"""Retrieved examples in prompts: order, form, and what fits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from text2sql.errors import UserError
from text2sql.files import write_text
from text2sql.infer.examples import add_found_examples, read_examples
from text2sql.prompt import Example, add_examples, load_template, render_messages, render_text
from text2sql.question import Question

QWEN3 = load_template("qwen3")
EXAMPLES = [Example("How many tracks?", "SELECT count(*) FROM track"), Example("B?", "SELECT 2")]


class Characters:
    """Counts a token a character."""

    def encode(self, text: str) -> list[int]:
        return [0] * len(text)

    def generate(self, prompts: Any) -> Any:
        raise NotImplementedError


def asked() -> list[Question]:
    messages = render_messages("How many?", "CREATE TABLE t (a);", "p2")
    return [Question(7, "d", "How many?", "SELECT 1", messages)]


def add(room: int, order: str = "best_first", form: str = "reference_list") -> tuple[dict, str]:
    found, style = {7: EXAMPLES}, {"form": form, "order": order}
    (question,), counts = add_found_examples(asked(), found, style, QWEN3, Characters(), room)
    return counts, render_text(question.messages, QWEN3)


def test_prompt_is_that_of_the_one_renderer() -> None:
    counts, prompt = add(10_000)
    messages = add_examples(asked()[0].messages, EXAMPLES, "reference_list")
    assert prompt == render_text(messages, QWEN3)
    assert counts == {"examples": 2, "examples_without_room": 0}


def test_the_reference_list_is_the_published_one() -> None:
    _, prompt = add(10_000)
    assert (
        "Here are some reference examples that might help you:\n<reference_list>\n"
        '  <reference_item id="0">\n  [QUESTION] How many tracks?\n'
        "  [ANSWER] SELECT count(*) FROM track\n  </reference_item>\n"
        '  <reference_item id="1">\n  [QUESTION] B?\n  [ANSWER] SELECT 2\n  </reference_item>\n'
        "</reference_list><|im_end|>\n<|im_start|>user\n\n[SCHEMA]\n"
    ) in prompt


def test_plain_form_with_the_best_next_to_the_question() -> None:
    _, prompt = add(10_000, "best_last", "plain")
    assert "Examples:\n\nB?\nSELECT 2\n\nHow many tracks?\nSELECT count(*) FROM track<" in prompt


def test_the_worst_examples_go_first_when_there_is_no_room() -> None:
    whole = len(add(10_000)[1])
    counts, prompt = add(whole - 1)
    assert counts == {"examples": 1, "examples_without_room": 1}
    assert "How many tracks?" in prompt
    assert "B?" not in prompt
    counts, prompt = add(10)
    assert counts == {"examples": 0, "examples_without_room": 2}
    assert prompt == render_text(asked()[0].messages, QWEN3)


def test_adding_examples_leaves_the_messages_given_as_they_are() -> None:
    messages = render_messages("q", "s", "p3")
    before = [dict(message) for message in messages]
    longer = add_examples(messages, EXAMPLES, "plain")
    assert messages == before
    assert longer[1:] == messages[1:]


def test_a_question_without_entry_and_a_broken_file_are_one_line(tmp_path: Path) -> None:
    style = {"form": "plain", "order": "best_first"}
    with pytest.raises(UserError, match=r"question 7 has no entry in examples\.jsonl"):
        add_found_examples(asked(), {}, style, QWEN3, Characters(), 100)
    write_text(tmp_path / "examples.jsonl", '{"id": 1, "examples": []}\n{"id": 2}\n')
    with pytest.raises(UserError, match=r"examples\.jsonl:2: .*make retrieve"):
        read_examples(tmp_path)
