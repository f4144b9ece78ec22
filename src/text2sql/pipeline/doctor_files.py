"""The doctor's look at files: data sets, models, room on the disk and in memory.

Each check returns what was looked at, what was seen, and what to do (empty where all is well).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from text2sql import hardware
from text2sql.data.config import DataConfig, source_hint
from text2sql.errors import UserError
from text2sql.files import GIB
from text2sql.models.hub import cached_on_disk, hub_config
from text2sql.paths import build_root, local_model, shown
from text2sql.rag.config import EmbeddingConfig, RerankConfig
from text2sql.run import Run
from text2sql.stage import Stage
from text2sql.train.architecture import Architecture
from text2sql.train.checks import checkpoint_bytes
from text2sql.train.dry_run import architecture_of
from text2sql.train.recipe import recipe_of
from text2sql.train.stage import is_training

Facts = tuple[str, str, str]
HUB = "check the network, set HF_ENDPOINT for a mirror, or name a local folder"
PYTHON_BYTES = 3 * GIB  # a process with torch and the frameworks loaded


def check_sources(data: DataConfig) -> Facts:
    """Whether the files of a data set are there."""
    paths = data.needed_paths()
    missing = [path for path in paths if not path.exists()]
    if not missing:
        return "data set", f"{len(paths)} files and folders", ""
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    fix = "make download" + (source_hint(missing[0]) or ", or correct the data set's config")
    return "data set", f"{missing[0]}: not found{more}", fix


def check_suites(stages: Sequence[Stage]) -> Iterator[Facts]:
    """Whether the test suites are there that answers are judged on."""
    suites = {stage.settings["test_suite"] for stage in stages if "test_suite" in stage.settings}
    for suite in sorted(suites):
        there = Path(suite).is_dir()
        fix = f"make test-suite DATABASE=<folder of databases> GOLD=<gold queries> SUITES={suite}"
        yield "test suites", f"{suite}{'' if there else ': not there'}", "" if there else fix


def check_models(run: Run, stages: Sequence[Stage]) -> Iterator[Facts]:
    """Whether the base model, the embedder and the reranker can be had."""
    model = run.profile.model
    if any(stage.kind == "model" for stage in stages):
        local, packaged = local_model(model.path_or_hub_id), model.packaged_gguf
        if local:
            yield "base model", f"folder {shown(local)}", ""
        elif packaged:
            yield "base model", f"{model.path_or_hub_id} or {packaged.source}", ""
        elif model.path_or_hub_id.startswith(("/", "./", "../", "~")):
            state = f"{model.path_or_hub_id}: no such model folder"
            yield "base model", state, "set model.path_or_hub_id in the profile"
        else:
            yield _on_hub("base model", model.path_or_hub_id, model.revision, "path_or_hub_id")
    for what, name, revision in retrieval_models(stages):
        if Path(name).is_dir():
            yield what, f"folder {name}", ""
        elif cached_on_disk(name, revision):
            yield what, f"{name}, downloaded", ""
        else:
            key = "rerank.model" if what == "reranker" else "embedding.model"
            yield _on_hub(what, name, revision, key)


def retrieval_models(stages: Sequence[Stage]) -> list[tuple[str, str, str | None]]:
    """Return the models that retrieval reads and no package ships: what it is, name, revision."""
    models: dict[str, tuple[str, str, str | None]] = {}
    for stage in stages:
        if stage.kind == "knowledge-base":
            values = stage.config["knowledge_base"]["embedding"]
            embedding = EmbeddingConfig.model_validate(values)
            if not embedding.packaged:
                name = embedding.model
                models.setdefault(name, ("embedding model", name, embedding.revision))
        searched = stage.kind in ("retrieve", "train-examples")
        if searched and (values := stage.config["retrieval"].get("rerank")):
            reranker = RerankConfig.model_validate(values)
            if reranker.model:
                name = reranker.model
                models.setdefault(name, ("reranker", name, reranker.revision))
    return list(models.values())


def _on_hub(what: str, name: str, revision: str | None, key: str) -> Facts:
    if hub_config(name, revision) is None:
        return what, f"{name}: the hub does not give it", f"{HUB} in {key}"
    return what, f"{name}, on the hub", ""


def check_disk(run: Run, stages: Sequence[Stage]) -> Facts:
    """Whether the disk has room for what the stages write."""
    folder = build_root()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    needed = _bytes_written(run, stages)
    state = f"{free / GIB:.0f} GiB free, about {needed / GIB:.0f} GiB needed"
    fix = "make room, or set TEXT2SQL_BUILD to a folder on another disk"
    return f"disk of {folder}", state, fix if needed > free else ""


def _bytes_written(run: Run, stages: Sequence[Stage]) -> float:
    """Return the size of the models and checkpoints that stages write; 0 where that is not known.

    A training takes its checkpoints away when it ends, so those of the largest count once.
    """
    writing = [stage for stage in stages if is_training(stage) or stage.kind in ("merge", "mg2hf")]
    model = _size(run, [*writing, *stages]) if stages else None
    if model is None:
        return 0.0
    whole = 2 * model.parameters
    kept = sum(whole for stage in stages if stage.kind in ("model", "merge", "mg2hf", "hf2mg"))
    passing = 0.0
    for stage in stages:
        if is_training(stage):
            final, checkpoints = checkpoint_bytes(recipe_of(stage.config), model)
            kept, passing = kept + final, max(passing, checkpoints)
    return kept + passing


def check_memory(run: Run, stages: Sequence[Stage]) -> Facts:
    """Whether the machine, apart from its GPUs, has memory for the processes of a training."""
    have, needed = hardware.memory_gb() * GIB, float(PYTHON_BYTES)
    model = _size(run, stages)
    if model:
        processes = [
            recipe_of(stage.config).launch.processes for stage in stages if is_training(stage)
        ]
        needed = max(processes, default=1) * PYTHON_BYTES + 4 * model.parameters
    state = f"{have / GIB:.0f} GiB, about {needed / GIB:.0f} GiB needed"
    return "memory", state, "use a machine with more memory" if needed > have else ""


def _size(run: Run, stages: Sequence[Stage]) -> Architecture | None:
    """Return the base model's sizes where a stage has it as its input and they are known."""
    for stage in stages:
        if "model" in stage.inputs and stage.inputs["model"].kind == "model":
            try:
                return architecture_of(stage, run.profile)
            except UserError:
                return None
    return None
