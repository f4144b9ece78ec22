"""How to judge: the settings of an evaluation."""

from __future__ import annotations

import os

from .errors import InputError

TYPE_CHECKING = False  # importing typing takes milliseconds
if TYPE_CHECKING:
    from typing import Any

#: Version of the metric definitions; it changes when a verdict can change.
METRICS_VERSION = "1.1"
ETYPES = ("exec", "match", "all")
EM_MODES = ("official", "lenient")
DEFAULT_TIMEOUT = 60.0
#: Half a minute of a slow core; the slowest right prediction for Spider's dev set takes 22 million.
DEFAULT_MAX_STEPS = 500_000_000
DEFAULT_MAX_MEMORY = 1 << 30
#: A day; the system's timers end somewhere.
MAX_TIMEOUT = 86_400
#: With less a worker does not even start.
MIN_MEMORY = 64 << 20
MAX_JOBS = 1024


def default_jobs() -> int:
    """Return the number of cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Settings:
    """How to judge.

    Attributes:
        etype: ``exec``, ``match`` or ``all``.
        plug_value: also try the gold query's values in each prediction.
        keep_distinct: leave DISTINCT in both queries (the official default removes it).
        em: ``official`` or ``lenient`` exact match parser.
        extra: also compute strict EX, BIRD's set EX and the execution success rate.
        jobs: worker processes; by default as many as there are cores.
        timeout: seconds of processor time for a gold query, and again for all that one prediction
            needs; it ends what SQLite's steps do not count, such as one that never ends.
        max_steps: steps (bytecode instructions) of SQLite for the same.  They decide what is too
            slow, so that neither the machine nor its load changes a verdict.
        max_memory: bytes a worker may use.
        gold_cache: folder for gold results kept between runs, or None.
        allow_gold_errors: count a question whose gold query or database fails as wrong instead of
            stopping.
    """

    __slots__ = (
        "etype",
        "plug_value",
        "keep_distinct",
        "em",
        "extra",
        "jobs",
        "timeout",
        "max_steps",
        "max_memory",
        "gold_cache",
        "allow_gold_errors",
    )

    def __init__(
        self,
        etype: str = "exec",
        plug_value: bool = False,
        keep_distinct: bool = False,
        em: str = "official",
        extra: bool = False,
        jobs: int | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        max_steps: int = DEFAULT_MAX_STEPS,
        max_memory: int = DEFAULT_MAX_MEMORY,
        gold_cache: str | None = None,
        allow_gold_errors: bool = False,
    ) -> None:
        """Take the settings.

        Raises:
            InputError: a setting has no meaning, or needs a package that is not installed.
        """
        self.etype = etype
        self.plug_value = plug_value
        self.keep_distinct = keep_distinct
        self.em = em
        self.extra = extra
        self.jobs = default_jobs() if jobs is None else jobs
        self.timeout = timeout
        self.max_steps = max_steps
        self.max_memory = max_memory
        self.gold_cache = gold_cache
        self.allow_gold_errors = allow_gold_errors
        self._check()

    def _check(self) -> None:
        if self.etype not in ETYPES:
            raise InputError(f"etype must be one of {', '.join(ETYPES)}, not {self.etype!r}")
        if self.em not in EM_MODES:
            raise InputError(f"em must be one of {', '.join(EM_MODES)}, not {self.em!r}")
        if self.em == "lenient":
            from importlib.util import find_spec

            if find_spec("sqlglot") is None:
                raise InputError("--em lenient needs sqlglot: pip install sqlglot")
        for name in ("plug_value", "keep_distinct", "extra", "allow_gold_errors"):
            if not isinstance(getattr(self, name), bool):
                raise InputError(f"{name} must be True or False, not {getattr(self, name)!r}")
        if not _is_number(self.jobs, int) or not 1 <= self.jobs <= MAX_JOBS:
            raise InputError(f"jobs must be a number from 1 to {MAX_JOBS}, not {self.jobs!r}")
        if not _is_number(self.timeout, int, float) or not 0 < self.timeout <= MAX_TIMEOUT:
            raise InputError(
                f"timeout must be more than 0 and at most {MAX_TIMEOUT} seconds, "
                f"not {self.timeout!r}"
            )
        if not _is_number(self.max_steps, int) or self.max_steps < 1:
            raise InputError(f"max_steps must be a number from 1, not {self.max_steps!r}")
        if not _is_number(self.max_memory, int) or self.max_memory < MIN_MEMORY:
            raise InputError(
                f"max_memory must be at least {MIN_MEMORY >> 20} MB ({MIN_MEMORY} bytes), "
                f"not {self.max_memory!r} bytes"
            )
        if self.gold_cache is not None and not isinstance(self.gold_cache, str):
            raise InputError(f"gold_cache must be a folder or None, not {self.gold_cache!r}")

    def to_dict(self) -> dict[str, Any]:
        """Return the settings by name."""
        return {name: getattr(self, name) for name in self.__slots__}


def _is_number(value: object, *kinds: type) -> bool:
    return isinstance(value, kinds) and not isinstance(value, bool)
