"""What goes wrong in training is one line that says what to do; a killed run goes on."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from patience import PATIENCE
from safetensors.numpy import save_file

from text2sql.errors import UserError
from text2sql.files import write_failure
from text2sql.train.checks import (
    check_dataset,
    check_disk,
    check_keys,
    check_packages,
    check_saving,
    check_template,
)
from text2sql.train.explain_failure import explain
from text2sql.train.recipe import load_recipe
from text2sql.train.stage import complete_checkpoints


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("OSError: [Errno 28] No space left on device: 'x'", "is full"),
        ("RuntimeError: [enforce fail] PytorchStreamWriter failed writing file data/3", "is full"),
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB", "DRY_RUN=1"),
        ("ValueError: Undefined dataset train in dataset_info.json.", "run: make data"),
        ("RuntimeError: Failed to initialize SwanLab in online mode", "SET=swanlab_mode=local"),
        ("ValueError: Template nonesuch does not exist.", "model.template"),
        ("RuntimeError: [enforce fail] DefaultCPUAllocator: can't allocate memory", "DRY_RUN=1"),
        (
            "torch.distributed.DistNetworkError: The server socket has failed to listen on any"
            " local network address. port: 29500 ... EADDRINUSE, message: address already in use",
            "set MASTER_PORT",
        ),
        (
            "torch.distributed.DistBackendError: NCCL error in: NCCLUtils.cpp:93, unhandled system"
            " error",
            "NCCL_P2P_DISABLE=1",
        ),
        (
            "RuntimeError: Gloo connectFullMesh failed with [../gloo/transport/tcp/pair.cc:144]",
            "GLOO_SOCKET_IFNAME",
        ),
        ("AssertionError: Torch not compiled with CUDA enabled", "needs a CUDA GPU"),
        ("[rank1]: KeyError: 'answer'", "KeyError: 'answer'"),
    ],
)
def test_known_faults(output: str, expected: str, tmp_path: Path) -> None:
    lines = ["noise", output, "ChildFailedError: and more"]
    line = explain("llamafactory-cli train", lines, 1, tmp_path)
    assert expected in line
    assert "\n" not in line


def test_the_first_process_to_fail_is_the_one_told(tmp_path: Path) -> None:
    lines = ["[rank1]: ValueError: the cause", "torch.x.ChildFailedError: ", "RuntimeError: late"]
    assert explain("train", lines, 1, tmp_path).endswith("ValueError: the cause")
    assert "memory ran out" in explain("train", [], -9, tmp_path)
    assert explain("train", [], 3, tmp_path) == "train: ended with status 3"


def test_a_log_that_cannot_be_written_stops_no_training(repository: Path, tmp_path: Path) -> None:
    """/dev/full is a full disk; the program says more than a pipe holds."""
    code = """
import sys
from pathlib import Path
from text2sql.progress import Progress
from text2sql.train.llamafactory import run_llamafactory
folder = Path(sys.argv[1])
program = [sys.executable, "-c", "print(('x' * 999 + chr(10)) * 999); open(__import__('sys')"
           ".argv[1] + '.done', 'w')"]
