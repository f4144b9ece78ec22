"""`reproduce` on two machines: two network namespaces, joined by a wire, that share a disk."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from text2sql.train.stage import complete_checkpoints

ROOT = Path(__file__).resolve().parents[2]
SERVER = "10.177.31.1"
PORT = "29517"
HOUR = 3600.0  # what hangs takes longer; two times two processes load torch
pytestmark = [pytest.mark.slow, pytest.mark.timeout(2 * HOUR)]


@pytest.fixture
def hosts() -> Iterator[list[str]]:
    """Names of two network namespaces, each with its own loopback and one end of a wire."""
    if os.geteuid() != 0 or shutil.which("ip", path=f"{os.environ['PATH']}:/usr/sbin") is None:
        pytest.skip("network namespaces want root and iproute2 (apt-get install iproute2)")
    names = [f"t2s-{os.getpid()}-{number}" for number in (0, 1)]
    ends = [f"t2s{os.getpid() % 10**6}-{number}" for number in (0, 1)]
    try:
        for name in names:
            ip("netns", "add", name)
        ip("link", "add", ends[0], "type", "veth", "peer", "name", ends[1])
        for number, (name, end) in enumerate(zip(names, ends, strict=True)):
            ip("link", "set", end, "netns", name)
            ip("-n", name, "link", "set", end, "name", "wire")
            ip("-n", name, "address", "add", f"10.177.31.{number + 1}/24", "dev", "wire")
            ip("-n", name, "link", "set", "wire", "up")
            ip("-n", name, "link", "set", "lo", "up")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no network namespaces here: {error.stderr.strip()}")
    yield names
    for name in names:
        kill(name)
        ip("netns", "delete", name)


def ip(*arguments: str) -> str:
    path = f"{os.environ['PATH']}:/usr/sbin"
    command = [str(shutil.which("ip", path=path)), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def kill(host: str) -> None:
    """End every process of a host, as a power cut does."""
    for pid in ip("netns", "pids", host).split():
        try:
            os.kill(int(pid), signal.SIGKILL)
        except ProcessLookupError:
            continue


@pytest.fixture
def profile(tmp_path: Path, tiny: Any, recipe: Callable[..., dict[str, Any]]) -> Path:
    """A tiny model, LoRA by ZeRO-2 with a process on each host, asked some questions."""
    values = recipe(
        "lora",
        launch={"backend": "deepspeed", "processes": 1},
        deepspeed="configs/deepspeed/zero2.json",
        save_strategy="steps",
        save_steps=3,
        use_cpu=True,
    )
    del values["template"]
    files = {
        "spread.yaml": values,
        "infer.yaml": {
            "engine": "transformers",
            "dtype": "float32",
            "max_new_tokens": 8,
            "max_model_len": 2048,
        },
        "two-nodes.yaml": {
            "model": {
                "name": f"two-nodes-{os.getpid()}",
                "path_or_hub_id": str(tiny.model),
                "template": "qwen3_nothink",
            },
            "dataset": "sample",
            "data": {"schema_budget": 160, "system": "short"},
            "infer": str(tmp_path / "infer.yaml"),
            "rows": [{"name": "lora", "label": "LoRA", "recipe": str(tmp_path / "spread.yaml")}],
        },
    }
    for name, content in files.items():
        (tmp_path / name).write_text(yaml.safe_dump(content))
    return tmp_path / "two-nodes.yaml"


def start(host: str, rank: int, profile: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start `reproduce` on a host, as a user would with the variables of the docs."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "test-suite-sql-eval")]),
        "HF_HUB_OFFLINE": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "TEXT2SQL_BUILD": str(profile.parent / "build"),
        "NNODES": "2",
        "NODE_RANK": str(rank),
        "MASTER_ADDR": SERVER,
        "MASTER_PORT": PORT,
        "GLOO_SOCKET_IFNAME": "wire",
    }
    program = [sys.executable, "-m", "text2sql", "stage", "table"]
    ip_path = str(shutil.which("ip", path=f"{os.environ['PATH']}:/usr/sbin"))
    with log.open("ab") as stream:
        return subprocess.Popen(
            [ip_path, "netns", "exec", host, *program, "--profile", str(profile), "--limit", "24"],
            env=environment,
            stdout=stream,
            stderr=stream,
            cwd=ROOT,
        )


def test_two_hosts_train_and_go_on_after_one_was_lost(
    hosts: list[str], profile: Path, tmp_path: Path
) -> None:
    run = tmp_path / "build" / "runs" / "two-nodes" / "sample-limit24"
    partial = run / "train" / "spread.partial"
    logs = [tmp_path / f"node{rank}.log" for rank in (0, 1)]

    def told() -> str:
        there = [log for log in (*logs, partial / "stage.log") if log.is_file()]
        return "\n".join(log.read_text(errors="replace")[-3000:] for log in there)

    nodes = [start(host, rank, profile, logs[rank]) for rank, host in enumerate(hosts)]
    deadline = time.monotonic() + HOUR
    while not complete_checkpoints(partial):
        assert all(node.poll() is None for node in nodes), told()
        assert time.monotonic() < deadline, told()
        time.sleep(0.02)
    kill(hosts[1])
    assert nodes[1].wait(HOUR) != 0
    # The other notices, and says so instead of waiting for ever.
    assert nodes[0].wait(HOUR) == 2, told()

    nodes = [start(host, rank, profile, logs[rank]) for rank, host in enumerate(hosts)]
    assert [node.wait(HOUR) for node in nodes] == [0, 0], told()
    assert "going on from checkpoint-" in (run / "train" / "spread" / "stage.log").read_text()
    assert "node 0 has the result" in logs[1].read_text()
    assert "LoRA" in (run / "table" / "table.md").read_text()
    manifest = json.loads((run / "train" / "spread" / "manifest.json").read_text())
    assert manifest["details"]["steps"] == 12
