"""Rows of a profile that change keys of their recipe: trainings of their own, as by ``SET=``."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from text2sql.errors import UserError
from text2sql.paths import config_path
from text2sql.pipeline.command import select_run
from text2sql.profile import load_profile
from text2sql.train.recipe import load_recipe

SEARCH = "qwen2.5-coder-0.5b_search"
RECIPE = "qwen2.5-coder-0.5b_lora_cpu"


def test_each_row_has_a_training_of_its_own_that_differs_as_it_says() -> None:
    graph = select_run(SEARCH, rows="all")
    plain = load_recipe(RECIPE).llamafactory
    trained = {name for name in graph if name.startswith("train:")}
    rows = [row for row in graph.run.rows if row.recipe]
    assert len(trained) == len(rows) > 4
    for row in rows:
        stage = graph[f"train:{graph.run.training(row)[0]}"]
        assert stage.config["llamafactory"] == plain | row.overrides
        assert graph[f"infer:{row.name}"].inputs["model"].inputs["adapter"] is stage


def test_set_and_a_row_that_says_the_same_are_one_training() -> None:
    told = ("learning_rate=5e-5", "num_train_epochs=1")
    once = select_run(SEARCH, recipe=RECIPE, assignments=told)
    assert once.run.row_names == select_run(SEARCH).run.row_names
    other = select_run(SEARCH, recipe=RECIPE, assignments=("learning_rate=6e-5",))
    assert other.run.row_names[-1] == f"{RECIPE}+learning_rate=6e-05"


def test_overrides_without_a_recipe_are_refused(tmp_path: Path) -> None:
    profile = yaml.safe_load(config_path("profiles", SEARCH).read_text())
    profile["rows"] = [{"name": "a", "label": "A", "overrides": {"learning_rate": 1e-4}}]
    path = tmp_path / "p.yaml"
    path.write_text(yaml.safe_dump(profile))
    with pytest.raises(UserError, match="overrides replace keys of a recipe; name one"):
        load_profile(str(path))


def test_a_key_that_does_not_go_with_the_recipe_names_it(tmp_path: Path) -> None:
    profile = yaml.safe_load(config_path("profiles", SEARCH).read_text())
    profile["rows"] = [{"name": "a", "label": "A", "recipe": RECIPE, "overrides": {"stage": "dpo"}}]
    path = tmp_path / "p.yaml"
    path.write_text(yaml.safe_dump(profile))
    with pytest.raises(UserError, match=f"{RECIPE}.*'llamafactory.stage' is set by"):
        select_run(str(path))
