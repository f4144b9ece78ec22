"""Spider test-suite evaluator: execution accuracy and exact match, safe against hostile SQL.

>>> import test_suite_sql_eval as tse                                     # doctest: +SKIP
>>> report = tse.evaluate([("SELECT 1", "music")], ["SELECT 1"], "database")
>>> report.scores["all"]["exec"], report.verdicts[0]["error"]
(1.0, None)
"""

from importlib import import_module

TYPE_CHECKING = False  # importing typing takes milliseconds
if TYPE_CHECKING:
    from typing import Any

    from .api import Report, evaluate
    from .errors import InputError
    from .live import Judge, Outcome
    from .settings import Settings

__version__ = "1.1.0"
__all__ = ["InputError", "Judge", "Outcome", "Report", "Settings", "__version__", "evaluate"]

_HOMES = {
    "evaluate": "api",
    "Report": "api",
    "Judge": "live",
    "Outcome": "live",
    "Settings": "settings",
    "InputError": "errors",
}


def __getattr__(name: str) -> "Any":
    """Load what is asked for: the parts of the package are also used alone."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
