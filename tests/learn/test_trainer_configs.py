"""The configs for verl and ROLL: read by the frameworks' own classes, unknown keys refused."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from text2sql.cli.dataset import dataset
from text2sql.config import load_config
from text2sql.data.config import DataConfig
from text2sql.data.prepare import evaluation_rows
from text2sql.files import read_jsonl
from text2sql.learn.trainer_rows import TAG, trainer_rows
from text2sql.paths import config_path
from text2sql.question import Question
from text2sql.sql import reward_verl

ROOT = Path(__file__).resolve().parents[2]
VERL = sorted((ROOT / "configs" / "verl").glob("*.yaml"))
ROLL = sorted((ROOT / "configs" / "roll").glob("*.yaml"))
ROLL_DIR = os.environ.get("ROLL_DIR")
EXPORT = "build/data/rl/spider.jsonl"
GPUS = 4


def read(path: Path) -> dict[str, Any]:
    """The file as it stands, its ${...} not replaced."""
    values: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return values


@pytest.mark.parametrize("path", VERL, ids=lambda path: path.stem)
def test_verl_configs_name_what_is_here(path: Path) -> None:
    config = read(path)
    function = config["reward"]["custom_reward_function"]
    assert (ROOT / function["path"]).resolve() == Path(reward_verl.__file__).resolve()
    assert callable(getattr(reward_verl, function["name"]))
    assert config["data"]["train_files"] == EXPORT
    assert config["trainer"]["n_gpus_per_node"] * config["trainer"]["nnodes"] == GPUS


@pytest.mark.parametrize("path", ROLL, ids=lambda path: path.stem)
def test_roll_configs_name_what_is_here(path: Path) -> None:
    config = read(path)
    domains = config["actor_train"]["data_args"]["domain_interleave_probs"]
    assert config["actor_train"]["data_args"]["file_name"] == [EXPORT]
    assert config["rewards"].keys() == domains.keys()
    for reward in config["rewards"].values():
        module, _, name = reward["worker_cls"].rpartition(".")
        spec = importlib.util.find_spec(module)
        assert spec is not None and spec.origin is not None
        assert f"class {name}(" in Path(spec.origin).read_text(encoding="utf-8")
        assert reward["tag_included"] == [TAG]
    answers = config["rollout_batch_size"] * config["num_return_sequences_in_group"]
    training = config["actor_train"]["training_args"]
    batch = training["per_device_train_batch_size"] * training["gradient_accumulation_steps"]
    assert answers == batch * config["num_gpus_per_node"] == 512


def test_rows_have_the_columns_of_both() -> None:
    messages = [{"role": "user", "content": "Who sings?"}]
    (row,) = trainer_rows([Question(7, "music", "Who sings?", "SELECT 1", messages)])
    assert row["prompt"] == messages
    assert reward_verl.compute_score.__annotations__["extra_info"]  # where it finds the database
    assert row["extra_info"] == {"index": 7, "db_id": "music"}
    assert row["reward_model"]["ground_truth"] == row["ground_truth"] == "SELECT 1"
    assert (row["db_id"], row["tag"], row["data_source"]) == ("music", TAG, TAG)


@pytest.mark.slow
def test_questions_for_them_leave_out_evaluation_databases(tmp_path: Path) -> None:
    output = tmp_path / "questions.jsonl"
    arguments = ["rl-questions", "sample", "--output", str(output), "--limit", "20"]
    done = CliRunner().invoke(dataset, arguments, catch_exceptions=False)
    assert f"wrote {output}: 20 questions; left out: 240 asked of an evaluation" in done.output
    rows = list(read_jsonl(output))
    config = load_config(config_path("data", "sample"), DataConfig)
    evaluation = {row.db_id for row in evaluation_rows(config)}
    assert len(rows) == 20
    assert evaluation.isdisjoint(row["db_id"] for row in rows)


def unknown(values: Any, known: Any, place: str = "") -> Iterator[str]:
    """The keys that a framework's defaults do not have."""
    if not isinstance(values, dict) or not isinstance(known, dict) or not known:
        return
    for key, value in values.items():
        if key in known:
            yield from unknown(value, known[key], f"{place}{key}.")
        else:
            yield f"{place}{key}"


def test_unknown_keys_are_told() -> None:
    known = {"trainer": {"nnodes": 1, "free": {}}}
    assert not list(unknown({"trainer": {"nnodes": 2, "free": {"x": 1}}}, known))
    assert list(unknown({"trainer": {"nodes": 2}, "x": 1}, known)) == ["trainer.nodes", "x"]


@pytest.mark.slow
@pytest.mark.parametrize("path", VERL, ids=lambda path: path.stem)
def test_verl_takes_the_config(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(
        "verl", reason="verl is not installed; it has its own environment (docs/learning.md)"
    )
    import verl.trainer.config
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf
    from verl.utils.config import omega_conf_to_dataclass, validate_config

    defaults = str(Path(verl.trainer.config.__file__).parent)
    with initialize_config_dir(defaults, version_base=None):
        known = OmegaConf.to_container(compose("ppo_trainer"))
    with initialize_config_dir(str(path.parent), version_base=None):
        config = compose(path.stem)
    own = {key: value for key, value in read(path).items() if key not in ("defaults", "hydra")}
    assert list(unknown(own, known)) == []
    assert config.trainer.n_gpus_per_node == GPUS and config.algorithm.adv_estimator == "grpo"
    validate_config(config, use_reference_policy=False, use_critic=False)
    assert omega_conf_to_dataclass(config.actor_rollout_ref.rollout).n == 8
    monkeypatch.chdir(ROOT)
    from verl.trainer.ppo.reward import get_custom_reward_fn

    assert get_custom_reward_fn(config) is not None


READ = """
import json, sys
from dacite import Config, from_dict
from omegaconf import OmegaConf
from roll.pipeline.rlvr.rlvr_config import RLVRConfig
values = OmegaConf.to_container(OmegaConf.load(sys.argv[1]), resolve=True)
values.pop("hydra")
values |= json.loads(sys.argv[2])
config = from_dict(RLVRConfig, values, Config(strict=True))
length = config.actor_infer.generating_args.max_new_tokens
workers = config.actor_train.world_size
reference = config.enable_reference
print(json.dumps([config.adv_estimator, config.tag_2_domain, reference, workers, length]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("path", ROLL, ids=lambda path: path.stem)
def test_roll_takes_the_config_and_no_key_it_does_not_know(path: Path, tmp_path: Path) -> None:
    if not ROLL_DIR:
        pytest.skip("ROLL is not here: set ROLL_DIR to a checkout (docs/learning.md)")

    def parse(more: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        paths = os.pathsep.join(filter(None, (ROLL_DIR, os.environ.get("PYTHONPATH"))))
        return subprocess.run(
            [sys.executable, "-c", READ, str(path), json.dumps(more)],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": paths},
            capture_output=True,
            text=True,
            check=False,
        )

    done = parse({})
    assert done.returncode == 0, done.stderr
    values = json.loads(done.stdout.splitlines()[-1])
    assert values == ["grpo", {TAG: TAG}, False, GPUS, 512]
    assert "rollout_batch" in parse({"rollout_batch": 1}).stderr
