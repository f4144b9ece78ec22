"""What a training learns from: refusals, keys, the model it begins with, and real trainings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from text2sql.errors import UserError
from text2sql.learn.judged import JudgedAnswer, lesson, write_training_files
from text2sql.pipeline.command import select_run
from text2sql.pipeline.keys import used_from
from text2sql.pipeline.registry import build_graph, stage_kinds
from text2sql.profile import load_profile
from text2sql.question import Question
from text2sql.run import Run
from text2sql.train.recipe import load_recipe

OBJECTIVES = ("rft", "dpo", "kto")
LORA = {"finetuning_type": "lora"}


def refused(tmp_path: Path, **recipe: Any) -> str:
    path = tmp_path / "r.yaml"
    path.write_text(yaml.safe_dump({"method": "lora", "llamafactory": LORA} | recipe))
    with pytest.raises(UserError) as caught:
        load_recipe(str(path))
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("objective", ["dpo", "kto"])
def test_preferences_refuse_what_joins_answers(objective: str, tmp_path: Path) -> None:
    said = refused(
        tmp_path,
        objective=objective,
        shared_schema=True,
        llamafactory=LORA | {"per_device_train_batch_size": 1},
    )
    assert f"objective '{objective}' compares whole answers" in said
    assert "remove shared_schema" in said
    packed = LORA | {"packing": True}
    said = refused(tmp_path, objective=objective, llamafactory=packed)
    assert "does not go with 'llamafactory.packing'" in said
    said = refused(tmp_path, objective=objective, launch={"backend": "megatron"})
    assert "does not go with Megatron" in said


def test_the_stage_of_llamafactory_stays_ours(tmp_path: Path) -> None:
    assert "'llamafactory.stage' is set by" in refused(tmp_path, llamafactory=LORA | {"stage": "x"})


def test_a_recipe_for_gold_sql_keeps_its_config() -> None:
    assert "objective" not in load_recipe("qwen2.5-coder-0.5b_lora_cpu").model_dump()
    assert load_recipe("qwen2.5-coder-0.5b_dpo_cpu").model_dump()["objective"] == "dpo"


def test_trainings_on_gold_sql_do_not_depend_on_the_code_of_the_others() -> None:
    ours = ("text2sql.train.stage", "learning_arguments")
    assert ours not in used_from(stage_kinds()["train-lora"].roots)
    assert ours in used_from(stage_kinds()["train-dpo"].roots)


@pytest.mark.parametrize("profile", ["smollm2-135m_learning", "qwen2.5-coder-0.5b_learning"])
def test_each_begins_with_the_tuned_model_and_its_judged_answers(profile: str) -> None:
    graph = select_run(profile)
    model = profile.removesuffix("_learning")
    tuned = graph["sample-answers"].inputs["model"]
    assert tuned.kind == "merge"
    for objective in OBJECTIVES:
        name = f"{model}_{objective}_cpu"
        training, merge = graph[f"train:{name}"], graph[f"merge:{name}"]
        assert training.kind == f"train-{objective}"
        assert training.inputs == {"model": tuned, "data": graph["sample"]}
        # An adapter is folded into the model that it was trained on.
        assert merge.inputs == {"model": tuned, "adapter": training}
        assert graph[f"infer:{objective}"].inputs["model"] == merge


def test_a_profile_that_does_not_say_whose_answers_is_told_so() -> None:
    profile = load_profile("smollm2-135m")
    with pytest.raises(
        UserError, match="objective 'dpo', and profile smollm2-135m has no key 'lea"
    ):
        build_graph(Run(profile, profile.dataset, None, "smollm2-135m_dpo_cpu"))


def test_the_row_that_is_sampled_learns_from_gold_sql() -> None:
    profile = load_profile("smollm2-135m_learning")
    assert profile.learning is not None
    changed = profile.learning.model_copy(update={"row": "dpo"})
    with pytest.raises(UserError, match=r"learning\.row 'dpo' must be a row of objective 'sft'"):
        build_graph(Run(profile.model_copy(update={"learning": changed}), profile.dataset))


def test_commands_train_by_their_objective() -> None:
    from text2sql.pipeline.command import trainings

    graph = select_run("smollm2-135m_learning", recipe="smollm2-135m_kto_cpu")
    assert trainings("train-kto", graph) == ["train:smollm2-135m_kto_cpu"]
    with pytest.raises(UserError, match="is for train-kto; run: make train-kto"):
        trainings("train-lora", graph)


def judged(folder: Path) -> None:
    """Write what twelve questions teach, each with two right and two wrong answers."""
    lessons = []
    for number in range(12):
        asked = [
            {"role": "system", "content": "Write SQL."},
            {"role": "user", "content": f"How many rows has table t{number}?"},
        ]
        question = Question(number, "d", "", "", asked)
        answers = [
            JudgedAnswer(f"SELECT count(*) FROM t{number}", f"a{number}", "right", 1.0),
            JudgedAnswer(f"SELECT count(1) FROM t{number}", f"b{number}", "right", 1.0),
            JudgedAnswer(f"SELECT t{number}", f"c{number}", "no_such_column", 0.0),
            JudgedAnswer("none", "none", "syntax", 0.0),
        ]
        lessons.append(lesson(question, answers))
    counts = write_training_files(lessons, folder, 2)
    assert counts == {"rft": 24, "dpo": 24, "kto": 48}


@pytest.mark.slow
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_llamafactory_trains_by_it(
    objective: str,
    tiny: Any,
    recipe: Callable[..., dict[str, Any]],
    train: Callable[..., Any],
    tmp_path: Path,
) -> None:
    """Its rows are read, the loss falls, and an adapter is left."""
    judged(tmp_path / "judged")
    config = recipe("lora", max_steps=6, per_device_train_batch_size=2, learning_rate=5e-3)
    config["objective"] = objective
    inputs = {"model": tiny.model, "data": tmp_path / "judged"}
    done = train(tmp_path / "out", config, inputs)
    assert done.details["steps"] == 6
    assert done.details["last_loss"] < done.details["first_loss"]
    assert (tmp_path / "out" / "adapter_model.safetensors").is_file()


def test_the_longer_answer_of_a_pair_counts(tmp_path: Path) -> None:
    from text2sql.train.checks import check_dataset
    from text2sql.train.lengths import measure_lengths

    judged(tmp_path)
    lengths = {}
    for objective in OBJECTIVES:
        check_dataset(tmp_path / objective)
        lengths[objective] = measure_lengths(tmp_path / objective, "smollm2", None)
    assert [len(found.rows) for found in lengths.values()] == [24, 24, 48]
    assert max(lengths["dpo"].answers) == max(lengths["rft"].answers)
    assert min(lengths["dpo"].answers) > min(lengths["kto"].answers)


def test_nothing_to_learn_from_is_told(tmp_path: Path) -> None:
    from text2sql.train.objectives import check_rows

    question = Question(
        0, "d", "", "", [{"role": "s", "content": ""}, {"role": "u", "content": ""}]
    )
    wrong = [JudgedAnswer("none", "none", "syntax", 0.0)]
    write_training_files([lesson(question, wrong)], tmp_path, 2)
    check_rows(load_recipe("smollm2-135m_kto_cpu"), tmp_path)
    with pytest.raises(UserError, match="no answers to learn from with objective 'dpo'; sample mo"):
        check_rows(load_recipe("smollm2-135m_dpo_cpu"), tmp_path)
