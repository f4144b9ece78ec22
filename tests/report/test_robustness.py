"""A base set against its variants: pairs of questions, the table, and whose models answer."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from text2sql.cli import cli
from text2sql.cli import results as commands
from text2sql.errors import UserError
from text2sql.files import read_json, write_jsonl, write_text
from text2sql.pipeline.registry import build_graph
from text2sql.question import Question, write_questions
from text2sql.report.robustness import JudgedSet, pair_questions, robustness, robustness_table
from text2sql.run import Run, load_run

SPIDER_LIKE = {
    "train": ["data/sample/train.json"],
    "evaluation": "data/sample/dev.json",
    "database": "data/sample/database",
    "database_form": "sql",
}


def question(db_id: str, text: str, gold: str) -> Question:
    return Question(0, db_id, text, gold, [])


BASE = [
    question("zoo", "How many animals are there?", "SELECT count(*) FROM animal"),
    question("zoo", "What is the number of animals?", "SELECT count(*) FROM animal"),
    question("zoo", "Name the keepers of lions.", "SELECT name FROM keeper WHERE of = 'lion'"),
    question("farm", "How many animals are there?", "SELECT count(*) FROM animal"),
]
VARIANT = [
    question("zoo", "How many creatures are there?", "select count(*)  FROM animal"),
    question("zoo", "What is the number of creatures?", "SELECT count(*) FROM animal"),
    question("new_zoo", "Name the keepers of big cats.", "SELECT name FROM keeper WHERE cat"),
    question("moon", "How many animals are there?", "SELECT count(*) FROM animal"),
    question("zoo", "Which cage is locked?", "SELECT id FROM cage WHERE locked"),
]


def test_questions_are_paired_on_their_database() -> None:
    assert pair_questions(BASE, VARIANT) == {0: 0, 1: 1, 2: 2}
    assert pair_questions(BASE, BASE) == {0: 0, 1: 1, 2: 2, 3: 3}
    assert pair_questions(BASE, []) == {}


def test_the_table_compares_the_pairs_alone() -> None:
    base = JudgedSet("base", BASE, {"lora": [1, 1, 1, 0]})
    variant = JudgedSet("variant", VARIANT, {"lora": [1, 0, 0, 1, 1]})
    result = robustness(base, [variant], {"lora": "LoRA"})
    row = result["sets"][0]["rows"]["lora"]
    assert (row["accuracy"], row["base_on_pairs"], row["lost"], row["won"]) == (0.6, 1.0, 2, 0)
    assert row["p"] == 0.5
    text = robustness_table(result)
    (line,) = [line for line in text.splitlines() if "| variant" in line]
    cells = [cell.strip() for cell in line.split("|")[1:-1]]
    assert cells[:5] == ["LoRA", "variant", "5", "60.0 ± 21.9", "3"]
    assert cells[5:] == ["100.0", "33.3", "-66.7", "0.500"]
    assert "variant: 2 of its questions have no partner in base" in text


@pytest.fixture
def variant(tmp_path: Path, build_folder: Path) -> str:
    """The config of a data set that varies another's questions."""
    write_text(tmp_path / "base.yaml", yaml.safe_dump(SPIDER_LIKE))
    values = SPIDER_LIKE | {"models_of": str(tmp_path / "base.yaml")}
    write_text(tmp_path / "variant.yaml", yaml.safe_dump(values))
    return str(tmp_path / "variant.yaml")


def test_models_come_from_the_base_set(variant: str, tmp_path: Path) -> None:
    graph = build_graph(load_run("smollm2-135m", dataset=variant))
    base = build_graph(load_run("smollm2-135m", dataset=str(tmp_path / "base.yaml")))
    own, of_base = graph.run.folder, base.run.folder
    assert own != of_base
    assert graph["data"].output == own / "data"
    assert graph["infer:lora"].output.is_relative_to(own)
    assert graph["infer:lora"].inputs["model"].output.is_relative_to(of_base)
    borrowed = graph.borrowed(graph.select(["eval"]))
    assert {"data", "train:smollm2-135m_lora_cpu"} <= {stage.name for stage in borrowed}
    assert all(stage.output.is_relative_to(of_base) or stage.kind == "model" for stage in borrowed)
    assert base.borrowed(base.select(["eval"])) == []


def test_the_choice_of_models_makes_no_other_data(variant: str, tmp_path: Path) -> None:
    graph = build_graph(load_run("smollm2-135m", dataset=variant))
    base = build_graph(load_run("smollm2-135m", dataset=str(tmp_path / "base.yaml")))
    assert graph["data"].config == base["data"].config


def test_a_variant_of_a_variant_is_refused(variant: str, tmp_path: Path) -> None:
    write_text(tmp_path / "more.yaml", yaml.safe_dump(SPIDER_LIKE | {"models_of": variant}))
    with pytest.raises(UserError, match="has no models of its own"):
        build_graph(load_run("smollm2-135m", dataset=str(tmp_path / "more.yaml")))


def test_the_command_judges_base_and_variants(
    variant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = {"base": [1, 1, 1, 0], "variant": [1, 0, 0, 1, 1]}
    asked = []

    def judged(wanted: list[str], dataset: str, profile: str, **_options: object) -> Run:
        run = load_run(profile, dataset=dataset)
        asked.append((wanted, run.dataset_label))
        questions = BASE if run.dataset_label == "base" else VARIANT
        write_questions(run.folder / "data" / "questions.jsonl", questions)
        for row in run.row_names:
            verdicts = [{"exec": right} for right in outcomes[run.dataset_label]]
            write_jsonl(run.folder / "eval" / row / "verdicts.jsonl", verdicts)
        return run

    monkeypatch.setattr(commands, "bring_up_to_date", judged)
    base = str(tmp_path / "base.yaml")
    arguments = ["results", "robustness", "--profile", "smollm2-135m", "--dataset", base]
    result = CliRunner().invoke(cli, [*arguments, "--variant", variant])
    assert result.exit_code == 0, result.output
    assert asked == [(["eval"], "base"), (["eval"], "variant")]
    folder = load_run("smollm2-135m", dataset=base).folder
    assert "-66.7" in (folder / "robustness.md").read_text()
    record = read_json(folder / "robustness.json")
    assert record["sets"][0]["pairs"] == 3
    assert set(record["labels"]) == {"baseline", "lora", "full"} and record["git"]["sha"]
    result = CliRunner().invoke(cli, [*arguments, "--variant", variant, "--row", "lora"])
    assert result.exit_code == 0, result.output
    assert asked[-1] == (["eval:lora"], "variant")
    assert set(read_json(folder / "robustness.json")["labels"]) == {"lora"}
