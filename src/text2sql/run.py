"""Which run of a profile is meant: its dataset, rows, recipe and folder."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from text2sql.config import overrides_label, require_file
from text2sql.errors import UserError
from text2sql.files import sha256_text
from text2sql.hardware import MachineConfig
from text2sql.models.gguf_types import F16
from text2sql.paths import build_root, config_name, config_path
from text2sql.profile import Profile, RowConfig, load_profile

LONGEST_LABEL = 80  # of a recipe's overrides in a folder's name
ALL_ROWS = "all"  # stands for every optional row


@dataclass(frozen=True)
class Run:
    """Which run of a profile.

    Args:
        profile: the profile.
        dataset: name or path of a dataset config.
        limit: for a quick look, at most so many training rows and questions.
        recipe: a training recipe besides those of the profile's rows; gets a row of its own.
        source: name or path the profile was loaded by; by default its own name.
        overrides: LLaMA-Factory keys that replace those of `recipe`.
        optional: names of the profile's optional rows wanted; ``all`` is every one.
        machine_name: name or path of the machine asked for in place of the profile's.
        hardware: keys of the `MachineConfig` to run on; by default the profile's machine.
        gguf_row: the row whose model becomes GGUF files, in place of the profile's.
        more_types: quantization types besides those of the profile.
        layouts: by a training's name the keys of its recipe that this machine changes.
    """

    profile: Profile
    dataset: str
    limit: int | None = None
    recipe: str | None = None
    source: str | None = None
    overrides: dict[str, Any] = field(default_factory=dict)
    optional: Sequence[str] = ()
    machine_name: str | None = None
    hardware: dict[str, Any] | None = None
    gguf_row: str | None = None
    more_types: Sequence[str] = ()
    layouts: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.hardware is not None:
            machine = MachineConfig.model_validate(self.hardware)
            profile = self.profile.model_copy(update={"machine": machine})
            object.__setattr__(self, "profile", profile)
        if self.gguf_row and self.profile.quantization:
            files = self.profile.quantization.model_copy(update={"row": self.gguf_row})
            profile = self.profile.model_copy(update={"quantization": files})
            object.__setattr__(self, "profile", profile)
        require_file(config_path("data", self.dataset))
        if self.recipe:
            require_file(config_path("train", self.recipe))
        known = [row.name for row in self.profile.optional_rows]
        for name in self.optional:
            if name not in (*known, ALL_ROWS):
                there = ", ".join(known) or "none"
                raise UserError(
                    f"no optional row '{name}' in profile {self.profile.name}; there are: {there}"
                )

    @property
    def machine(self) -> MachineConfig:
        """The machine that the stages are to run on."""
        return self.profile.machine

    @property
    def folder(self) -> Path:
        """Folder of this run's outputs; a limited run never touches those of the whole one."""
        return build_root() / "runs" / self.profile.name / self.dataset_label

    @property
    def dataset_label(self) -> str:
        """Name of the dataset as it is in paths and titles, with the limit if there is one."""
        return config_name(self.dataset) + (f"-limit{self.limit}" if self.limit else "")

    @property
    def rows(self) -> list[RowConfig]:
        """The profile's rows, the optional ones asked for, and one for the recipe asked for."""
        optional = self.profile.optional_rows
        if ALL_ROWS not in self.optional:
            optional = [row for row in optional if row.name in self.optional]
        rows = [*self.profile.rows, *optional]
        wanted = (self.recipe, self.overrides)
        if self.recipe and all((row.recipe, row.overrides) != wanted for row in rows):
            name, overrides = self.recipe_name, self.overrides
            rows.append(RowConfig(name=name, label=name, recipe=self.recipe, overrides=overrides))
        return rows

    @property
    def row_names(self) -> list[str]:
        """Names of those rows."""
        return [row.name for row in self.rows]

    @property
    def gguf_types(self) -> list[str]:
        """Types of the profile's GGUF files, F16 first; none where its model is one already."""
        quantization = self.profile.quantization
        return [F16, *quantization.types] if quantization else []

    @property
    def quantized_types(self) -> list[str]:
        """Types that there are stages for: those of the profile, and others asked for."""
        return list(dict.fromkeys([*self.gguf_types[1:], *self.more_types]))

    @property
    def recipe_name(self) -> str:
        """Name of the recipe asked for in paths; with overrides it is another one."""
        return training_name(self.recipe or "", self.overrides)

    def row(self, name: str) -> RowConfig:
        """Return a row by name; raise UserError, listing the rows, where there is none.

        A row that is there only to draft answers for another's retrieval is a row as well.
        """
        rows = {row.name: row for row in self.rows}
        drafts = [self.draft_of(row) for row in self.rows if row.retrieval]
        by_name = {row.name: row for row in drafts} | rows
        if name not in by_name:
            raise UserError(f"no row '{name}'; there are: {', '.join(rows)}")
        return by_name[name]

    def training(self, row: RowConfig) -> tuple[str, dict[str, Any]]:
        """Return the name of a row's training, and the keys that replace those of its recipe."""
        return training_name(row.recipe or "", row.overrides), row.overrides

    def without_examples(self, row: RowConfig) -> str | None:
        """Return the row that differs from one with retrieval in that alone, if there is one."""
        if row.retrieval is None:
            return None
        same = (row.recipe, row.overrides, None, row.infer)
        rows = {r.name: (r.recipe, r.overrides, r.retrieval, r.infer) for r in self.rows}
        return next((name for name, ways in rows.items() if ways == same), None)

    def draft_of(self, row: RowConfig) -> RowConfig:
        """Return the row whose answers, given without examples, help to find a row's examples."""
        name = self.without_examples(row) or f"{row.name}-draft"
        return row.model_copy(update={"name": name, "retrieval": None})

    def settings(self, kind: Literal["train", "infer", "rag"] | None) -> dict[str, Any]:
        """Return what a kind of work needs to run besides its config: threads, device, environment.

        None stands for work that is done in the environment of the command itself.
        """
        machine = self.machine
        environment = getattr(machine.environments, kind) if kind else None
        settings: dict[str, Any] = {"threads": machine.threads, "device": machine.device}
        if machine.variables:
            given = {k: os.environ.get(k, value) for k, value in machine.variables.items()}
            settings["variables"] = given
        return settings | ({"environment": environment} if environment else {})

    def choices(self) -> dict[str, Any]:
        """Return what `load_run` makes this run from, as JSON-able values."""
        choices = {one.name: getattr(self, one.name) for one in fields(self)}
        return choices | {"profile": choices.pop("source") or self.profile.name}


def training_name(recipe: str, overrides: Mapping[str, Any]) -> str:
    """Return a training's name in paths: the recipe's, with overrides another one."""
    name = config_name(recipe)
    if not overrides:
        return name
    label = re.sub(r"[^A-Za-z0-9_=,.+-]+", "-", overrides_label(overrides))
    if len(label) > LONGEST_LABEL:
        label = sha256_text(label)[:12]
    return f"{name}+{label}"


def load_run(profile: str, **choices: Any) -> Run:
    """Return the run that `Run.choices` told of; raise UserError when its profile is wrong."""
    return Run(load_profile(profile), source=profile, **choices)
