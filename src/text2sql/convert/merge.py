"""The merge stage: fold a LoRA adapter into its base model, through LLaMA-Factory's export.

QLoRA adapters are merged into the base as it was before quantization: weights of 4 bits cannot take
up the adapter's update, and a merge into them would be rounded away.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from text2sql.convert.megatron import copy_travelling
from text2sql.convert.model import folder_line
from text2sql.errors import UserError
from text2sql.files import read_json
from text2sql.stage import Graph, Job, Stage, StageKind
from text2sql.train.llamafactory import run_llamafactory
from text2sql.train.stage import base_of, trained, trainings


def run(job: Job) -> dict[str, Any]:
    """Write the merged model, with tokenizer, chat template and generation config.

    Returns:
        The adapter's rank.

    Raises:
        UserError: the base is quantized, the adapter is not whole, or the export failed.
    """
    adapter, base = job.inputs["adapter"], job.inputs["model"]
    check_mergeable(base, adapter)
    arguments = {
        "model_name_or_path": str(base),
        "template": job.config["template"],
        "finetuning_type": "lora",
        "export_dir": str(job.output),
        "export_size": 5,
        "export_device": "cpu",
        "export_legacy_format": False,
    }
    with TemporaryDirectory() as place:
        # LLaMA-Factory takes a comma in a path, which overrides put there, for two adapters.
        link = Path(place) / "adapter"
        link.symlink_to(adapter.resolve())
        run_llamafactory("export", arguments | {"adapter_name_or_path": str(link)}, job.output)
    copy_travelling(base, job.output)
    return {"rank": read_json(adapter / "adapter_config.json")["r"]}


def check_mergeable(base: Path, adapter: Path) -> None:
    """Raise UserError when an adapter cannot be folded into a base model."""
    if read_json(base / "config.json").get("quantization_config"):
        raise UserError(
            f"{base} is quantized, and an adapter merged into it would be rounded away; merge into"
            " the unquantized model, then quantize the result"
        )
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        if not (adapter / name).is_file():
            raise UserError(f"{adapter / name}: missing; train the adapter again")


def _adapters(graph: Graph) -> list[str]:
    return [name for name, recipe in trainings(graph).items() if recipe.method != "full"]


def _stage(graph: Graph, name: str) -> Stage:
    profile = graph.run.profile
    return Stage(
        f"merge:{name}",
        "merge",
        {"template": profile.model.template},
        graph.run.folder / "merge" / name,
        inputs={"model": base_of(graph, name), "adapter": trained(graph, name)},
        settings=graph.run.settings("train"),
    )


KINDS = (
    StageKind(
        "merge",
        "fold LoRA adapters into the base model",
        run,
        _stage,
        _adapters,
        result=folder_line,
        absent=lambda graph: (
            "none of its rows trains an adapter; name a LoRA recipe with RECIPE= (--recipe)"
        ),
    ),
)