run_llamafactory("train", {}, folder, program=program)
(folder / "notes.txt").symlink_to("/dev/full")
Progress(folder).note("told to nobody")
"""
    path = os.pathsep.join([str(repository / "src"), str(repository / "test-suite-sql-eval")])
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path)],
            env=os.environ | {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "llamafactory.yaml.done").exists()


def test_writes_that_fail_by_the_disk_are_one_line(tmp_path: Path) -> None:
    full = OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "x.json"))
    line = write_failure(full, tmp_path)
    assert line is not None and line.startswith(f"{tmp_path / 'x.json'}: cannot be written (No")
    assert write_failure(OSError(errno.ENOENT, "No such file"), tmp_path) is None


def test_template_that_the_tokenizer_does_not_know(tiny: Any, tmp_path: Path) -> None:
    check_template("qwen3", tiny.model)
    check_template("qwen3_nothink", tiny.model)
    with pytest.raises(UserError, match=r"has no token '<\|EOT\|>'; set model.template"):
        check_template("deepseekcoder", tiny.model)
    with pytest.raises(UserError, match="no template 'nonesuch'"):
        check_template("nonesuch", tiny.model)
    plain = tmp_path / "tokenizer.json"
    plain.write_text(json.dumps({"added_tokens": [], "model": {"vocab": {"a": 0}}}))
    with pytest.raises(UserError, match="template 'qwen3_nothink' does not fit the model"):
        check_template("qwen3_nothink", tmp_path)


def test_missing_dataset(tiny_data: Path, tmp_path: Path) -> None:
    check_dataset(tiny_data)
    shutil.copy(tiny_data / "dataset_info.json", tmp_path)
    with pytest.raises(UserError, match=r"train\.json: training data is missing; run: make data"):
        check_dataset(tmp_path)


def test_a_disk_too_small_for_the_checkpoints(
    tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = load_recipe("smollm2-135m_full_cpu")
    monkeypatch.setattr("text2sql.files.free_bytes", lambda folder: 2**40)
    check_disk(recipe, tiny.model, tmp_path)
    monkeypatch.setattr("text2sql.files.free_bytes", lambda folder: 2**20)
    with pytest.raises(UserError, match="checkpoints need about"):
        check_disk(recipe, tiny.model, tmp_path)


def test_a_tracker_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    recipe = load_recipe("xiyansql-qwencoder-7b_lora-r16_1gpu")
    with pytest.raises(UserError, match="pip install swanlab"):
        check_packages(recipe)
    check_packages(load_recipe("smollm2-135m_lora_cpu"))


def test_output_that_cannot_be_written(repository: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    path = os.pathsep.join([str(repository / "src"), str(repository / "test-suite-sql-eval")])
    done = subprocess.run(
        [sys.executable, "-c", "from text2sql.cli import main; main()", "stage", "train-lora"],
        env=os.environ | {"PYTHONPATH": path, "TEXT2SQL_BUILD": str(blocked / "build")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "cannot be written (Not a directory)" in done.stderr


def test_mcore_adapter_from_an_index_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from text2sql.train import megatron_setup

    fake = tmp_path / "mcore_adapter"
    fake.mkdir()
    monkeypatch.setattr(megatron_setup, "mcore_adapter_folder", lambda: fake)
    with pytest.raises(UserError, match="is not ROLL's mcore_adapter"):
        megatron_setup.require_mcore_adapter()
    monkeypatch.setattr(megatron_setup, "mcore_adapter_folder", lambda: None)
    with pytest.raises(UserError, match="never: pip install mcore-adapter"):
        megatron_setup.require_mcore_adapter()


def test_what_megatron_needs_of_transformer_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from text2sql.train import megatron_setup

    keys = load_recipe("qwen3-1.7b_full-megatron-tp2_4gpu").llamafactory
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"needs Transformer Engine; run: make setup-megatron"):
        megatron_setup.require_transformer_engine(keys)
    megatron_setup.require_transformer_engine({"transformer_impl": "local"})
    with pytest.raises(UserError, match="SET=use_distributed_optimizer=false"):
        megatron_setup.check_resume(keys, tmp_path)
    megatron_setup.check_resume({"use_distributed_optimizer": False}, tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name == "transformer_engine")
    megatron_setup.require_transformer_engine(keys)
    megatron_setup.check_resume(keys, tmp_path)


@pytest.mark.parametrize("source", ["mcore-adapter", "mcore_adapter==0.1", "", "nonesuch"])
def test_setup_megatron_refuses_what_is_not_roll(repository: Path, source: str) -> None:
    done = subprocess.run(
        [repository / "scripts" / "setup_megatron.sh", source, "nonesuch-venv"],
        capture_output=True,
        text=True,
        check=False,
        cwd=repository,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("setup-megatron: ")
    assert done.stderr.count("\n") == 1
    if source.startswith("mcore"):
        assert "another project" in done.stderr


@pytest.mark.parametrize("source", ["nonesuch", "other"])
def test_setup_megatron_says_why_git_fails(repository: Path, tmp_path: Path, source: str) -> None:
    """In a copy of the checkout's script: it keeps its clone beside itself, below build/."""
    script = tmp_path / "scripts" / "setup_megatron.sh"
    script.parent.mkdir()
    shutil.copy(repository / "scripts" / "setup_megatron.sh", script)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to("/bin/false")
    subprocess.run(["git", "init", "--quiet", "other"], cwd=tmp_path, check=True)
    who = ["-c", "user.name=owl", "-c", "user.email=owl@example.org", "-c", "commit.gpgsign=no"]
    commit = ["git", *who, "commit", "--quiet", "--allow-empty", "--message", "first"]
    subprocess.run(commit, cwd=tmp_path / "other", check=True)
    url = (tmp_path / source).as_uri()
    done = subprocess.run(
        [script, url, ".venv"], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 1
    assert done.stderr.startswith("setup-megatron: ") and done.stderr.count("\n") == 1
    said = {"nonesuch": f"git cannot clone {url} (fatal: ", "other": f"{url} does not give commit"}
    assert said[source] in done.stderr


# In the place of an environment's Python: what the script asks of it, and a pip whose compiler
# takes no more than one file while there is a file `stopped`. The real one would put the commit of
# the checkout around it into the version.
PYTHON = """#!/bin/bash
name=$(sed -n 's/^transformer-engine-torch==/transformer_engine_torch-/p' requirements/*-nodeps.txt)
case "$*" in
    *torch.version.cuda*) echo 13.0 ;;
    *purelib*) echo "$PWD" ;;
    *' download '*)
        mkdir -p $name/csrc && touch -d 2020-01-01 $name/csrc/{one,two,three}.cpp
        tar -czf "${*: -2:1}/$name.tar.gz" $name ;;
    *' wheel '*)
        [ "$NVTE_NO_LOCAL_VERSION" = 1 ] || exit 1
        for source in "${@: -1}"/csrc/*.cpp; do
            [ ! -f "${source%.cpp}.o" ] || [ "$source" -nt "${source%.cpp}.o" ] || continue
            basename "$source" | tee -a compiled && touch "${source%.cpp}.o"
            [ ! -f stopped ] || exit 1
        done ;;
esac
"""


def test_setup_megatron_that_was_stopped_compiles_what_is_left(
    repository: Path, tmp_path: Path
) -> None:
    for name in ("scripts", "requirements"):
        shutil.copytree(repository / name, tmp_path / name)
    trainer = "ROLL/mcore_adapter/src/mcore_adapter/trainer/trainer.py"
    for path in (".venv-train/bin/python", trainer):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text(PYTHON)
        (tmp_path / path).chmod(0o755)
    (tmp_path / "nvidia" / "cu13").mkdir(parents=True)
    (tmp_path / "g++").symlink_to("/bin/true")
    (tmp_path / "stopped").touch()

    def run() -> subprocess.CompletedProcess[str]:
        settings = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "MAX_JOBS": "1"}
        command = [tmp_path / "scripts" / "setup_megatron.sh", "ROLL", ".venv-train"]
        return subprocess.run(
            command, env=os.environ | settings, cwd=tmp_path, capture_output=True, text=True
        )

    first = run()
    assert (first.returncode, "could not be built" in first.stderr) == (1, True), first
    assert ": 3 files, about " in first.stdout and " 1 at a time" in first.stdout
    (tmp_path / "stopped").unlink()
    second = run()
    assert second.returncode == 0, second.stderr
    assert ": 2 files, about " in second.stdout
    assert (tmp_path / "compiled").read_text().split() == ["one.cpp", "three.cpp", "two.cpp"]
    assert not list((tmp_path / "build").iterdir())


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("launch", [{}, {"backend": "deepspeed", "processes": 2}])
def test_killed_training_ends_with_the_loss_of_the_unbroken_one(
    tiny: Any, recipe: Any, run_stage: Any, start_stage: Any, tmp_path: Path, launch: Any
) -> None:
    keys = {"save_strategy": "steps", "save_steps": 3, "disable_shuffling": False}
    if launch:
        keys |= {"deepspeed": "configs/deepspeed/zero2.json", "per_device_train_batch_size": 2}
    config = recipe(launch=launch, **keys)
    whole = run_stage(tmp_path / "whole", config, tiny.inputs)
    cut = tmp_path / "cut"
    process = start_stage(cut, config, tiny.inputs)
    deadline = time.monotonic() + PATIENCE
    while not complete_checkpoints(cut):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not (cut / "model.safetensors").exists()
    resumed = run_stage(cut, config, tiny.inputs)
    assert "going on from checkpoint-" in resumed.text
    assert resumed.details["steps"] == 12
    assert resumed.losses[-1] == pytest.approx(whole.losses[-1], abs=1e-4)
    ours, theirs = resumed.weights(), whole.weights()
    assert max((ours[n] - theirs[n]).abs().max().item() for n in theirs) < 1e-4


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_cutoff_that_cuts_is_told_with_its_share(
    tiny: Any, recipe: Any, run_stage: Any, tmp_path: Path
) -> None:
    trained = run_stage(tmp_path, recipe(max_steps=1, cutoff_len=64), tiny.inputs)
    notes = (tmp_path / "notes.txt").read_text(encoding="utf-8")
    assert notes.startswith("warning: cutoff_len 64 cuts the end of the prompt")
    assert notes in trained.text


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_processes_that_cannot_meet_are_one_line(
    tiny: Any, recipe: Any, failing_stage: Any, tmp_path: Path
) -> None:
    """A port that another program holds, as torchrun finds it on a real machine."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nodes = {"NNODES": "2", "NODE_RANK": "0", "MASTER_ADDR": "127.0.0.1"}
        line = failing_stage(
            tmp_path,
            recipe(
                launch={"backend": "deepspeed", "processes": 1},
                deepspeed="configs/deepspeed/zero2.json",
            ),
            tiny.inputs,
            MASTER_PORT=str(taken.getsockname()[1]),
            **nodes,
        )
    assert "MASTER_PORT" in line


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_gloo_that_cannot_start_is_one_line(
    tiny: Any, recipe: Any, failing_stage: Any, tmp_path: Path
) -> None:
    line = failing_stage(
        tmp_path,
        recipe(
            launch={"backend": "deepspeed", "processes": 2},
            deepspeed="configs/deepspeed/zero2.json",
        ),
        tiny.inputs,
        GLOO_SOCKET_IFNAME="nonesuch0",
    )
    assert "could not reach each other" in line and "GLOO_SOCKET_IFNAME" in line


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_disk_that_fills_up_in_training_is_one_line_and_the_run_goes_on(
    tiny: Any, recipe: Any, tmp_path: Path, repository: Path
) -> None:
    """A file system of its own, which another program fills once there is a checkpoint."""
    alone = ["unshare", *(["--map-root-user"] if os.geteuid() else []), "--mount"]
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = [*alone, "mount", "-t", "tmpfs", "none", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this machine lets no process mount a file system of its own (unshare)")
    config = recipe(
        max_steps=40, save_strategy="steps", save_steps=4, save_total_limit=1, learning_rate=1e-4
    )
    del config["template"]
    (tmp_path / "small.yaml").write_text(json.dumps(config))
    profile = {
        "name": "disk",
        "title": "Disk",
        "model": {
            "name": "tiny",
            "path_or_hub_id": str(tiny.model),
            "template": "qwen3_nothink",
        },
        "dataset": "sample",
        "data": {"schema_style": "ddl", "samples": 0, "system": "short", "schema_budget": 160},
        "infer": "smollm2-135m_greedy_cpu",
        "rows": [{"name": "full", "label": "Full", "recipe": str(tmp_path / "small.yaml")}],
    }
    (tmp_path / "disk.yaml").write_text(json.dumps(profile))
    start = [sys.executable, "-c", "from text2sql.cli import main; main()", "stage", "train-full"]
    options = ["--profile", str(tmp_path / "disk.yaml"), "--limit", "64"]
    program = repository / "tests" / "train" / "programs" / "full_disk.py"
    path = os.pathsep.join([str(repository / "src"), str(repository / "test-suite-sql-eval")])
    done = subprocess.run(
        [*alone, sys.executable, str(program), str(disk), "96", *start, *options],
        env=os.environ | {"PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    first, second = json.loads(done.stdout)
    assert first["status"] == 2 and first["checkpoints"], first
    complaint = first["error"].strip().splitlines()[-1]
    assert "is full" in complaint and "run the same command again" in complaint
    assert "Traceback" not in first["error"]
    assert second["status"] == 0, second
    assert f"going on from checkpoint-{first['checkpoints'][-1]}" in second["log"]


def test_deepspeed_on_cpus_compiles_nothing(repository: Path, tmp_path: Path) -> None:
    """So it wants no compiler, and no lock that a killed build left holds it up."""
    program = "from text2sql.train.entry import start_deepspeed_on_cpus as start; start()"
    path = os.pathsep.join([str(repository / "src"), str(repository / "test-suite-sql-eval")])
    alone = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1"}
    places = {"PYTHONPATH": path, "TORCH_EXTENSIONS_DIR": str(tmp_path), "MASTER_PORT": "0"}
    done = subprocess.run(
        [sys.executable, "-c", f"{program}; import torch; torch.distributed.barrier()"],
        env=os.environ | alone | places | {"CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("there", "taken"), [("2.11.0", True), ("2.9", True), ("2.12.0", False)])
def test_versions_of_transformer_engine(
    there: str, taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from text2sql.train import megatron_setup

    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    monkeypatch.setattr(megatron_setup, "version", lambda name: there)
    if taken:
        megatron_setup.require_transformer_engine({})
        return
    with pytest.raises(UserError, match=f"Transformer Engine {there} is installed"):
        megatron_setup.require_transformer_engine({})


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"nosuchkey": 1}, "LLaMA-Factory has no key 'nosuchkey'"),
        ({"learning_rate": "abc"}, "does not take learning_rate: invalid float value: 'abc'"),
        ({"num_train_epochs": "many"}, "does not take num_train_epochs"),
        ({"bf16": "perhaps"}, "does not take bf16"),
        ({"lr_scheduler_type": "sideways"}, "does not take lr_scheduler_type"),
    ],
)
def test_llamafactorys_own_parser_decides(keys: dict[str, Any], words: str) -> None:
    recipe = load_recipe("smollm2-135m_lora_cpu", keys)
    with pytest.raises(UserError, match="recipe 'mine': LLaMA-Factory") as refused:
        check_keys(recipe, "mine")
    assert words in str(refused.value)


@pytest.mark.parametrize(("size", "saved"), [(32, False), (64, False), (128, True)])
def test_megatron_is_refused_where_it_could_not_save(
    tmp_path: Path, size: int, saved: bool
) -> None:
    weights = {"model.layers.0.self_attn.q_norm.weight": np.zeros(size, np.float32)}
    save_file(weights, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text("{}")
    recipe = load_recipe("qwen3-1.7b_full-megatron-tp2_4gpu")
    check_saving(recipe.changed({"use_distributed_optimizer": False}), tmp_path)
    if saved:
        check_saving(recipe, tmp_path)
        return
    with pytest.raises(UserError, match="SET=use_distributed_optimizer=false"):
        check_saving(recipe, tmp_path)
