"""LLaMA-Factory's own parser takes every shipped recipe, with all that the train stage adds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
RECIPES = sorted(path.stem for path in (ROOT / "configs" / "train").glob("*.yaml"))
# Each recipe in a fork of one process that has paid for the imports: DeepSpeed's config is global.
PARSE = """
import contextlib, io, json, os, sys
os.environ |= {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1",
               "ACCELERATE_USE_DEEPSPEED": "true", "DISABLE_VERSION_CHECK": "1"}
import deepspeed, llamafactory.hparams.parser as parser
# Parsing needs none of what DeepSpeed compiles, and not every machine has a compiler.
deepspeed.ops.__compatible_ops__ = {}
for name, arguments in json.loads(sys.stdin.read()).items():
    reading, writing = os.pipe()
    if os.fork() == 0:
        with contextlib.redirect_stdout(sys.stderr):
            try:
                os.environ["MASTER_PORT"] = "0"
                deepspeed.init_distributed(dist_backend="gloo", auto_mpi_discovery=False)
                parsed = parser.get_train_args(arguments)
                seen = {k: getattr(group, k) for k in arguments for group in parsed
                        if hasattr(group, k)}
                found = {"seen": json.loads(json.dumps(seen, default=str))}
            except BaseException as error:
                found = {"error": f"{type(error).__name__}: {error}"}
        os.write(writing, json.dumps(found).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as stream:
        print(json.dumps([name, json.loads(stream.read())]), flush=True)
    os.wait()
"""


def arguments_of(name: str, output: Path) -> dict[str, Any]:
    """What the train stage would write for a recipe, on a machine without GPUs."""
    from text2sql.progress import Progress
    from text2sql.stage import Job, Stage
    from text2sql.train.recipe import load_recipe
    from text2sql.train.stage import arguments_for

    recipe = load_recipe(name)
    stage = Stage("train:x", "train", {"template": "qwen3"}, output, settings={"device": "cpu"})
    inputs = {"model": output, "data": output}
    found = arguments_for(Job(stage, inputs, output, Progress(output)), recipe, None)
    if find_spec("swanlab") is None:
        found = {k: v for k, v in found.items() if "swanlab" not in k}
    if recipe.launch.backend == "megatron":
        # Megatron's own keys live in ROLL's package; tests marked megatron train with them.
        from text2sql.train.llamafactory import unknown_keys

        found = {k: v for k, v in found.items() if k not in unknown_keys(found)}
    return found


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    output = tmp_path_factory.mktemp("output")
    given = {name: arguments_of(name, output) for name in RECIPES}
    done = subprocess.run(
        [sys.executable, "-c", PARSE],
        input=json.dumps(given),
        env=os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(json.loads(line) for line in done.stdout.splitlines() if line.startswith('["'))


@pytest.mark.parametrize("name", RECIPES)
def test_llamafactory_parses_the_recipe(name: str, parsed: dict[str, Any], tmp_path: Path) -> None:
    found = parsed[name]
    assert "error" not in found, found
    given = arguments_of(name, tmp_path)
    for key in ("learning_rate", "num_train_epochs", "seed", "finetuning_type"):
        assert found["seen"][key] == given[key]
    # LLaMA-Factory keeps one token of a packed sequence for itself.
    packed = given.get("packing", False) or given.get("neat_packing", False)
    assert found["seen"]["cutoff_len"] == given["cutoff_len"] - packed
    assert found["seen"].get("packing", packed) is packed
    assert found["seen"]["stage"] == given["stage"]
    assert given["stage"] == next((o for o in ("dpo", "kto") if f"_{o}_" in name), "sft")
