"""The model stage: the base model as a Hugging Face folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from text2sql.convert.gguf_to_hf import convert, packaged_gguf
from text2sql.errors import UserError
from text2sql.files import sha256_file
from text2sql.models.folder import require_model, tensor_shapes
from text2sql.paths import build_root, local_model
from text2sql.records import UNHASHED
from text2sql.stage import Graph, Job, Stage, StageKind


def run(job: Job) -> dict[str, Any]:
    """Make the base model's folder: from a packaged GGUF, a local folder or the hub.

    Raises:
        UserError: the model cannot be had; the message says what to set or install.
    """
    package = job.config["packaged_gguf"]
    if package:
        gguf = packaged_gguf(package)
        convert(gguf, job.output)
        return {"source": f"{package}: {gguf.name}", "source_sha256": sha256_file(gguf)}
    name = job.config["path_or_hub_id"]
    folder = local_model(name)
    if folder:
        return {"source": name, "files": link_model(folder, job.output)}
    if name.startswith(("/", "./", "../", "~")):  # never the name of a model on the hub
        raise UserError(f"{name}: no such model folder; set model.path_or_hub_id in the profile")
    return _download(job)


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
        link = output / path.name
        link.unlink(missing_ok=True)
        link.symlink_to(path.resolve())
    return len(files)


def _download(job: Job) -> dict[str, Any]:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    name, revision = job.config["path_or_hub_id"], job.config["revision"]
    try:
        snapshot_download(
            name,
            revision=revision,
            local_dir=job.output,
            allow_patterns=["*.json", "*.safetensors", "*.txt", "*.jinja", "tokenizer*"],
        )
    except (RepositoryNotFoundError, HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"model '{name}' cannot be downloaded ({reason}); check the name and the network,"
            " set HF_ENDPOINT for a mirror, or put a local folder in the profile's"
            " model.path_or_hub_id"
        ) from None
    return {"source": name, "revision": revision}


def _stage(graph: Graph, key: str) -> Stage:
    model = graph.run.profile.model
    config = model.model_dump(include={"name", "path_or_hub_id", "revision", "packaged_gguf"})
    folder = None if model.packaged_gguf else local_model(model.path_or_hub_id)
    output = build_root() / "models" / model.name
    return Stage("model", "model", config, output, weights=(folder,) if folder else ())


KINDS = (StageKind("model", "get the base model as a Hugging Face folder", run, _stage),)
