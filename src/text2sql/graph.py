"""The stages of a profile as a graph: what each needs, what it writes, what identifies it.

`build_graph` is pure: it reads configs, never outputs. Whether a stage is up to date is decided in
`text2sql.runner` from the manifests that the stages leave.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import test_suite_sql_eval

from text2sql.config import StrictModel, load_config
from text2sql.data.config import DataConfig
from text2sql.errors import UserError
from text2sql.infer.config import load_infer_config
from text2sql.paths import build_root, config_path
from text2sql.profile import Profile, RowConfig
from text2sql.train.recipe import load_recipe


@dataclass(frozen=True)
class Stage:
    """One node: runs `kind` with `config` over the outputs of `inputs`, writes folder `output`.

    `sources` are files from outside the graph whose content counts as input. `code` are modules
    whose source counts too: for stages so cheap that a doubt is worth a new run. `settings` are
    what the code needs to run but what cannot change the result (threads, device).
    """

    name: str
    kind: str
    config: dict[str, Any]
    output: Path
    inputs: dict[str, Stage] = field(default_factory=dict)
    sources: tuple[Path, ...] = ()
    code: tuple[Path, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    seed: int | None = None


@dataclass(frozen=True)
class Selection:
    """Which run of a profile: the dataset and, for a quick look, at most how many rows of it."""

    profile: Profile
    dataset: str
    limit: int | None = None

    @property
    def folder(self) -> Path:
        """Folder of this run's outputs; a limited run never touches those of the whole one."""
        suffix = f"-limit{self.limit}" if self.limit else ""
        return build_root() / "runs" / self.profile.name / f"{self.dataset}{suffix}"


def build_graph(selection: Selection) -> dict[str, Stage]:
    """Return the stages of a run by name, each after all it needs.

    Raises:
        UserError: a config that the profile names is missing or wrong.
    """
    builder = _Builder(selection)
    return {stage.name: stage for stage in builder.stages()}


def select(graph: dict[str, Stage], wanted: Iterable[str]) -> list[Stage]:
    """Return the wanted stages and all they need, in order.

    Args:
        graph: all stages of the run.
        wanted: stage names, or kinds (``infer`` means every ``infer:...`` stage).

    Raises:
        UserError: a name that is neither; the message lists what there is.
    """
    chosen: dict[str, None] = {}

    def add(stage: Stage) -> None:
        for needed in stage.inputs.values():
            add(needed)
        chosen[stage.name] = None

    for name in wanted:
        matches = [s for s in graph.values() if name in (s.name, s.kind)]
        if not matches:
            raise UserError(f"no stage '{name}' in this profile; there are: {', '.join(graph)}")
        for stage in matches:
            add(stage)
    return [graph[name] for name in graph if name in chosen]


