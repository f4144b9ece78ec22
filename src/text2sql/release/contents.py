"""What belongs to a release: the record of a finished run, and the files of one of its rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from text2sql.artifacts import RECORD
from text2sql.errors import UserError
from text2sql.files import read_json
from text2sql.paths import shown
from text2sql.profile import RowConfig
from text2sql.records import UNHASHED, read_manifest
from text2sql.report import quantization
from text2sql.stage import Graph, Stage
from text2sql.train.stage import model_of, trained

CARD = "README.md"
ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")
# Beside weights, what other programs wrote there: the card takes the place of the one, the files in
# gguf/ that of the other.
LEFT_OUT = UNHASHED | {CARD, "Modelfile"}


@dataclass(frozen=True)
class Release:
    """A tuned row of a finished run.

    Attributes:
        graph: the run.
        row: the row.
        record: the record of the run's table.
        model: the stage that holds the model: merged, or fully trained.
        training: the stage that holds what was trained: an adapter, or the model itself.
        gguf: the stages that hold GGUF files of this very model; none where there are none.
    """

    graph: Graph
    row: RowConfig
    record: dict[str, Any]
    model: Stage
    training: Stage
    gguf: tuple[Stage, ...]

    @property
    def adapter(self) -> Path | None:
        """The folder of the adapter; None where the whole model was trained.

        None as well where its base is a tuned model of this run, which nobody else has.
        """
        if self.training.name == self.model.name or self.training.inputs["model"].kind != "model":
            return None
        return self.training.output

    @property
    def folder(self) -> Path:
        """Where the card is written."""
        return self.graph.run.folder / "release" / self.row.name

    @property
    def quantization(self) -> dict[str, Any] | None:
        """The record of the quantization table of this row; None where there is none."""
        path = self.graph.run.folder / "gguf" / self.row.name / "table" / quantization.RECORD
        return read_json(path) if path.is_file() and self.gguf else None

    def files(self) -> Iterator[tuple[str, Path | bytes]]:
        """Yield each file by its path in the model's repository: where it lies, or what it holds.

        The card comes first. An adapter's config names its base by a folder of this machine; here
        it names it as others find it.
        """
        yield CARD, self.folder / CARD
        yield RECORD, json.dumps(self.record, indent=2, ensure_ascii=False).encode("utf-8")
        yield from ((path.name, path) for path in _whole_files(self.model.output))
        if self.adapter:
            config = read_json(self.adapter / ADAPTER_FILES[0])
            config["base_model_name_or_path"] = self.graph.run.profile.model.path_or_hub_id
            yield f"adapter/{ADAPTER_FILES[0]}", json.dumps(config, indent=2).encode("utf-8")
            yield f"adapter/{ADAPTER_FILES[1]}", self.adapter / ADAPTER_FILES[1]
        for stage in self.gguf:
            yield from ((f"gguf/{path.name}", path) for path in _whole_files(stage.output))


def _whole_files(folder: Path) -> list[Path]:
    files = [path for path in sorted(folder.iterdir()) if path.is_file()]
    return [path for path in files if path.name not in LEFT_OUT]


def load_release(graph: Graph, name: str | None) -> Release:
    """Return the release of a row.

    Args:
        graph: the run, with its optional rows where one of those is meant.
        name: of the row; by default that of the profile's GGUF files, else its last one.

    Raises:
        UserError: the run is not finished, the row was not trained, or its weights are not those
            that the record's table was made from.
    """
    profile, run = graph.run.profile, graph.run
    named = profile.quantization if "quantization" in profile.model_fields_set else None
    chosen = named.row if named else run.rows[-1].name
    row = run.row(name or chosen)
    if row.recipe is None:
        tuned = ", ".join(other.name for other in run.rows if other.recipe)
        raise UserError(f"row '{row.name}' is the base model itself; tuned rows are: {tuned}")
    path = run.folder / "table" / RECORD
    if not path.is_file():
        raise UserError(f"{shown(path)}: no such record; run 'make reproduce' first")
    record = read_json(path)
    if row.name not in [measured["name"] for measured in record["rows"]]:
        raise UserError(f"{shown(path)}: no row '{row.name}' in it; run 'make reproduce' again")
    model = model_of(graph, row)
    here = _hash(model)
    if here is None or here != record["stages"][model.name]["output_hash"]:
        raise UserError(
            f"{shown(model.output)}: not the model that the record's table was made from; run"
            " 'make reproduce' again"
        )
    training, _ = run.training(row)
    made = trained(graph, training)
    return Release(graph, row, record, model, made, _gguf_files(graph, model.name, here))


def _gguf_files(graph: Graph, model: str, model_hash: str) -> tuple[Stage, ...]:
    """Return the stages whose quantized files are there and were made from a model as it is."""
    return tuple(
        stage
        for stage in graph.values()
        if stage.kind == "quantize"
        and stage.inputs["gguf"].inputs["model"].name == model
        and _made_from(stage.inputs["gguf"], "model", model_hash)
        and _made_from(stage, "gguf", _hash(stage.inputs["gguf"]))
    )


def _made_from(stage: Stage, name: str, content: str | None) -> bool:
    manifest = read_manifest(stage.output)
    return manifest is not None and manifest["inputs"].get(name) == content


def _hash(stage: Stage) -> str | None:
    manifest = read_manifest(stage.output)
    return manifest["output_hash"] if manifest else None
