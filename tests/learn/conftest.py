"""A profile whose base model is scripted, and whose answers are sampled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from safetensors.numpy import save_file
from scripted_answers import (
    EVALUATION,
    ON_EVALUATION,
    PROFILE,
    TRAINING,
    Scripted,
    make_database,
    staff,
    write_rows,
)

from text2sql.files import write_text
from text2sql.infer import stage as infer_stage


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> type[Scripted]:
    """The stand-in for the model, of which nothing has been asked."""
    monkeypatch.setattr(infer_stage, "load_engine", lambda *_: Scripted())
    monkeypatch.setattr(Scripted, "asked", [])
    return Scripted


@pytest.fixture
def profile(tmp_path: Path, build_folder: Path, scripted: type[Scripted]) -> dict[str, Any]:
    """A profile on that data set; its base model is the row that is sampled."""
    folder = tmp_path / "databases"
    make_database(folder, "shop", staff(("Ana", 31), ("Bo", 24), ("Cy", 45)))
    make_database(folder, "music", "CREATE TABLE song (title TEXT); INSERT INTO song VALUES ('x');")
    foreign = [{"question": q, "query": sql, "db_id": "music"} for q, sql in ON_EVALUATION.items()]
    foreign.append({"question": "Where is it?", "query": "SELECT 1", "db_id": "nowhere"})
    write_rows(tmp_path / "train.json", "shop", TRAINING, foreign)
    write_rows(tmp_path / "dev.json", "music", EVALUATION)
    data = {
        "train": [str(tmp_path / "train.json")],
        "evaluation": str(tmp_path / "dev.json"),
        "database": str(folder),
        "system": "short",
    }
    write_text(tmp_path / "data.yaml", yaml.safe_dump(data))
    infer = {
        "engine": "transformers",
        "temperature": 1.0,
        "decoding": {"samples": 4},
    }
    write_text(tmp_path / "sampled.yaml", yaml.safe_dump(infer))
    model = tmp_path / "model"
    model.mkdir()
    write_text(model / "config.json", "{}")
    save_file({"weight": np.zeros(8)}, model / "model.safetensors")
    return PROFILE | {
        "model": {"name": "tiny", "path_or_hub_id": str(model), "template": "smollm2"},
        "dataset": str(tmp_path / "data.yaml"),
        "learning": {"row": "baseline", "infer": str(tmp_path / "sampled.yaml")},
    }
