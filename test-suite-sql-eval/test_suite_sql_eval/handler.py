"""What a worker process does with a question: hardness, exact match, execution accuracy."""

from __future__ import annotations

import time
from collections.abc import Callable

from . import worker
from .gold_cache import GoldCache
from .judge import ExecutionJudge, GoldError, fill_value_word, may_differ
from .sandbox import Session

TYPE_CHECKING = False  # importing typing takes milliseconds
if TYPE_CHECKING:
    from typing import Any

    from .matching import MatchJudge


#: What stands behind a question that is judged by the rule of --keep_distinct alone.
KEEPING_DISTINCT = ("keep_distinct",)
#: Parts of other questions.
_PLAIN = 3


class _Handler:
    """Judges the questions a worker process gets."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._config = config
        keys = config["content_keys"]
        self._cache = GoldCache(config["gold_cache"], keys) if config["gold_cache"] else None
        self._session = Session(time.process_time)
        limits = (config["timeout"], config["max_steps"])
        self._execution = ExecutionJudge(self._session, limits, config["plug_value"], self._cache)
        self._want_exec = config["etype"] in ("all", "exec")
        self._want_match = config["etype"] in ("all", "match")
        self._loaded: MatchJudge | None = None
        self._levels: dict[tuple[str, str], dict[str, Any]] = {}

    def _extra(
        self, paths: list[str], gold: str, written: str, pred: str, right: bool
    ) -> dict[str, int]:
        """Return the further verdicts; --keep_distinct is judged only where it may matter.

        They are about the prediction as it was written; `pred` has a value for the word ``value``.
        """
        from .extra_metrics import extra_metrics

        out = extra_metrics(self._execution, self._session, paths, gold, written)
        if may_differ(gold, pred):
            right = self._execution.judge(paths, gold, pred, True).right
        return {**out, "keep_distinct_ex": int(right)}

    def _match(self) -> MatchJudge:
        """The parser, loaded only if a question needs it."""
        if self._loaded is None:
            from .matching import MatchJudge

            self._loaded = MatchJudge(
                self._config["tables"], self._config["em"], self._session.connection
            )
        return self._loaded

    def _hardness(self, schema_path: str, db_id: str, gold_sql: str) -> dict[str, Any]:
        if self._cache is None:
            return self._match().hardness(schema_path, db_id, gold_sql)
        level = self._cache.get(schema_path, "hardness", gold_sql)
        if level is not None:
            return {"hardness": level}
        found = self._match().hardness(schema_path, db_id, gold_sql)
        if found["hardness"] is not None:
            self._cache.put(schema_path, "hardness", gold_sql, found["hardness"])
        return found

    def begin(self, tasks: list[tuple[str, ...]]) -> None:
        """Parse the gold queries of a batch in one go, each once for all its predictions."""
        if self._config["hardness"] and len(tasks[0]) == _PLAIN:
            worker.set_alarm(self._config["timeout"] + worker.GRACE, processor=True)
            self._levels = {
                (db_id, gold): self._hardness(self._config["databases"][db_id][0], db_id, gold)
                for db_id, gold in dict.fromkeys((task[0], task[1]) for task in tasks)
            }

    def __call__(self, task: tuple[str, ...]) -> dict[str, Any]:
        """Judge (database id, gold query, prediction), or only by --keep_distinct's rule."""
        if len(task) > _PLAIN:
            return self._keep_distinct(*task[:_PLAIN])
        db_id, gold_sql, raw_pred = task
        schema_path, paths = self._config["databases"][db_id]
        start = time.process_time()
        pred_sql = fill_value_word(raw_pred, gold_sql)
        out: dict[str, Any] = dict(self._levels.get((db_id, gold_sql), ()))
        if self._want_match:
            worker.set_alarm(self._config["timeout"] + worker.GRACE, processor=True)
            out.update(self._match().exact(schema_path, db_id, gold_sql, pred_sql))
        if self._want_exec:
            try:
                keep = self._config["keep_distinct"]
                verdict = self._execution.judge(paths, gold_sql, pred_sql, keep)
                out["exec"] = int(verdict.right)
                out["kind"], out["message"] = verdict.kind, verdict.message
                out["witness"] = verdict.witness
                if self._config["extra"] and pred_sql.strip():
                    out["extra"] = self._extra(paths, gold_sql, raw_pred, pred_sql, verdict.right)
            except GoldError as error:
                out["gold_error"] = str(error)
        out["seconds"] = time.process_time() - start
        return out

    def _keep_distinct(self, db_id: str, gold_sql: str, raw_pred: str) -> dict[str, Any]:
        _, paths = self._config["databases"][db_id]
        pred_sql = fill_value_word(raw_pred, gold_sql)
        try:
            return {"exec": int(self._execution.judge(paths, gold_sql, pred_sql, True).right)}
        except GoldError:
            return {"exec": 0}

    def close(self) -> None:
        """Keep the gold results for the next run."""
        if self._cache is not None:
            self._cache.save()


def preload(config: dict[str, Any]) -> None:
    """Import what every worker will need, once, before they are forked."""
    if config["etype"] != "exec" or (config["hardness"] and not config["gold_cache"]):
        from . import matching  # noqa: F401
    if config["plug_value"]:
        from . import plug_value  # noqa: F401


def make_handler(config: dict[str, Any]) -> Callable[[Any], Any]:
    """Return what a worker process calls for each question."""
    return _Handler(config)
