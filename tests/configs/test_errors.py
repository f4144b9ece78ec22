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
        ("datset: x\n", "unknown key 'datset'; did you mean 'dataset'?"),
        ("zzz: 2\n", "unknown key 'zzz'; known keys: "),
        ("machine: {threds: 2}\n", "unknown key 'machine.threds'; did you mean 'threads'?"),
        ("machine: {threads: many}\n", "key 'machine.threads'"),
        ("machine: {threads: 0}\n", "key 'machine.threads'"),
        (
            "machine: {environments: {trian: x}}\n",
            "'machine.environments.trian'; did you mean 'train'",
        ),
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
    text = PROFILE.replace("dataset: sample\n", "")
    assert "missing key 'dataset'; add it" in message(tmp_path, text)


NAMED = (
    ("model: nonesuch", "key 'model': ", "configs/models/nonesuch.yaml", "qwen3-4b.yaml"),
    ("machine: laptop", "key 'machine': ", "configs/machines/laptop.yaml", "cpu-2core.yaml"),
    ("dataset: spidr", "key 'dataset': ", "configs/data/spidr.yaml", "spider.yaml"),
    ("infer: greedy", "key 'infer': ", "configs/infer/greedy.yaml", "greedy_vllm_1gpu.yaml"),
    (
        "rows: [{name: a, label: A}, {name: b, label: B, recipe: r}]",
        "key 'rows.1.recipe': ",
        "configs/train/r.yaml",
        "smollm2-135m_lora_cpu.yaml",
    ),
    (
        "optional_rows: [{name: b, label: B, retrieval: r}]",
        "key 'optional_rows.0.retrieval': ",
        "configs/rag/r.yaml",
        "minilm_best.yaml",
    ),
    (
        "rows: [{name: a, label: A, infer: i}]",
        "key 'rows.0.infer': ",
        "configs/infer/i.yaml",
        "greedy_vllm_1gpu.yaml",
    ),
    (
        "quantization: {row: a, infer: i}",
        "key 'quantization.infer': ",
        "configs/infer/i.yaml",
        "smollm2-135m_greedy_llamacpp.yaml",
    ),
)


@pytest.mark.parametrize(("line", "key", "file", "there"), NAMED, ids=lambda v: v[:30])
def test_names_that_are_not_there(
    tmp_path: Path, line: str, key: str, file: str, there: str
) -> None:
    """Each is refused when the profile is loaded, with its key, the file and what there is."""
    kept = [text for text in PROFILE.splitlines() if text.split(":")[0] != line.split(":")[0]]
    shown = message(tmp_path, "\n".join([*kept, line]))
    assert key in shown
    assert f"{file}: no such config file; there are: " in shown
    assert there in shown


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("model", "path_or_hub_id: x\ntemplat: qwen\n", "key 'templat'; did you mean 'template'?"),
        ("model", "template: qwen\n", "missing key 'path_or_hub_id'; add it"),
        ("model", "path_or_hub_id: x\ntemplate: nonesuch\n", "key 'template': "),
        ("machine", "gpu: 1\n", "unknown key 'gpu'; did you mean 'gpus'?"),
        ("machine", "gpus: -1\n", "key 'gpus': "),
        ("machine", "environments: {vllm: x}\n", "unknown key 'environments.vllm'; known keys: "),
    ],
)
def test_mistakes_in_a_part_name_its_file(
    tmp_path: Path, kind: str, text: str, expected: str
) -> None:
    part = tmp_path / "part.yaml"
    part.write_text(text)
    kept = [line for line in PROFILE.splitlines() if line.split(":")[0] != kind]
    shown = message(tmp_path, "\n".join([*kept, f"{kind}: {part}"]))
    assert f"key '{kind}': {part}: " in shown
    assert expected in shown


def test_an_unknown_template_is_refused_at_load(tmp_path: Path) -> None:
    shown = message(tmp_path, PROFILE.replace("smollm2}", "smollm3}"))
    assert "key 'model.template': " in shown
    assert "'smollm3'" in shown


def test_a_new_model_takes_three_keys(tmp_path: Path) -> None:
    """Its name is its file's; title of model and profile, and the machine, need not be given."""
    (tmp_path / "mine-1b.yaml").write_text("path_or_hub_id: me/mine-1b\ntemplate: qwen\n")
    (tmp_path / "first.yaml").write_text(
        f"model: {tmp_path}/mine-1b.yaml\ndataset: spider\n"
        "infer: greedy_vllm_1gpu\nrows: [{name: baseline, label: Baseline}]\n"
    )
    profile = load_profile(str(tmp_path / "first.yaml"))
    assert (profile.name, profile.title) == ("first", "mine-1b")
    assert profile.model.name == "mine-1b"
    assert profile.machine.device == "cpu"


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
