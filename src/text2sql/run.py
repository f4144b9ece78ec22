"""Which run of a profile is meant: its dataset, rows, recipe and folder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from text2sql.config import overrides_label
from text2sql.errors import UserError
from text2sql.files import sha256_text
from text2sql.paths import build_root, config_name
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
    """

    profile: Profile
    dataset: str
    limit: int | None = None
    recipe: str | None = None
    source: str | None = None
    overrides: dict[str, Any] = field(default_factory=dict)
    optional: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        known = [row.name for row in self.profile.optional_rows]
        for name in self.optional:
            if name not in (*known, ALL_ROWS):
                there = ", ".join(known) or "none"
                raise UserError(
                    f"no optional row '{name}' in profile {self.profile.name}; there are: {there}"
                )

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
        asked = self.optional
        rows = [
            *self.profile.rows,
            *(r for r in self.profile.optional_rows if r.name in asked or ALL_ROWS in asked),
        ]
        if self.recipe and (self.overrides or all(row.recipe != self.recipe for row in rows)):
            name = self.recipe_name
            rows.append(RowConfig(name=name, label=name, recipe=self.recipe))
        return rows

    @property
    def recipe_name(self) -> str:
        """Name of the recipe asked for in paths; with overrides it is another one."""
        name = config_name(self.recipe or "")
        if not self.overrides:
            return name
        label = re.sub(r"[^A-Za-z0-9_=,.+-]+", "-", overrides_label(self.overrides))
        if len(label) > LONGEST_LABEL:
            label = sha256_text(label)[:12]
        return f"{name}+{label}"

    def row(self, name: str) -> RowConfig:
        """Return a row by name; raise UserError, listing the rows, where there is none.

        A row that is there only to draft answers for another's retrieval is found too.
        """
        drafts = [draft for row in self.rows if (draft := self.draft_of(row)) not in self.rows]
        for row in (*self.rows, *drafts):
            if row.name == name:
                return row
        raise UserError(f"no row '{name}'; there are: {', '.join(r.name for r in self.rows)}")

    def training(self, row: RowConfig) -> tuple[str, dict[str, Any]]:
        """Return the name of a row's training, and the keys that replace those of its recipe."""
        if self.overrides and row.name == self.recipe_name:
            return row.name, self.overrides
        return config_name(row.recipe or ""), {}

    def draft_of(self, row: RowConfig) -> RowConfig:
        """Return the row with the same model that is asked without examples."""
        return next(
            (r for r in self.rows if r.recipe == row.recipe and r.retrieval is None),
            row.model_copy(update={"name": f"{row.name}-draft", "retrieval": None}),
        )

    def without_examples(self, row: RowConfig) -> str | None:
        """Return the row that differs from one with retrieval in that alone, if there is one."""
        if row.retrieval is None:
            return None
        same = (row.recipe, row.infer)
        return next(
            (r.name for r in self.rows if r.retrieval is None and (r.recipe, r.infer) == same), None
        )

    def settings(self, environment: str | None) -> dict[str, Any]:
        """Return what stages need to run in an environment, besides their config."""
        settings = {"threads": self.profile.threads, "device": self.profile.device}
        return settings | ({"environment": environment} if environment else {})

    def choices(self) -> dict[str, Any]:
        """Return what `load_run` makes this run from, as JSON-able values."""
        return {
            "profile": self.source or self.profile.name,
            "dataset": self.dataset,
            "limit": self.limit,
            "recipe": self.recipe,
            "overrides": self.overrides,
            "optional": list(self.optional),
        }


def load_run(
    profile: str,
    dataset: str | None = None,
    limit: int | None = None,
    recipe: str | None = None,
    overrides: dict[str, Any] | None = None,
    optional: Sequence[str] = (),
) -> Run:
    """Return a run of the profile with a name or path; for the rest see `Run`.

    Raises:
        UserError: the profile is missing or wrong, or has no such optional row.
    """
    loaded = load_profile(profile)
    wanted = tuple(dict.fromkeys(optional))
    return Run(loaded, dataset or loaded.dataset, limit, recipe, profile, overrides or {}, wanted)
