"""Recipes whose cutoff holds the prompts of their profile: a longer row loses its question."""

from __future__ import annotations

from functools import cache

import pytest

from text2sql.data.config import spider_folder
from text2sql.data.prepare import SchemaTexts
from text2sql.data.stage import data_config
from text2sql.files import read_json
from text2sql.profile import load_profile
from text2sql.prompt import render_messages
from text2sql.run import Run
from text2sql.schema.prune import estimate_tokens
from text2sql.train.recipe import load_recipe

PROFILES = ("qwen2.5-coder-7b", "deepseek-coder-6.7b", "xiyansql-qwencoder-7b")


@pytest.mark.parametrize("name", PROFILES)
def test_rows_of_spider_fit(name: str) -> None:
    if not (spider_folder() / "train_spider.json").is_file():
        pytest.skip("Spider is not here; SPIDER_DIR names its folder")
    profile = load_profile(name)
    config = data_config(Run(profile, profile.dataset))
    texts = SchemaTexts(config)
    schema = cache(lambda db_id: estimate_tokens(texts.text(db_id, "")))
    around = sum(
        estimate_tokens(each["content"]) for each in render_messages("", "", config.system)
    )
    (recipe,) = (load_recipe(row.recipe) for row in profile.rows if row.recipe)
    rows = read_json(spider_folder() / "train_spider.json")
    longer = sum(
        around + schema(row["db_id"]) + estimate_tokens(row["question"] + row["query"])
        > recipe.cutoff
        for row in rows
    )
    # By the estimate, which is above what tokenizers count; with example values it is far above.
    assert longer < 0.15 * len(rows)
