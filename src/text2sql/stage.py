"""What a stage is: a kind that declares itself, a node of a run's graph, and the job it is given.

A module that runs stages declares their kinds in a tuple ``KINDS``; `text2sql.pipeline.registry`
lists the modules. Commands, ``make help``, ``make plan`` and the keys by which a stage is found up
to date come from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from text2sql.errors import UserError
from text2sql.progress import Progress
from text2sql.run import Run


@dataclass(frozen=True)
class Stage:
    """One node: runs `kind` with `config` over the outputs of `inputs`, writes folder `output`.

    `sources` are files or folders from outside the graph whose content counts as input; of the
    folders `databases` and `weights`, too large to read each time, file names, sizes and times
    count. `code` is where the source begins that decides the result: that of its kind (see
    `StageKind`), and what its config names, such as an engine. `settings` are what the code needs
    to run but what cannot change the result (threads, device). With `alone`, nothing runs beside
    the stage, because it measures speed.
    """

    name: str
    kind: str
    config: dict[str, Any]
    output: Path
    inputs: dict[str, Stage] = field(default_factory=dict)
    sources: tuple[Path, ...] = ()
    databases: tuple[Path, ...] = ()
    weights: tuple[Path, ...] = ()
    code: tuple[str, ...] = ()
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


ONE = ("",)  # the keys of a kind of which a run has one stage


@dataclass(frozen=True)
class StageKind:
    """A kind of stage, as the module that runs it declares it.

    Attributes:
        name: its name in manifests and, where it has a command of its own, on the command line.
        help: one line for ``--help`` and ``make help``.
        run: fills ``job.output``; returns measurements for the run record.
        make: returns the stage with a key; asks the graph for the stages it needs.
        keys: the keys of this kind's stages in a run, such as the names of rows.
        command: the command that brings it up to date, where that is another kind's.
        code: the source that decides the result, as ``module:definition``, ``module`` or package;
            all that it uses of this repository's packages counts too. By default that of `run`.
        show: what the command prints at its end.
        result: the line that the command prints at its end of each stage that it was asked for.
        absent: why a run has no stage of this kind, and what to type to get one.
    """

    name: str
    help: str
    run: Callable[[Job], dict[str, Any]]
    make: Callable[[Graph, str], Stage]
    keys: Callable[[Graph], Sequence[str]] = lambda graph: ONE
    command: str = ""
    code: tuple[str, ...] = ()
    show: Callable[[Run], str] | None = None
    result: Callable[[Stage], str] | None = None
    absent: Callable[[Graph], str] = lambda graph: "no row of this profile needs one"

    @property
    def command_name(self) -> str:
        """The command that brings stages of this kind up to date."""
        return self.command or self.name

    @property
    def roots(self) -> tuple[str, ...]:
        """Where the source that decides the result begins."""
        return self.code or (f"{self.run.__module__}:{self.run.__qualname__}",)


class Graph(Mapping[str, Stage]):
    """The stages of a run by name, each after all it needs.

    Nothing is read but configs: whether a stage is up to date, `text2sql.pipeline.keys` says.

    Args:
        run: which run.
        kinds: the kinds of stages there are, in the order in which a free worker should meet them.
        lender: the graph of another run of the same profile whose stages of the kinds `lent` stand
            in this one, such as trained models; it has to be brought up to date first.
        lent: names of those kinds.

    Raises:
        UserError: a config that the profile names is missing or wrong.
    """

    def __init__(
        self,
        run: Run,
        kinds: Iterable[StageKind],
        lender: Graph | None = None,
        lent: Iterable[str] = (),
    ) -> None:
        self.run, self.lender = run, lender
        self._lent = frozenset(lent)
        self.kinds = {kind.name: kind for kind in kinds}
        self._made: dict[tuple[str, str], Stage] = {}
        for kind in self.kinds.values():
            for key in kind.keys(self):
                self.stage(kind.name, key)
        self._by_name = {stage.name: stage for stage in self._made.values()}

    def __getitem__(self, name: str) -> Stage:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def stage(self, kind: str, key: str = "") -> Stage:
        """Return the stage of a kind with a key; it is made, after its needs, when first asked for.

        For the kinds' own `StageKind.make`; others find a stage by its name.
        """
        if (kind, key) not in self._made:
            declared = self.kinds[kind]
            if self.lender is not None and kind in self._lent:
                self._made[kind, key] = self.lender.stage(kind, key)
                return self._made[kind, key]
            made = declared.make(self, key)
            self._made[kind, key] = replace(made, code=(*declared.roots, *made.code))
        return self._made[kind, key]

    def borrowed(self, stages: Iterable[Stage]) -> list[Stage]:
        """Return, of the stages given, those that are the lender's, and all that they need."""
        if self.lender is None:
            return []
        names = [stage.name for stage in stages if stage.kind in self._lent]
        return self.lender.select(names) if names else []

    def select(self, wanted: Iterable[str]) -> list[Stage]:
        """Return the wanted stages and all they need, in order.

        Args:
            wanted: stage names, or kinds (``infer`` means every ``infer:...`` stage).

        Raises:
            UserError: a name that is neither; the message says what there is instead.
        """
        chosen: set[str] = set()
        for name in wanted:
            matches = [s for s in self.values() if name in (s.name, s.kind)]
            if not matches:
                raise UserError(f"no stage '{name}' in this profile; {self._why_not(name)}")
            for stage in matches:
                chosen |= {needed.name for needed in upstream(stage)}
        return [stage for stage in self.values() if stage.name in chosen]

    def _why_not(self, name: str) -> str:
        """Say of a name that no stage has what there is in its place."""
        kind = name.partition(":")[0]
        alike = [stage.name.partition(":")[2] for stage in self.values() if stage.kind == kind]
        if alike:
            return f"of kind {kind} there are: {', '.join(alike)}"
        if kind in self.kinds:
            return self.kinds[kind].absent(self)
        return f"kinds of stages: {', '.join(self.kinds)}"


def upstream(stage: Stage) -> list[Stage]:
    """Return all stages that a stage rests on, itself last."""
    found: dict[str, Stage] = {}
    for needed in stage.inputs.values():
        found |= {inner.name: inner for inner in upstream(needed)}
    return [*found.values(), stage]
