"""The doctor on faked machines: each thing that ended a first try after hours is found before."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from text2sql import hardware
from text2sql.errors import UserError
from text2sql.files import GIB
from text2sql.pipeline import doctor, doctor_files, probe
from text2sql.pipeline.command import select_run
from text2sql.pipeline.doctor import Check, describe, examine, require_ready, waiting
from text2sql.stage import Graph

ROOT = Path(__file__).resolve().parents[2]
GOOD = {"modules": {}, "cuda": "", "compiler": "", "megatron": "", "transformer_engine": ""}
CARD = "NVIDIA GeForce RTX 4090, 24564"
Machine = Callable[..., None]


@pytest.fixture
def machine(
    tmp_path: Path, build_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Machine]:
    """Make this machine look like another: cards, driver, environments, hub, disk, memory."""
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for name in ("configs", "data", "src"):
        (checkout / name).symlink_to(ROOT / name)
    monkeypatch.setenv("TEXT2SQL_ROOT", str(checkout))
    monkeypatch.setenv("SPIDER_DIR", str(tmp_path / "spider"))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def make(
        cards: tuple[str, ...] = (CARD,) * 4,
        driver: str = "580.95.05",
        smi: bool = True,
        environments: dict[str, dict[str, Any]] | None = None,
        hub: bool = True,
        data: bool = True,
        free_gib: float = 500,
        memory_gib: float = 128,
    ) -> None:
        answers = {"train": {}, "vllm": {}} if environments is None else environments
        for name, answer in answers.items():
            python = checkout / f".venv-{name}" / "bin" / "python"
            python.parent.mkdir(parents=True)
            text = probe.MARK + json.dumps(GOOD | answer)
            python.write_text(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\n")
            python.chmod(0o755)
        programs = tmp_path / "bin"
        programs.mkdir()
        if smi:
            lines = "\\n".join(cards)
            (programs / "nvidia-smi").write_text(
                "#!/bin/sh\ncase $1 in\n"
                f"*driver_version*) echo '{driver}' ;;\n"
                f"*) printf '{lines}\\n' ;;\nesac\n"
                if driver
                else "#!/bin/sh\necho 'NVIDIA-SMI has failed because it could not talk'; exit 9\n"
            )
            (programs / "nvidia-smi").chmod(0o755)
        monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
        if data:
            for name in ("spider/dev.json", "spider/tables.json", "spider/database/x"):
                path = tmp_path / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("[]")
            (checkout / "build/test-suites/spider-dev_seed0").mkdir(parents=True)
            parquet = build_folder / "data" / "downloads" / "text2sql_dataset.parquet"
            parquet.parent.mkdir(parents=True)
            parquet.write_text("x")
        answer = {"model_type": "qwen3"} if hub else None
        monkeypatch.setattr(doctor_files, "hub_config", lambda *_: answer)
        monkeypatch.setattr(doctor_files, "cached_on_disk", lambda *_: False)
        usage = type("Usage", (), {"free": int(free_gib * GIB)})
        monkeypatch.setattr(doctor_files.shutil, "disk_usage", lambda _: usage)
        monkeypatch.setattr(hardware, "memory_gb", lambda: memory_gib)
        hardware.visible_gpus.cache_clear()
        hardware.driver.cache_clear()

    yield make
    hardware.visible_gpus.cache_clear()
    hardware.driver.cache_clear()


def checks(profile: str = "qwen3-1.7b", **options: Any) -> list[Check]:
    graph = select_run(profile, **options)
    return examine(graph, waiting(graph.select(["figures"])))


def failures(profile: str = "qwen3-1.7b", **options: Any) -> dict[str, Check]:
    return {check.what: check for check in checks(profile, **options) if check.failed}


def ready(graph: Graph) -> None:
    require_ready(graph, graph.select(["figures"]))


def test_a_machine_that_has_all(machine: Machine) -> None:
    machine()
    seen = {check.what: check for check in checks()}
    assert not [check for check in seen.values() if check.failed]
    assert seen["GPUs"].state == ", ".join(["NVIDIA GeForce RTX 4090 24.0 GiB"] * 4)
    assert seen["NVIDIA driver"].state == "580.95.05"
    assert "vllm" in seen["environment .venv-vllm"].state
    assert seen["Transformer Engine in .venv-train"].state == "there"
    ready(select_run("qwen3-1.7b"))


# What the machine lacks, the check that says so, what it says, and the command that mends it.
LACKS: dict[str, tuple[dict[str, Any], str, str, str]] = {
    "no compiler for vLLM": (
        {"environments": {"train": {}, "vllm": {"compiler": "gcc, Python.h"}}},
        "compiler for .venv-vllm",
        "Triton finds no gcc, Python.h",
        "apt-get install -y gcc python3-dev",
    ),
    "no Transformer Engine": (
        {"environments": {"train": {"transformer_engine": "Megatron needs it"}, "vllm": {}}},
        "Transformer Engine in .venv-train",
        "Megatron needs it",
        "make setup-megatron",
    ),
    "no mcore_adapter": (
        {"environments": {"train": {"megatron": "this recipe needs ROLL's"}, "vllm": {}}},
        "mcore_adapter in .venv-train",
        "ROLL's",
        "make setup-megatron",
    ),
    "no vLLM environment": (
        {"environments": {"train": {}}},
        "environment .venv-vllm",
        "not there, for",
        "make setup-gpu",
    ),
    "vLLM does not load": (
        {"environments": {"train": {}, "vllm": {"modules": {"vllm": "ImportError: libcuda"}}}},
        "vllm in .venv-vllm",
        "ImportError: libcuda",
        "make setup-gpu",
    ),
    "driver too old for torch": (
        {"environments": {"train": {"cuda": "RuntimeError: driver is too old"}, "vllm": {}}},
        "CUDA in .venv-train",
        "too old",
        "nvidia-driver-580",
    ),
    "driver not loaded": ({"driver": ""}, "NVIDIA driver", "nvidia-smi fails", "nvidia-driver"),
    "no driver": ({"smi": False}, "NVIDIA driver", "not there", "nvidia-driver-580"),
    "no data": (
        {"data": False},
        "data set",
        "text2sql_dataset.parquet: not found",
        "make download",
    ),
    "hub unreachable": ({"hub": False}, "base model", "the hub does not give it", "HF_ENDPOINT"),
    "no embedder": ({"hub": False}, "embedding model", "Qwen3-Embedding-0.6B", "HF_ENDPOINT"),
    "no reranker": ({"hub": False}, "reranker", "Qwen3-Reranker-0.6B", "rerank.model"),
    "disk full": ({"free_gib": 10}, "disk of ", "10 GiB free", "TEXT2SQL_BUILD"),
    "little memory": ({"memory_gib": 8}, "memory", "8 GiB, about", "more memory"),
    "no cards": ({"cards": ()}, "GPUs", "needs 4 CUDA GPUs", "make plan"),
    "small cards": ({"cards": ("Tesla T4, 15360",) * 4}, "GPUs", "Tesla T4 15 GB", "make plan"),
}


@pytest.mark.parametrize("lacking", LACKS)
def test_what_is_missing_is_named_with_what_mends_it(machine: Machine, lacking: str) -> None:
    options, what, state, fix = LACKS[lacking]
    machine(**options)
    failed = failures()
    (check,) = [check for name, check in failed.items() if name.startswith(what)]
    assert state in check.state
    assert fix in check.fix
    shown = describe(list(failed.values()))
    assert shown.count("FAILS") == len(failed)
    with pytest.raises(UserError) as caught:
        ready(select_run("qwen3-1.7b"))
    assert "\n" not in str(caught.value)
    assert "make doctor PROFILE=qwen3-1.7b" in str(caught.value) or "CUDA GPUs" in str(caught.value)


def test_nothing_starts_while_the_last_stage_cannot_run(machine: Machine) -> None:
    """Trainings could run here, but the answers could not be asked for afterwards."""
    machine(environments={"train": {}})
    with pytest.raises(UserError, match=r"nothing was started: environment \.venv-vllm: not there"):
        ready(select_run("qwen3-1.7b"))


def test_a_training_alone_asks_for_no_environment_of_vllm(machine: Machine) -> None:
    machine(environments={"train": {}})
    graph = select_run("qwen3-1.7b")
    require_ready(graph, graph.select(["train:qwen3-1.7b_lora-r32_4gpu"]))


def test_data_and_model_need_no_gpu(machine: Machine) -> None:
    machine(cards=(), smi=False, environments={})
    graph = select_run("qwen3-1.7b")
    require_ready(graph, graph.select(["data", "model"]))


@pytest.mark.parametrize("card", ["NVIDIA A10G, 23028", "NVIDIA L4, 23034", CARD])
def test_cards_that_report_a_little_less_than_they_are_sold_with(
    machine: Machine, card: str
) -> None:
    machine(cards=(card,) * 4)
    assert "GPUs" not in failures()


def test_swanlab_is_asked_for_before_a_7b_model_is_downloaded(machine: Machine) -> None:
    machine(
        environments={"train": {"modules": {"swanlab": "ModuleNotFoundError"}}, "vllm": {}},
        cards=(CARD,),
    )
    check = failures("xiyansql-qwencoder-7b", dataset="sample")["swanlab in .venv-train"]
    assert ".venv-train/bin/python -m pip install swanlab" in check.fix


def test_a_training_that_does_not_fit_the_cards(machine: Machine, tmp_path: Path) -> None:
    machine()
    recipe = yaml.safe_load((ROOT / "configs/train/qwen3-1.7b_full-zero2_4gpu.yaml").read_text())
    recipe["llamafactory"] |= {"optim": "adamw_torch"}
    recipe["launch"]["processes"] = 1
    recipe.pop("effective_batch", None)
    path = tmp_path / "large.yaml"
    path.write_text(yaml.safe_dump(recipe))
    check = failures(recipe=str(path))["GPU memory for large"]
    assert "rtx-4090 has 24 GiB" in check.state
    assert 'SET="' in check.fix


def test_a_port_that_is_taken(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine()
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for name, value in (("NNODES", "2"), ("NODE_RANK", "0"), ("MASTER_ADDR", "127.0.0.1")):
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("MASTER_PORT", port)
        check = failures()[f"port {port}"]
    assert "MASTER_PORT" in check.fix


def test_nodes_that_are_named_wrongly(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine()
    monkeypatch.setenv("NNODES", "2")
    graph = select_run("smollm2-135m")
    failed = {c.what: c for c in examine(graph, graph.select(["figures"])) if c.failed}
    assert "needs NODE_RANK" in failed["nodes"].fix


def test_an_environment_that_does_not_answer(machine: Machine, tmp_path: Path) -> None:
    machine(environments={"vllm": {}})
    python = tmp_path / "checkout/.venv-train/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\necho 'No module named text2sql' >&2; exit 1\n")
    python.chmod(0o755)
    assert "No module named text2sql" in failures()["environment .venv-train"].state


def test_what_is_up_to_date_asks_for_nothing(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(cards=(), smi=False, environments={}, hub=False, data=False)
    monkeypatch.setattr(doctor, "is_current", lambda _: True)
    ready(select_run("qwen3-1.7b"))


def test_a_profile_without_gpus_asks_for_none(machine: Machine) -> None:
    machine(cards=(), smi=False, environments={}, hub=False, data=False)
    seen = checks("smollm2-135m")
    assert not [check.what for check in seen if check.failed]
    assert not [check for check in seen if "GPU" in check.what or "CUDA" in check.what]


# The probe itself, which an environment's interpreter runs.

REQUEST = {"modules": [], "cuda": False, "compiler": False, "megatron": False}
REQUEST |= {"transformer_engine": False}


def test_a_module_that_fails_while_it_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "half_installed.py").write_text("raise OSError('libcudart.so.13: no such file')")
    monkeypatch.syspath_prepend(str(tmp_path))
    modules = ["json", "half_installed", "not_there_at_all"]
    answer = probe.examine(REQUEST | {"modules": modules})
    assert answer["modules"]["half_installed"] == "OSError: libcudart.so.13: no such file"
    assert "No module named 'not_there_at_all'" in answer["modules"]["not_there_at_all"]
    assert "json" not in answer["modules"]


def test_a_hidden_toolkit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(probe.sysconfig, "get_paths", lambda: {"include": str(tmp_path)})
    assert probe.examine(REQUEST | {"compiler": True})["compiler"] == "gcc, Python.h"
    (tmp_path / "gcc").write_text("#!/bin/sh\n")
    (tmp_path / "gcc").chmod(0o755)
    (tmp_path / "Python.h").touch()
    assert probe.examine(REQUEST | {"compiler": True})["compiler"] == ""


def test_torch_without_a_gpu_says_why() -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    assert probe.examine(REQUEST | {"cuda": True})["cuda"]


def test_the_probe_answers_as_a_program() -> None:
    answer = doctor.probe(Path(sys.executable), REQUEST | {"modules": ["json", "no_such_module"]})
    assert list(answer["modules"]) == ["no_such_module"]