class _Builder:
    """Makes the stages of one selection; each method adds one kind."""

    def __init__(self, selection: Selection) -> None:
        self.selection = selection
        self.profile = selection.profile
        self.folder = selection.folder
        self.data_config = load_config(config_path("data", selection.dataset), DataConfig)
        self.made: dict[str, Stage] = {}

    def stages(self) -> list[Stage]:
        model, data = self._model(), self._data()
        evaluated: dict[str, Stage] = {}
        # Trainings first: they take longest, so a free worker should meet them early.
        models = {row.name: self._tuned(row, model, data) for row in self.profile.rows}
        for row in self.profile.rows:
            examples = self._retrieve(row, data)
            predictions = self._infer(row, models[row.name], data, examples)
            evaluated[row.name] = self._eval(row, predictions, data)
        table = self._add(
            Stage(
                name="table",
                kind="table",
                config={
                    "title": self.profile.title,
                    "rows": [
                        row.model_dump(include={"name", "label"}) for row in self.profile.rows
                    ],
                },
                output=self.folder / "table",
                inputs=evaluated,
            )
        )
        self._add(Stage("figures", "figures", {}, self.folder / "figures", inputs={"table": table}))
        return list(self.made.values())

    def _add(self, stage: Stage) -> Stage:
        return self.made.setdefault(stage.name, stage)

    def _settings(self) -> dict[str, Any]:
        return {"threads": self.profile.threads, "device": self.profile.device}

    def _model(self) -> Stage:
        config = self.profile.model.model_dump(exclude={"template"})
        output = build_root() / "models" / self.profile.model.name
        return self._add(Stage("model", "model", config, output))

    def _data(self) -> Stage:
        config = _dump(self.data_config) | {"limit": self.selection.limit}
        return self._add(
            Stage(
                "data",
                "data",
                config,
                self.folder / "data",
                sources=tuple(self.data_config.source_files()),
                code=_code("data", "schema", "prompt"),
                seed=self.data_config.seed,
            )
        )

    def _tuned(self, row: RowConfig, model: Stage, data: Stage) -> Stage:
        """The stage whose output holds the model that a row infers with."""
        if row.recipe is None:
            return model
        recipe = load_recipe(row.recipe)
        config = _dump(recipe) | {"template": self.profile.model.template}
        trained = self._add(
            Stage(
                f"train:{row.recipe}",
                f"train-{recipe.method}",
                config,
                self.folder / "train" / row.recipe,
                inputs={"model": model, "data": data},
                settings=self._settings(),
                seed=recipe.seed,
            )
        )
        if recipe.launch.backend == "megatron":
            trained = self._add(
                Stage(
                    f"mg2hf:{row.recipe}",
                    "mg2hf",
                    {"template": self.profile.model.template},
                    self.folder / "mg2hf" / row.recipe,
                    inputs={"train": trained, "model": model},
                    settings=self._settings(),
                )
            )
        if recipe.method == "full":
            return trained
        return self._add(
            Stage(
                f"merge:{row.recipe}",
                "merge",
                {"template": self.profile.model.template},
                self.folder / "merge" / row.recipe,
                inputs={"model": model, "adapter": trained},
                settings=self._settings(),
            )
        )

    def _retrieve(self, row: RowConfig, data: Stage) -> Stage | None:
        if row.retrieval is None:
            return None
        store = self._add(
            Stage(
                "knowledge-base",
                "knowledge-base",
                {},
                self.folder / "knowledge-base",
                inputs={"data": data},
            )
        )
        return self._add(
            Stage(
                f"retrieve:{row.retrieval}",
                "retrieve",
                {"retrieval": row.retrieval},
                self.folder / "retrieve" / row.retrieval,
                inputs={"knowledge-base": store, "data": data},
            )
        )

    def _infer(self, row: RowConfig, model: Stage, data: Stage, examples: Stage | None) -> Stage:
        infer = load_infer_config(row.infer or self.profile.infer)
        config = _dump(infer) | {"template": self.profile.model.template}
        inputs = {"model": model, "data": data}
        if examples:
            inputs["examples"] = examples
        return self._add(
            Stage(
                f"infer:{row.name}",
                "infer",
                config,
                self.folder / "infer" / row.name,
                inputs=inputs,
                settings=self._settings(),
                seed=infer.seed,
            )
        )

    def _eval(self, row: RowConfig, predictions: Stage, data: Stage) -> Stage:
        evaluation = self.profile.evaluation
        return self._add(
            Stage(
                f"eval:{row.name}",
                "eval",
                _dump(evaluation, exclude={"jobs"}),
                self.folder / "eval" / row.name,
                inputs={"predictions": predictions, "data": data},
                code=(Path(test_suite_sql_eval.__file__).parent, *_code("evaluate.py")),
                settings={"jobs": evaluation.jobs, "databases": str(self.data_config.databases())},
            )
        )


def _code(*names: str) -> tuple[Path, ...]:
    return tuple(Path(__file__).parent / name for name in names)


def _dump(config: StrictModel, exclude: set[str] | None = None) -> dict[str, Any]:
    return config.model_dump(mode="json", exclude=exclude)
