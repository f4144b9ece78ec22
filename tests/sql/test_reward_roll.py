"""ROLL's way of calling the reward gives the reward, through ROLL's own classes."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from text2sql.sql.reward import RIGHT, TOUCHES

ROOT = Path(__file__).resolve().parents[2]
ROLL_DIR = os.environ.get("ROLL_DIR")

# The worker without the cluster that its base class asks for: ROLL starts it in a process of Ray's.
PROGRAM = """
import json, sys
import numpy as np, torch
from roll.distributed.scheduler.protocol import DataProto
from text2sql.errors import UserError
from text2sql.sql.reward_roll import SqlRewardWorker

texts, golds, db_ids, folder = json.loads(sys.argv[1])

class Tokenizer:
    def batch_decode(self, responses, skip_special_tokens):
        assert skip_special_tokens
        return [texts[row[0]] for row in responses.tolist()]

import os
worker = object.__new__(SqlRewardWorker)
worker.tokenizer = Tokenizer()
try:
    worker.initialize(None)
except UserError as error:
    print(error)
os.environ["TEXT2SQL_REWARD_DATABASES"] = folder
worker.initialize(None)
columns = {"ground_truth": golds, "db_id": db_ids}
data = DataProto.from_dict(
    tensors={"responses": torch.arange(len(texts)).repeat(5, 1).T.contiguous()},
    non_tensors={key: np.array(values, dtype=object) for key, values in columns.items()},
)
rewards = worker.compute_rewards(data).batch
print(json.dumps({key: value.tolist() for key, value in rewards.items()}))
"""


@pytest.mark.slow
def test_it_is_the_reward(tmp_path: Path) -> None:
    if not ROLL_DIR:
        pytest.skip("ROLL is not here: set ROLL_DIR to a checkout (docs/learning.md)")
    path = tmp_path / "music" / "music.sqlite"
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "CREATE TABLE singer (name TEXT, age INTEGER);"
            "INSERT INTO singer VALUES ('Ana', 31), ('Bo', 24), ('Cy', 45);"
        )
    gold = "SELECT name FROM singer WHERE age > 30"
    texts = [f"<think>Ages.</think>{gold}", "SELECT name FROM singer WHERE age > 40", "SELECT 1"]
    paths = [ROLL_DIR, str(ROOT / "src"), str(ROOT / "test-suite-sql-eval")]
    environment = {k: v for k, v in os.environ.items() if k != "TEXT2SQL_REWARD_DATABASES"}
    environment["PYTHONPATH"] = os.pathsep.join([*paths, os.environ.get("PYTHONPATH", "")])
    values = json.dumps([texts, [gold] * 3, ["music"] * 3, str(tmp_path)])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, values],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *said, last = done.stdout.splitlines()
    assert "set TEXT2SQL_REWARD_DATABASES to the folder of the databases" in said
    rewards = json.loads(last)
    assert rewards["response_level_rewards"] == pytest.approx([RIGHT, TOUCHES, 0.0], abs=1e-3)
    assert rewards["scores"] == [1.0, 0.0, 0.0]
    assert rewards["token_level_rewards"] == [[0.0] * 5] * 3
