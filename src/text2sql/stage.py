"""What a stage is: a node of a run's graph, and the job that whoever runs it gets."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from text2sql.progress import Progress


@dataclass(frozen=True)
class Stage:
    """One node: runs `kind` with `config` over the outputs of `inputs`, writes folder `output`.

    `sources` are files or folders from outside the graph whose content counts as input; of the
    folders `databases` and `weights`, too large to read each time, file names, sizes and times
    count. `code` are modules whose source counts too: for stages so cheap that a doubt is worth a
    new run. `settings` are what the code needs to run but what cannot change the result (threads,
    device). With `alone`, nothing runs beside the stage, because it measures speed.
    """

    name: str
    kind: str
    config: dict[str, Any]
    output: Path
    inputs: dict[str, Stage] = field(default_factory=dict)
    sources: tuple[Path, ...] = ()
    databases: tuple[Path, ...] = ()
    weights: tuple[Path, ...] = ()
    code: tuple[Path, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    seed: int | None = None
    alone: bool = False


@dataclass(frozen=True)
class Job:
    """What a stage gets to work with.

    `inputs` are the output folders of the stages it needs, `output` is the folder to fill; a stage
    that can go on after an interruption finds there what it wrote before.
    """

    stage: Stage
    inputs: dict[str, Path]
    output: Path
    progress: Progress

    @property
    def config(self) -> dict[str, Any]:
        """The stage's resolved config."""
        return self.stage.config

    @property
    def settings(self) -> dict[str, Any]:
        """Machine-dependent settings that cannot change the result."""
        return self.stage.settings
