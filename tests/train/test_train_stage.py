"""The train and merge stages through the real LLaMA-Factory, with a model of 0.2M parameters."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE
from tiny_models import COUNTS

from text2sql.errors import UserError
from text2sql.progress import Progress, read_progress
from text2sql.stage import Job, Stage
from text2sql.train.stage import last_checkpoint

pytestmark = pytest.mark.slow

CONFIG: dict[str, Any] = {
    "method": "lora",
    "template": "smollm2",
    "llamafactory": {
        "finetuning_type": "lora",
        "lora_target": "all",
        "lora_dropout": 0.0,
        "cutoff_len": 128,
        "per_device_train_batch_size": 2,
        "max_steps": 12,
        "learning_rate": 1.0e-3,
        "save_steps": 3,
        "logging_steps": 1,
        "disable_gradient_checkpointing": True,
        "seed": 42,
    },
}
RUN = """
import json, sys
from pathlib import Path
from text2sql.stage import Stage
from text2sql.progress import Progress
from text2sql.train.stage import run
from text2sql.stage import Job
config, model, data, output = json.loads(sys.argv[1]), *map(Path, sys.argv[2:5])
stage = Stage("train:tiny", "train-lora", config, output, settings={"device": "cpu"})
print(json.dumps(run(Job(stage, {"model": model, "data": data}, output, Progress(output)))))
"""


@pytest.fixture(scope="module")
def tiny(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random Llama model and a dataset of 24 rows."""
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "data").mkdir()
    (folder / "data" / "train.json").write_text(json.dumps(COUNTS))
    columns = {"messages": "conversations", "system": "system"}
    info = {"train": {"file_name": "train.json", "formatting": "sharegpt", "columns": columns}}
    (folder / "data" / "dataset_info.json").write_text(json.dumps(info))
    (folder / "model").symlink_to(tiny_llama)
    return folder


def start(tiny: Path, output: Path, config: dict[str, Any]) -> subprocess.Popen[str]:
    output.mkdir(parents=True, exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-c", RUN, json.dumps(config), tiny / "model", tiny / "data", output],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def train(tiny: Path, output: Path, config: dict[str, Any]) -> tuple[dict[str, Any], str]:
    process = start(tiny, output, config)
    text = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 0, text
    return json.loads(text.splitlines()[-1]), text


def adapter(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(folder / "adapter_model.safetensors")


def test_killed_training_goes_on_to_the_same_adapter(tiny: Path, tmp_path: Path) -> None:
    import os

    import torch

    whole, _ = train(tiny, tmp_path / "whole", CONFIG)
    assert whole["steps"] == 12
    assert whole["last_loss"] < whole["first_loss"]
    assert read_progress(tmp_path / "whole") == (12, 12, "steps")
    assert not list((tmp_path / "whole").glob("checkpoint-*"))

    cut = tmp_path / "cut"
    process = start(tiny, cut, CONFIG)
    end = time.monotonic() + PATIENCE
    while last_checkpoint(cut) is None:
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not (cut / "adapter_model.safetensors").exists()

    details, text = train(tiny, cut, CONFIG)
    assert "going on from checkpoint-" in text
    assert details["steps"] == 12
    ours, theirs = adapter(cut), adapter(tmp_path / "whole")
    assert ours.keys() == theirs.keys()
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name])


def test_merge_equals_adapter_on_base(tiny: Path, tmp_path: Path) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from text2sql.convert.merge import run as merge

    train(tiny, tmp_path / "lora", CONFIG)
    output = tmp_path / "merged"
    output.mkdir()
    stage = Stage("merge:tiny", "merge", {"template": "smollm2"}, output)
    inputs = {"model": tiny / "model", "adapter": tmp_path / "lora"}
    merge(Job(stage, inputs, output, Progress(output)))
    tokens = torch.arange(3, 40).unsqueeze(0)
    base = AutoModelForCausalLM.from_pretrained(tiny / "model")
    tuned = PeftModel.from_pretrained(base, tmp_path / "lora")
    merged = AutoModelForCausalLM.from_pretrained(output, dtype=torch.float32)
    with torch.inference_mode():
        torch.testing.assert_close(
            merged(tokens).logits, tuned(tokens).logits, atol=1e-4, rtol=1e-4
        )


def test_unknown_llamafactory_key_is_named(tiny: Path, tmp_path: Path) -> None:
    from text2sql.train.stage import run

    config = CONFIG | {"llamafactory": CONFIG["llamafactory"] | {"learning_rat": 1}}
    stage = Stage("train:tiny", "train-lora", config, tmp_path, settings={"device": "cpu"})
    inputs = {"model": tiny / "model", "data": tiny / "data"}
    with pytest.raises(UserError, match="LLaMA-Factory has no key 'learning_rat'"):
        run(Job(stage, inputs, tmp_path, Progress(tmp_path)))


def test_half_a_checkpoint_is_removed(tmp_path: Path) -> None:
    (tmp_path / "checkpoint-3").mkdir()
    (tmp_path / "checkpoint-3" / "trainer_state.json").touch()
    (tmp_path / "checkpoint-10").mkdir()
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-3"
    assert not (tmp_path / "checkpoint-10").exists()


def test_text_metrics_are_those_llamafactory_measured(tiny: Path, tmp_path: Path) -> None:
    from text2sql.files import read_jsonl
    from text2sql.infer.config import InferConfig
    from text2sql.infer.text_metrics import run
    from text2sql.prompt import Message
    from text2sql.question import Question, write_questions

    (tmp_path / "data").mkdir()
    text = "How many rows has table t1?"
    messages: list[Message] = [
        {"role": "system", "content": "Write SQL."},
        {"role": "user", "content": text},
    ]
    question = Question(0, "d", text, "SELECT count(*) FROM t1", messages)
    write_questions(tmp_path / "data" / "questions.jsonl", [question] * 3)
    infer = InferConfig(engine="transformers", dtype="float32", batch_size=2, max_new_tokens=8)
    config = infer.model_dump() | {"template": "smollm2"}
    output = tmp_path / "out"
    output.mkdir()
    stage = Stage("text-metrics:x", "text-metrics", config, output, settings={"device": "cpu"})
    inputs = {"model": tiny / "model", "data": tmp_path / "data"}
    details = run(Job(stage, inputs, output, Progress(output)))
    measured = json.loads((output / "predict_results.json").read_text())
    assert details["questions"] == 3
    assert details["BLEU-4"] == measured["predict_bleu-4"]
    assert 0 <= details["ROUGE-L"] <= 100
    answers = list(read_jsonl(output / "generated_predictions.jsonl"))
    assert [answer["label"].strip() for answer in answers] == [question.gold] * 3
