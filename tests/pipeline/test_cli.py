"""The command line: every target answers, and a user's mistake is one line and status 2."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from text2sql.cli.options import DEFAULT_PROFILE
from text2sql.pipeline.registry import commands


def text2sql(repository: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(repository / "src"), str(repository / "test-suite-sql-eval")])
    return subprocess.run(
        [sys.executable, "-c", "from text2sql.cli import main; main()", *arguments],
        env=os.environ | {"PYTHONPATH": path} | env,
        capture_output=True,
        text=True,
        check=False,
    )


def targets(repository: Path) -> dict[str, str]:
    text = (repository / "Makefile").read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9-]+):[^#\n]*## (.+)$", text, re.MULTILINE)) | stages()


def stages() -> dict[str, str]:
    return {
        name: next(kind.help for kind in kinds if kind.name == name)
        for name, kinds in commands().items()
    }


def test_makefile_has_a_documented_target_for_every_command(repository: Path) -> None:
    documented = targets(repository)
    promised = "setup test check data decontaminate train-lora train-qlora train-full mg2hf hf2mg"
    promised += " merge quantize knowledge-base retrieve infer eval table figures create-data serve"
    promised += " reproduce plan clean test-all test-elsewhere"
    assert set(promised.split()) <= documented.keys()


def test_make_help_lists_every_target_and_stage(repository: Path) -> None:
    shown = subprocess.run(
        ["make", "help"], cwd=repository, capture_output=True, text=True, check=True
    ).stdout
    for name, text in targets(repository).items():
        assert re.search(rf"^  {name} +{re.escape(text)}$", shown, re.MULTILINE), name


def test_every_stage_is_a_target_and_a_command(repository: Path) -> None:
    for name in stages():
        shown = subprocess.run(
            ["make", "--dry-run", name], cwd=repository, capture_output=True, text=True, check=True
        ).stdout
        assert f"{name} --profile {DEFAULT_PROFILE}" in shown
    assert text2sql(repository, "stage", "--help").stdout.count("\n  ") >= len(stages())


@pytest.mark.parametrize("module", ["text2sql", "text2sql.cli"])
def test_the_package_runs_as_a_module(repository: Path, module: str) -> None:
    path = os.pathsep.join([str(repository / "src"), str(repository / "test-suite-sql-eval")])
    command = [sys.executable, "-m", module, "--help"]
    env = os.environ | {"PYTHONPATH": path}
    shown = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout
    assert "reproduce" in shown


LAUNCHERS = {
    "train_lora": "stage train-lora",
    "train_qlora": "stage train-qlora",
    "train_full": "stage train-full",
    "mg2hf": "stage mg2hf",
    "hf2mg": "stage hf2mg",
    "merge_lora": "stage merge",
    "quantize": "quantize",
    "infer_vllm": "stage infer",
}


@pytest.mark.parametrize("name", LAUNCHERS)
def test_launchers_start_commands_that_are_there(repository: Path, name: str) -> None:
    script = (repository / "scripts" / f"{name}.sh").read_text(encoding="utf-8")
    assert f'.venv/bin/text2sql" {LAUNCHERS[name]} ' in script
    result = text2sql(repository, *LAUNCHERS[name].split(), "--help")
    assert result.returncode == 0, result.stderr


def test_gpu_profile_without_gpus_is_one_line(repository: Path) -> None:
    result = text2sql(repository, "reproduce", "--profile", "qwen3-1.7b", CUDA_VISIBLE_DEVICES="")
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert "needs 4 CUDA GPUs of at least 24 GB each, this machine shows none" in result.stderr


def test_gpu_profile_can_be_planned_without_gpus(repository: Path) -> None:
    result = text2sql(repository, "plan", "--profile", "qwen3-1.7b")
    assert result.returncode == 0, result.stderr
    for row in (
        "baseline",
        "rag_embedding",
        "rag_embedding_rerank",
        "lora_r32",
        "lora_r128",
        "full",
    ):
        assert f"infer:{row} " in result.stdout
    launcher = "USE_MCA=1 torchrun --standalone --nproc_per_node=4 -m text2sql.train.megatron_entry"
    assert launcher in result.stdout


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("reproduce", "--profile", "nonesuch"), "no such config file"),
        (("stage", "data", "--dataset", "nonesuch"), "no such config file"),
        (("stage", "train-lora", "--recipe", "nonesuch"), "no such config file"),
        (
            (
                "stage",
                "train-qlora",
            ),
            "no stage 'train-qlora' in this profile",
        ),
        (("stage", "eval", "--row", "nonesuch"), "no stage 'eval:nonesuch' in this profile"),
        (("stage", "table", "--row", "lora"), "--row goes with infer and eval"),
    ],
)
def test_mistakes_are_one_line(
    repository: Path, build_folder: Path, arguments: tuple[str, ...], expected: str
) -> None:
    result = text2sql(repository, *arguments, TEXT2SQL_BUILD=str(build_folder))
    assert result.returncode == 2
    assert expected in result.stderr
    assert result.stderr.count("\n") == 1


def test_data_stage_runs_once_and_again_when_asked_for_less(
    repository: Path, build_folder: Path
) -> None:
    first = text2sql(repository, "stage", "data", TEXT2SQL_BUILD=str(build_folder))
    assert first.returncode == 0, first.stderr
    output = build_folder / "runs" / DEFAULT_PROFILE / "sample" / "data"
    assert (output / "manifest.json").is_file()
    assert not list(output.parent.glob("*.partial"))
    again = text2sql(repository, "stage", "data", TEXT2SQL_BUILD=str(build_folder))
    assert again.stderr == "data: up to date\n"
    less = text2sql(repository, "stage", "data", "--limit", "5", TEXT2SQL_BUILD=str(build_folder))
    assert less.returncode == 0, less.stderr
    questions = output.parents[1] / "sample-limit5" / "data" / "questions.jsonl"
    assert len(questions.read_text(encoding="utf-8").splitlines()) == 5


@pytest.mark.parametrize("script", sorted(Path(__file__).parents[2].glob("scripts/*.sh")))
def test_scripts_are_executable_and_parse(script: Path) -> None:
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", str(script)], check=True)


def test_version_and_help_do_not_import_torch(repository: Path) -> None:
    code = "import sys; from text2sql.cli import cli\n"
    code += "try: cli(['--help'])\nexcept SystemExit: pass\n"
    code += "assert 'torch' not in sys.modules and 'sqlglot' not in sys.modules"
    path = os.pathsep.join([str(repository / "src"), str(repository / "test-suite-sql-eval")])
    env = os.environ | {"PYTHONPATH": path}
    subprocess.run([sys.executable, "-c", code], env=env, check=True, capture_output=True)
