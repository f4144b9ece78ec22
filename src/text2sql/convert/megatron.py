"""The mg2hf and hf2mg stages: Megatron checkpoints of ROLL's MCoreAdapter to Hugging Face and back.

The weights go through MCoreAdapter's own converter, which only renames, cuts and joins them. What
it leaves out goes along here: chat template and generation config of the base model.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from text2sql.convert.model import folder_line
from text2sql.errors import UserError
from text2sql.stage import Graph, Job, Stage, StageKind
from text2sql.train.megatron_setup import require_mcore_adapter, require_transformer_engine
from text2sql.train.stage import base_of, trainings

# Files of a model folder beside the weights that decide how it is prompted and how it generates.
TRAVELLING = ("generation_config.json", "chat_template.jinja")


def run(job: Job) -> dict[str, Any]:
    """Convert a checkpoint, in the direction that the stage's kind names.

    Returns:
        The parallel sizes of the Megatron checkpoint.

    Raises:
        UserError: MCoreAdapter is not installed, or there is no Megatron checkpoint.
    """
    require_mcore_adapter()
    if job.stage.kind == "mg2hf":
        return _to_hugging_face(job)
    if job.settings["device"] != "cpu":
        require_transformer_engine({})
    return _to_megatron(job)


def _to_hugging_face(job: Job) -> dict[str, Any]:
    from mcore_adapter.models.auto.config_auto import AutoConfig
    from mcore_adapter.models.converter.post_converter import convert_checkpoint_to_hf

    checkpoint, base = job.inputs["train"], job.inputs["model"]
    if not (checkpoint / "mca_config.json").is_file():
        raise UserError(f"{checkpoint}: no Megatron checkpoint (mca_config.json) there")
    convert_checkpoint_to_hf(str(checkpoint), str(job.output))
    copy_travelling(base, job.output)
    config: Any = AutoConfig.from_pretrained(str(checkpoint))
    return {
        "tensor_parallel": config.tensor_model_parallel_size,
        "pipeline_parallel": config.pipeline_model_parallel_size,
    }


def _to_megatron(job: Job) -> dict[str, Any]:
    from mcore_adapter.models.converter.post_converter import convert_checkpoint_to_mca
    from mcore_adapter.training_args import DistributingParallelArguments

    sizes = job.config
    arguments = DistributingParallelArguments(
        tensor_model_parallel_size=sizes["tensor_parallel"],
        pipeline_model_parallel_size=sizes["pipeline_parallel"],
        transformer_impl="local" if job.settings["device"] == "cpu" else "transformer_engine",
    )
    convert_checkpoint_to_mca(
        str(job.inputs["model"]), str(job.output), arguments, bf16=sizes["bf16"]
    )
    copy_travelling(job.inputs["model"], job.output)
    return {name: sizes[name] for name in ("tensor_parallel", "pipeline_parallel")}


def copy_travelling(source: Path, target: Path) -> None:
    """Copy what belongs to a model beside its weights, where the target has none of its own."""
    for name in TRAVELLING:
        if (source / name).is_file() and not (target / name).exists():
            shutil.copyfile(source / name, target / name)


def _with_megatron(graph: Graph) -> list[str]:
    return [n for n, recipe in trainings(graph).items() if recipe.launch.backend == "megatron"]


def _from_training(graph: Graph, name: str) -> Stage:
    recipe, profile = trainings(graph)[name], graph.run.profile
    return Stage(
        f"mg2hf:{name}",
        "mg2hf",
        {"template": profile.model.template},
        graph.run.folder / "mg2hf" / name,
        inputs={
            "train": graph.stage(recipe.kind, name),
            "model": base_of(graph, name),
        },
        settings=graph.run.settings("train"),
    )


def _base(graph: Graph, name: str) -> Stage:
    """The other way, for trainings outside of this pipeline that start from Megatron's form."""
    recipe = trainings(graph)[name]
    return Stage(
        f"hf2mg:{name}",
        "hf2mg",
        {
            "tensor_parallel": recipe.tensor_parallel,
            "pipeline_parallel": recipe.pipeline_parallel,
            "bf16": bool(recipe.llamafactory.get("bf16", False)),
        },
        graph.run.folder / "hf2mg" / name,
        inputs={"model": graph.stage("model")},
        settings=graph.run.settings("train"),
    )


def _absent(graph: Graph) -> str:
    return (
        "none of its rows trains with Megatron; PROFILE=qwen3-1.7b has one, or name a recipe with"
        " 'launch.backend: megatron' by RECIPE= (--recipe)"
    )


KINDS = (
    StageKind(
        "mg2hf",
        "Megatron checkpoint to Hugging Face",
        run,
        _from_training,
        _with_megatron,
        result=folder_line,
        absent=_absent,
    ),
    StageKind(
        "hf2mg",
        "Hugging Face model to Megatron",
        run,
        _base,
        _with_megatron,
        result=folder_line,
        absent=_absent,
    ),
)
