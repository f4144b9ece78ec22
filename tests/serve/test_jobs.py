"""Live progress over the WebSocket while a real pipeline works: create-data, training, eval."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from patience import PATIENCE

from tests.serve.conftest import Server
from tests.serve.test_stream import open_socket
from text2sql.files import read_json, write_json

Start = Callable[..., Server]
RECIPE = {
    "method": "lora",
    "llamafactory": {
        "finetuning_type": "lora",
        "lora_target": "all",
        "cutoff_len": 256,
        "per_device_train_batch_size": 1,
        "max_steps": 40,
        "learning_rate": 1.0e-4,
        "logging_steps": 1,
        "save_steps": 40,
        "disable_gradient_checkpointing": True,
        "seed": 42,
    },
}
INFER = {"engine": "transformers", "dtype": "float32", "max_new_tokens": 24, "max_model_len": 512}
# Else the evaluation is over before anybody can look at it.
SLOW = "SELECT count(*) FROM " + " JOIN ".join(f"rentals AS T{n}" for n in range(1, 6))
PROFILE = {
    "name": "tiny",
    "title": "Tiny",
    "data": {"schema_style": "ddl", "system": "short", "schema_budget": 64},
    "rows": [{"name": "lora", "label": "LoRA"}],
}


Seen = dict[tuple[str, str], list[tuple[int, int]]]


@contextmanager
def watching(server: Server) -> Iterator[Seen]:
    """Collect what the service says of running jobs: done and total, by run and stage."""
    seen: Seen = defaultdict(list)

    def listen() -> None:
        for message in socket:
            for job in json.loads(message)["jobs"]:
                seen[job["run"], job["stage"]].append((job["done"], job["total"]))

    with open_socket(server, "/ws/jobs") as socket:
        socket.send("{}")
        thread = threading.Thread(target=listen)
        thread.start()
        yield seen
    thread.join(PATIENCE)
    assert not thread.is_alive()


def text2sql(build: Path, *arguments: str, **variables: str) -> None:
    """Run a command of ours."""
    command = [sys.executable, "-c", "from text2sql.cli import main; main()", *arguments]
    path = os.pathsep.join(part for part in sys.path if part)
    environment = os.environ | {"PYTHONPATH": path, "TEXT2SQL_BUILD": str(build)} | variables
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_create_data_training_inference_and_eval_are_seen_as_they_go(
    start: Start, tiny_model: Path, build_folder: Path, repository: Path, tmp_path: Path
) -> None:
    from tests.create.conftest import make_sqlite

    sample = yaml.safe_load((repository / "configs/data/sample.yaml").read_text())
    questions = read_json(repository / sample["evaluation"])
    slow = {"db_id": "bike_rental", "question": "How many fives of rentals?", "query": SLOW}
    write_json(tmp_path / "dev.json", [*questions, slow, slow])
    dataset = sample | {"evaluation": str(tmp_path / "dev.json")}
    for name, value in (("recipe", RECIPE), ("infer", INFER), ("shortened", dataset)):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(value))
    profile: dict[str, Any] = PROFILE | {
        "model": {"name": "tiny", "path_or_hub_id": str(tiny_model), "template": "chatml"},
        "infer": str(tmp_path / "infer.yaml"),
        "dataset": str(tmp_path / "shortened.yaml"),
    }
    profile["rows"][0]["recipe"] = str(tmp_path / "recipe.yaml")
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(profile))
    shop = make_sqlite(tmp_path / "shop.sqlite")
    with watching(start()) as seen:
        text2sql(build_folder, "database", "create-data", "--total", "400", DB_URL=shop)
        text2sql(build_folder, "stage", "eval", "--profile", str(tmp_path / "tiny.yaml"))
    stages = {stage.partition(":")[0] for _, stage in seen}
    assert stages >= {"create-data", "train", "infer", "eval"}, dict(seen)
    for (run, stage), told in seen.items():
        assert run in ("own/shop", "tiny/shortened")
        assert all(0 <= done <= total for done, total in told), stage
        assert told == sorted(told), stage
    steps = next(told for (_, stage), told in seen.items() if stage.startswith("train"))
    assert {total for _, total in steps} == {40}
    assert 0 < steps[0][0] < 40  # seen on the way, not only at the end
    assert not list(build_folder.glob("own/*.partial"))
