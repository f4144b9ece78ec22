"""The lock files: exact, complete, free of hosts, and without the package that only looks right."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from text2sql.train.megatron_setup import ENGINE

ROOT = Path(__file__).resolve().parents[1]
REQUIREMENTS = ROOT / "requirements"
LOCKS = sorted(REQUIREMENTS.glob("*.txt"))
PIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[^\s+]+")


def lines(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    return [line.strip() for line in text.splitlines() if line.strip() and line[0] != "#"]


def normal(name: str) -> str:
    """A package's name in the form that PEP 503 compares."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned(path: Path) -> dict[str, str]:
    return {normal(name): version for name, version in (line.split("==") for line in lines(path))}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_every_line_is_an_exact_pin(lock: Path) -> None:
    assert lines(lock)
    assert [line for line in lines(lock) if not PIN.fullmatch(line)] == []
    assert len(pinned(lock)) == len(lines(lock))


@pytest.mark.parametrize("path", sorted(REQUIREMENTS.iterdir()), ids=lambda path: path.name)
def test_no_hosts_and_not_the_look_alike_package(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "://" not in text and "--index" not in text and "--extra" not in text
    assert "mcore-adapter" not in {normal(re.split("[=<>~ ;]", line)[0]) for line in lines(path)}


@pytest.mark.parametrize("source", sorted(REQUIREMENTS.glob("*.in")), ids=lambda path: path.stem)
def test_lock_holds_what_was_asked_for(source: Path) -> None:
    locked = pinned(source.with_suffix(".txt"))
    for line in lines(source):
        name, _, version = line.partition("==")
        name = name.split("[")[0]  # what an extra draws in is locked by itself
        assert normal(name) in locked, line
        if version:
            assert locked[normal(name)] == version


@pytest.mark.parametrize("name", ["cpu", "gpu-train", "gpu-vllm"])
def test_packages_that_ours_declare_are_locked(name: str) -> None:
    """And `pip check` has nothing to say of ours."""
    locked = pinned(REQUIREMENTS / f"{name}.txt")
    for path in (ROOT / "pyproject.toml", ROOT / "test-suite-sql-eval" / "pyproject.toml"):
        project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
        for line in project["dependencies"]:
            package = normal(re.split("[=<>~ ;]", line)[0])
            assert package in locked or package == "test-suite-sql-eval", package


def test_transformer_engine_goes_with_the_environment_it_is_added_to() -> None:
    """No second pin of a package, one version of its three, and one that Megatron takes."""
    train = pinned(REQUIREMENTS / "gpu-train.txt")
    added = pinned(REQUIREMENTS / "transformer-engine.txt")
    engine = pinned(REQUIREMENTS / "transformer-engine-nodeps.txt")
    assert added.keys() & train.keys() == set()
    assert set(engine) == {f"transformer-engine{part}" for part in ("", "-cu13", "-torch")}
    (version,) = set(engine.values())
    assert ENGINE[0] <= tuple(int(part) for part in version.split(".")[:2]) < ENGINE[1]


# Builds no wheel: that of an editable install is there already.
BACKEND = """
import shutil
def build_editable(folder, *_):
    return shutil.copy("{name}-1-py3-none-any.whl", folder).rpartition("/")[2]
"""
PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""


def write_wheel(folder: Path, name: str, version: str = "1") -> None:
    """A wheel without content."""
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        info = f"{name}-{version}.dist-info"
        said = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        wheel.writestr(f"{info}/METADATA", said)
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


def test_gpu_environments_take_no_torch_for_cpus(tmp_path: Path) -> None:
    """Though pip is set to where there is one, as docs/environment.md advises for CPUs."""
    checkout, wheels = tmp_path / "checkout", tmp_path / "wheels"
    for version in ("2.13.0", "2.13.0+cpu"):
        write_wheel(wheels, "torch", version)
    (checkout / "requirements").mkdir(parents=True)
    (checkout / "requirements/gpu-train.txt").write_text("torch==2.13.0\n", encoding="utf-8")
    for folder, name in ((checkout, "ours"), (checkout / "test-suite-sql-eval", "evaluator")):
        write_wheel(folder, name)
        (folder / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
        (folder / "backend.py").write_text(BACKEND.format(name=name), encoding="utf-8")
    (checkout / "scripts").mkdir()
    script = shutil.copy(ROOT / "scripts/setup.sh", checkout / "scripts")
    settings = {"PYTHON": sys.executable, "PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1"}
    done = subprocess.run(
        [script, "gpu-train"],
        env=os.environ | settings | {"PIP_FIND_LINKS": str(wheels)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Successfully installed torch-2.13.0\n" in done.stdout


# What the processes of stages and the doctor's probe import, whatever the stage.
LOADED = """
import json, sys
import text2sql.pipeline.probe, text2sql.pipeline.run_stage
from importlib.metadata import packages_distributions
from text2sql.pipeline.registry import stage_kinds
stage_kinds()
owners = packages_distributions()
tops = {name.partition(".")[0] for name in sys.modules}
print(json.dumps(sorted({owner for top in tops for owner in owners.get(top, ())})))
"""
OURS = {"text2sql", "test-suite-sql-eval"}


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    # sqlglot takes mypy's extensions where they are there, and does without.
    return {normal(name) for name in json.loads(done.stdout.splitlines()[-1])} - {"mypy-extensions"}


@pytest.mark.parametrize("name", ["gpu-train", "gpu-vllm", "grpo"])
def test_other_environments_hold_what_every_stage_imports(name: str, loaded: set[str]) -> None:
    locked = set(pinned(REQUIREMENTS / f"{name}.txt"))
    beside = REQUIREMENTS / f"{name}-nodeps.txt"
    locked |= set(pinned(beside)) if beside.is_file() else set()
    # LLaMA-Factory's prompt templates are read without importing it, wherever a profile is loaded.
    assert (loaded | {"llamafactory"}) - locked - OURS == set()
