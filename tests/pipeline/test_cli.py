"""The command line: every target answers, and a user's mistake is one line and status 2."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from text2sql.cli import STAGE_COMMANDS


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
    return dict(re.findall(r"^([a-z0-9-]+):[^#\n]*## (.+)$", text, re.MULTILINE))


def test_makefile_has_a_documented_target_for_every_command(repository: Path) -> None:
    documented = targets(repository)
    promised = "setup test check data decontaminate train-lora train-qlora train-full mg2hf hf2mg"
    promised += " merge quantize knowledge-base retrieve infer eval table figures create-data serve"
    promised += " reproduce plan clean"
    assert set(promised.split()) <= documented.keys()
    assert STAGE_COMMANDS.keys() <= documented.keys()


def test_make_help_lists_every_target(repository: Path) -> None:
    shown = subprocess.run(
        ["make", "help"], cwd=repository, capture_output=True, text=True, check=True
    ).stdout
    for name in targets(repository):
        assert re.search(rf"^  {name}\s", shown, re.MULTILINE), name


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
    assert "USE_MCA=1 torchrun --standalone --nproc_per_node=4 -m text2sql.train.entry" in (
        result.stdout
    )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("reproduce", "--profile", "nonesuch"), "no such config file"),
        (("data", "--dataset", "nonesuch"), "no such config file"),
        (("train-lora", "--recipe", "nonesuch"), "no such config file"),
        (("train-qlora",), "no stage 'train-qlora' in this profile"),
        (("eval", "--row", "nonesuch"), "no stage 'eval:nonesuch' in this profile"),
        (("table", "--row", "lora"), "--row goes with infer and eval"),
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
    first = text2sql(repository, "data", TEXT2SQL_BUILD=str(build_folder))
    assert first.returncode == 0, first.stderr
    output = build_folder / "runs" / "smollm2-135m" / "sample" / "data"
    assert (output / "manifest.json").is_file()
    assert not list(output.parent.glob("*.partial"))
    again = text2sql(repository, "data", TEXT2SQL_BUILD=str(build_folder))
    assert again.stderr == "data: up to date\n"
    less = text2sql(repository, "data", "--limit", "5", TEXT2SQL_BUILD=str(build_folder))
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
