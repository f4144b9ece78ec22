"""A wrong config is one line that names file, key and fix."""

from __future__ import annotations

from pathlib import Path

import pytest

from text2sql.config import load_config
from text2sql.errors import UserError
from text2sql.profile import Profile, load_profile
from text2sql.train.recipe import Recipe

PROFILE = """
name: x
title: X
model: {name: m, path_or_hub_id: m, template: smollm2}
dataset: sample
infer: smollm2-135m_greedy_cpu
rows: [{name: a, label: A}]
"""
RECIPE = "method: lora\nllamafactory: {finetuning_type: lora}\n"


def message(tmp_path: Path, text: str, model: type = Profile) -> str:
    path = tmp_path / "x.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        load_config(path, model)
    shown = str(caught.value)
    assert "\n" not in shown
    assert shown.startswith(str(path))
    return shown


def test_good_texts_load(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(PROFILE)
    (tmp_path / "r.yaml").write_text(RECIPE)
    assert load_config(tmp_path / "p.yaml", Profile).rows[0].label == "A"
    assert load_config(tmp_path / "r.yaml", Recipe).method == "lora"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("threds: 2\n", "unknown key 'threds'; did you mean 'threads'?"),
        ("zzz: 2\n", "unknown key 'zzz'; known keys: "),
        ("threads: many\n", "key 'threads'"),
        ("threads: 0\n", "key 'threads'"),
        ("evaluation: {plug_values: true}\n", "did you mean 'plug_value'?"),
        ("rows: [{name: a, label: A}, {name: a, label: B}]\n", "row name 'a' is used twice"),
        ("rows: [{name: a, lable: A}]\n", "rows.0.lable"),
        ("rows: []\n", "key 'rows'"),
    ],
)
def test_profile_mistakes(tmp_path: Path, change: str, expected: str) -> None:
    text = "\n".join(
        line for line in PROFILE.splitlines() if line.split(":")[0] != change.split(":")[0]
    )
    assert expected in message(tmp_path, f"{text}\n{change}")


def test_missing_key(tmp_path: Path) -> None:
    assert "missing key 'title'; add it" in message(tmp_path, PROFILE.replace("title: X\n", ""))


@pytest.mark.parametrize("text", ["a: [", "\x00", "- a\n- b\n", "just text"])
def test_not_a_mapping(tmp_path: Path, text: str) -> None:
    message(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("method: lora\nllamafactory: {finetuning_type: full}\n", "finetuning_type: lora"),
        ("method: qlora\nllamafactory: {finetuning_type: lora}\n", "quantization_bit: 4"),
        ("method: lora\nllamafactory: {finetuning_type: lora, dataset: x}\n", "set by the train"),
        (
            "method: lora\nlaunch: {backend: deepspeed}\nllamafactory: {finetuning_type: lora}\n",
            "llamafactory.deepspeed",
        ),
    ],
)
def test_recipe_mistakes(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in message(tmp_path, text, Recipe)


def test_missing_file_lists_what_there_is() -> None:
    with pytest.raises(UserError, match=r"no such config file; there are: .*smollm2-135m\.yaml"):
        load_profile("nonesuch")
