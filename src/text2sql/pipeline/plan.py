"""Print what a run would do, without doing it."""

from __future__ import annotations

from text2sql import hardware
from text2sql.errors import UserError
from text2sql.paths import shown
from text2sql.pipeline.scheduler import is_current
from text2sql.run import Run
from text2sql.stage import Stage
from text2sql.train.launch import launch_line as training_line

# Of stages that are not launched by a command of their own kind.
LAUNCHES = {
    "merge": "llamafactory-cli export",
    "gguf": "text2sql quantize",
    "quantized-infer": "text2sql quantization-table",
    "quantized-eval": "text2sql quantization-table",
}


def describe_plan(selection: Run, graph: dict[str, Stage]) -> str:
    """Return a run's stages in order, each with state, inputs, output and launch line."""
    profile = selection.profile
    lines = [
        f"{profile.title}: profile {profile.name}, dataset {selection.dataset_label}",
        f"machine: {_machine(profile.hardware)}",
        "",
    ]
    for number, stage in enumerate(graph.values(), start=1):
        lines.append(f"{number:2}. {stage.name}  [{_state(stage)}]")
        for name, needed in stage.inputs.items():
            lines.append(f"      {name + ':':<16}{shown(needed.output)}")
        for source in stage.sources:
            lines.append(f"      {'reads:':<16}{shown(source)}")
        lines.append(f"      {'writes:':<16}{shown(stage.output)}")
        lines.append(f"      {'launch:':<16}{launch_line(stage)}")
    return "\n".join(lines)


def launch_line(stage: Stage) -> str:
    """Return the program a stage starts, as one would type it."""
    if not stage.kind.startswith("train-"):
        return LAUNCHES.get(stage.kind, f"text2sql {stage.kind}")
    return training_line(stage)


def _state(stage: Stage) -> str:
    try:
        return "up to date" if is_current(stage) else "to run"
    except UserError as error:
        return f"cannot run: {error}"


def _machine(needed: hardware.Hardware) -> str:
    if not needed.gpus:
        return "no GPU needed"
    found = len(hardware.visible_gpus())
    return f"{needed.gpus} CUDA GPUs of {needed.gpu_memory_gb:.0f} GB needed, {found} here"
