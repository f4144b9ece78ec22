"""Every key of a config is set by a shipped file, or shown in the docs; the examples there load."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel

from text2sql.config import check_config
from text2sql.data.config import DataConfig
from text2sql.hardware import MachineConfig
from text2sql.infer.config import InferConfig
from text2sql.learn.config import GrpoConfig
from text2sql.profile import ModelConfig, Profile
from text2sql.rag.config import KnowledgeBaseConfig, RetrievalConfig
from text2sql.serve.config import ServeConfig, TokenConfig
from text2sql.train.recipe import Recipe

ROOT = Path(__file__).resolve().parents[2]
MODELS: dict[str, type[Any]] = {
    "profiles": Profile,
    "models": ModelConfig,
    "machines": MachineConfig,
    "data": DataConfig,
    "train": Recipe,
    "infer": InferConfig,
    "rag": RetrievalConfig,
    "knowledge-base": KnowledgeBaseConfig,
    "grpo": GrpoConfig,
    "serve": ServeConfig,
}
NAMED = {TokenConfig}
DOCS = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md")}
EXAMPLE = re.compile(r"```yaml\n# configs/([a-z-]+)/([\w.-]+)\.yaml(.*?)```", re.DOTALL)
EXAMPLES = {f"{found[1]}/{found[2]}": found for found in EXAMPLE.finditer(DOCS["configs.md"])}


def nested_model(annotation: Any) -> type[BaseModel] | None:
    """The config model that a key's type holds, as ``Model | None`` does."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(nested_model, get_args(annotation))), None)


def keys_set(values: Any, model: type[BaseModel] | None) -> Iterator[tuple[str, str]]:
    """The keys that a file sets, each with the config model that has it."""
    if isinstance(values, list):
        for value in values:
            yield from keys_set(value, model)
    elif isinstance(values, dict) and model:
        if model in NAMED and not values.keys() & model.model_fields.keys():
            values = list(values.values())  # of models by names that are the user's
            yield from keys_set(values, model)
            return
        for key, value in values.items():
            if key in model.model_fields:
                yield model.__name__, key
                inner = DataConfig if (model, key) == (Profile, "data") else None
                yield from keys_set(
                    value, inner or nested_model(model.model_fields[key].annotation)
                )


def all_keys(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    for key, field in model.model_fields.items():
        yield model.__name__, key
        inner = nested_model(field.annotation)
        if inner:
            yield from all_keys(inner)


def files() -> Iterator[tuple[str, str]]:
    for kind in MODELS:
        for path in (ROOT / "configs" / kind).glob("*.yaml"):
            yield kind, path.read_text(encoding="utf-8")
    for text in DOCS.values():
        for found in EXAMPLE.finditer(text):
            yield found[1], f"#{found[3]}"


def test_every_key_is_used_or_shown() -> None:
    used = {key for kind, text in files() for key in keys_set(yaml.safe_load(text), MODELS[kind])}
    spans = {
        span.rpartition(".")[2]
        for text in DOCS.values()
        for span in re.findall(r"`([\w.]+)`", text)
    }
    known = {key for model in MODELS.values() for key in all_keys(model)}
    unused = sorted(key for key in known - used if key[1] not in spans)
    assert not unused, f"no shipped YAML sets these and no page of docs/ names them: {unused}"


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_load(name: str) -> None:
    kind, text = EXAMPLES[name][1], f"#{EXAMPLES[name][3]}"
    values = yaml.safe_load(text)
    if "name" in MODELS[kind].model_fields:
        values["name"] = EXAMPLES[name][2]
    check_config(values, MODELS[kind], source=name)


def test_the_page_has_an_example_of_each_kind_that_needs_one() -> None:
    kinds = {found[1] for found in EXAMPLES.values()}
    assert kinds == MODELS.keys() - {"machines", "train"}
