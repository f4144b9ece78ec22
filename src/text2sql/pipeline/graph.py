"""The stages of a profile as a graph: what each needs, what it writes, what identifies it.

`build_graph` is pure: it reads configs, never outputs. Whether a stage is up to date is decided in
`text2sql.pipeline.scheduler` from the manifests that the stages leave.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import test_suite_sql_eval

from text2sql.config import StrictModel, load_config
from text2sql.data.config import DataConfig
from text2sql.errors import UserError
from text2sql.infer.config import load_infer_config
from text2sql.paths import build_root, config_name, config_path, local_model, repository_root
from text2sql.profile import RowConfig
from text2sql.rag.config import load_knowledge_base_config, load_retrieval_config
from text2sql.run import Run
from text2sql.stage import Stage
from text2sql.train.recipe import load_recipe


def build_graph(selection: Run) -> dict[str, Stage]:
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

    def __init__(self, selection: Run) -> None:
        self.selection = selection
        self.profile = selection.profile
        self.folder = selection.folder
        self.rows = selection.rows
        path = config_path("data", selection.dataset)
        self.data_config = load_config(path, DataConfig, selection.profile.data)
        self.made: dict[str, Stage] = {}

    def stages(self) -> list[Stage]:
        model, data = self._model(), self._data()
        evaluated: dict[str, Stage] = {}
        # Trainings first: they take longest, so a free worker should meet them early.
        models = {row.name: self._tuned(row, model, data) for row in self.rows}
        for row in self.rows:
            tuned = models[row.name]
            predictions = self._infer(row, tuned, data, self._retrieve(row, tuned, data))
            evaluated[row.name] = self._eval(row, predictions, data)
        table = self._add(
            Stage(
                name="table",
                kind="table",
                config={
                    "title": self.profile.title,
                    "profile": self.profile.name,
                    "dataset": self.selection.dataset_label,
                    "rows": [
                        row.model_dump(include={"name", "label"})
                        | {"without_examples": self._same_without_examples(row)}
                        for row in self.rows
                    ],
                    "joint_all": self.profile.joint_all,
                },
                output=self.folder / "table",
                inputs=evaluated,
                code=_code("report"),
            )
        )
        self._add(
            Stage(
                "figures",
                "figures",
                {},
                self.folder / "figures",
                inputs={"table": table},
                code=_code("report"),
            )
        )
        self._text_metrics(models, data)
        self._quantization(models, evaluated)
        return list(self.made.values())

    def _same_without_examples(self, row: RowConfig) -> str | None:
        """The row that differs from one with retrieval in that alone; None where there is none."""
        if row.retrieval is None:
            return None
        same = (row.recipe, row.infer)
        return next(
            (r.name for r in self.rows if r.retrieval is None and (r.recipe, r.infer) == same), None
        )

    def _text_metrics(self, models: dict[str, Stage], data: Stage) -> None:
        """BLEU and ROUGE of the rows without retrieval; nothing else needs these stages."""
        infer = load_infer_config(self.profile.infer)
        rows = [row for row in self.rows if row.retrieval is None]
        measured = {
            row.name: self._add(
                Stage(
                    f"text-metrics:{row.name}",
                    "text-metrics",
                    _dump(infer) | {"template": self.profile.model.template},
                    self.folder / "text-metrics" / row.name,
                    inputs={"model": models[row.name], "data": data},
                    settings=self._settings(self.profile.train_environment),
                    seed=infer.seed,
                )
            )
            for row in rows
        }
        labels = [row.model_dump(include={"name", "label"}) for row in rows]
        output = self.folder / "text-table"
        self._add(Stage("text-table", "text-table", {"rows": labels}, output, inputs=measured))

    def _quantization(self, models: dict[str, Stage], evaluated: dict[str, Stage]) -> None:
        """GGUF files of one row's model and what each costs; no other stage needs these."""
        from text2sql.gguf.stages import quantization_stages

        config, profile = self.profile.quantization, self.profile
        if config is None:
            return
        for stage in quantization_stages(
            config,
            (
                profile.name,
                profile.title,
                self.selection.dataset_label,
                profile.model.name,
                profile.model.template,
            ),
            self.folder,
            models[config.row],
            evaluated[config.row],
        ):
            self._add(stage)

    def _add(self, stage: Stage) -> Stage:
        return self.made.setdefault(stage.name, stage)

    def _settings(self, environment: str | None) -> dict[str, Any]:
        profile = self.profile
        settings = {"threads": profile.threads, "device": profile.device}
        return settings | ({"environment": environment} if environment else {})

    def _model(self) -> Stage:
        config = self.profile.model.model_dump(exclude={"template", "architecture"})
        output = build_root() / "models" / self.profile.model.name
        folder = None if config["packaged_gguf"] else local_model(config["path_or_hub_id"])
        weights = (folder,) if folder else ()
        return self._add(Stage("model", "model", config, output, weights=weights))

    def _data(self) -> Stage:
        config = _dump(self.data_config) | {"limit": self.selection.limit}
        return self._add(
            Stage(
                "data",
                "data",
                config,
                self.folder / "data",
                sources=tuple(self.data_config.source_files()),
                # Those made from .sql files come into being in this stage.
                databases=()
                if self.data_config.database_form == "sql"
                else (self.data_config.databases(),),
                code=_code("data", "schema", "prompt"),
                seed=self.data_config.seed,
            )
        )

    def _tuned(self, row: RowConfig, model: Stage, data: Stage) -> Stage:
        """The stage whose output holds the model that a row infers with."""
        if row.recipe is None:
            return model
        name, overrides = config_name(row.recipe), {}
        if self.selection.overrides and row.name == self.selection.recipe_name:
            name, overrides = row.name, self.selection.overrides
        recipe = load_recipe(row.recipe, overrides)
        config = _dump(recipe) | {"template": self.profile.model.template}
        trained = self._add(
            Stage(
                f"train:{name}",
                f"train-{recipe.method}",
                config,
                self.folder / "train" / name,
                inputs={"model": model, "data": data},
                sources=recipe.source_files(),
                settings=self._settings(self.profile.train_environment),
                seed=recipe.seed,
            )
        )
        if recipe.launch.backend == "megatron":
            trained = self._add(
                Stage(
                    f"mg2hf:{name}",
                    "mg2hf",
                    {"template": self.profile.model.template},
                    self.folder / "mg2hf" / name,
                    inputs={"train": trained, "model": model},
                    settings=self._settings(self.profile.train_environment),
                )
            )
            # The other way, for trainings outside of this pipeline that start from Megatron's form.
            sizes = {
                "tensor_parallel": recipe.tensor_parallel,
                "pipeline_parallel": recipe.pipeline_parallel,
                "bf16": bool(recipe.llamafactory.get("bf16", False)),
            }
            self._add(
                Stage(
                    f"hf2mg:{name}",
                    "hf2mg",
                    sizes,
                    self.folder / "hf2mg" / name,
                    inputs={"model": model},
                    settings=self._settings(self.profile.train_environment),
                )
            )
        if recipe.method == "full":
            return trained
        return self._add(
            Stage(
                f"merge:{name}",
                "merge",
                {"template": self.profile.model.template},
                self.folder / "merge" / name,
                inputs={"model": model, "adapter": trained},
                settings=self._settings(self.profile.train_environment),
            )
        )

    def _retrieve(self, row: RowConfig, model: Stage, data: Stage) -> Stage | None:
        """The examples of a row with retrieval; where it needs drafts, from its model without."""
        if row.retrieval is None:
            return None
        retrieval = load_retrieval_config(row.retrieval)
        store = self._knowledge_base(retrieval.knowledge_base, data)
        name = config_name(row.retrieval)
        inputs = {"knowledge-base": store, "data": data}
        if "skeleton" in retrieval.channels:
            draft = next(
                (r for r in self.rows if r.recipe == row.recipe and r.retrieval is None),
                row.model_copy(update={"name": f"{row.name}-draft"}),
            )
            inputs["draft"] = self._infer(draft, model, data, None)
            name += f"-{draft.name}"
        shared = ("knowledge_base", "data", "collection")
        return self._add(
            Stage(
                f"retrieve:{name}",
                "retrieve",
                {"retrieval": _dump(retrieval)} | {key: store.config[key] for key in shared},
                self.folder / "retrieve" / name,
                inputs=inputs,
                code=_code("rag"),
                settings=self._settings(self.profile.rag_environment),
            )
        )

    def _knowledge_base(self, name: str, data: Stage) -> Stage:
        base = config_name(name)
        return self._add(
            Stage(
                f"knowledge-base:{base}",
                "knowledge-base",
                {
                    "knowledge_base": _dump(load_knowledge_base_config(name)),
                    "data": _dump(self.data_config),
                    "collection": re.sub(r"\W", "_", f"{base}_{self.selection.dataset_label}"),
                    "limit": self.selection.limit,
                },
                self.folder / "knowledge-base" / base,
                inputs={"data": data},
                sources=tuple(self.data_config.source_files()),
                settings=self._settings(self.profile.rag_environment),
            )
        )

    def _infer(self, row: RowConfig, model: Stage, data: Stage, examples: Stage | None) -> Stage:
        infer = load_infer_config(row.infer or self.profile.infer)
        config = _dump(infer) | {"template": self.profile.model.template}
        inputs = {"model": model, "data": data}
        if infer.adapter:  # by request beside the base model, in place of the merged one
            if model.kind != "merge":
                raise UserError(f"row '{row.name}': adapter: true needs a LoRA recipe")
            inputs = model.inputs | {"data": data}
        if examples:
            inputs["examples"] = examples
            retrieval = examples.config["retrieval"]
            config["examples"] = {key: retrieval[key] for key in ("form", "order")}
        return self._add(
            Stage(
                f"infer:{row.name}",
                "infer",
                config,
                self.folder / "infer" / row.name,
                inputs=inputs,
                settings=self._settings(self.profile.infer_environment)
                | {"databases": str(self.data_config.databases())},
                seed=infer.seed,
            )
        )

    def _eval(self, row: RowConfig, predictions: Stage, data: Stage) -> Stage:
        evaluation = self.profile.evaluation
        databases = [self.data_config.databases()]
        settings = {"jobs": evaluation.jobs, "databases": str(databases[0])}
        if evaluation.test_suite:
            suites = repository_root() / evaluation.test_suite
            databases.append(suites)
            settings["test_suite"] = str(suites)
        return self._add(
            Stage(
                f"eval:{row.name}",
                "eval",
                _dump(evaluation, exclude={"jobs"}),
                self.folder / "eval" / row.name,
                inputs={"predictions": predictions, "data": data},
                databases=tuple(databases),
                code=(Path(test_suite_sql_eval.__file__).parent, *_code("evaluate.py")),
                settings=settings,
            )
        )


def _code(*names: str) -> tuple[Path, ...]:
    return tuple(Path(__file__).parents[1] / name for name in names)


def _dump(config: StrictModel, exclude: set[str] | None = None) -> dict[str, Any]:
    return config.model_dump(mode="json", exclude=exclude)
