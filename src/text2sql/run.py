"""Which run of a profile is meant: its dataset, rows, recipe and folder."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from text2sql.errors import UserError
from text2sql.files import sha256_text
from text2sql.paths import build_root, config_name
from text2sql.profile import Profile, RowConfig
from text2sql.train.recipe import overrides_label

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
