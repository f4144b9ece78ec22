"""What a worker process does with a question: hardness, exact match, execution accuracy."""

from __future__ import annotations

import time
from collections.abc import Callable

from . import worker
from .gold_cache import GoldCache
from .judge import ExecutionJudge, GoldError, fill_value_word, prepare
from .sandbox import Session

TYPE_CHECKING = False  # importing typing takes milliseconds
if TYPE_CHECKING:
    from typing import Any

    from .matching import MatchJudge


class _Handler:
    """Judges the questions a worker process gets."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._config = config
        keys = config["content_keys"]
        self._cache = GoldCache(config["gold_cache"], keys) if config["gold_cache"] else None
        self._session = Session(time.process_time)
        self._execution = self._judge(config["keep_distinct"])
        self._keeping_distinct = self._judge(True)
        self._want_exec = config["etype"] in ("all", "exec")
        self._want_match = config["etype"] in ("all", "match")
        self._loaded: MatchJudge | None = None

    def _judge(self, keep_distinct: bool) -> ExecutionJudge:
        limits = (self._config["timeout"], self._config["max_steps"])
        plug_value = self._config["plug_value"]
        return ExecutionJudge(self._session, limits, plug_value, keep_distinct, self._cache)

    def _extra(
        self, paths: list[str], gold: str, written: str, pred: str, right: bool
    ) -> dict[str, int]:
        """Return the further verdicts; --keep_distinct is judged only where it may matter.

        They are about the prediction as it was written; `pred` has a value for the word ``value``.
        """
        from .extra_metrics import extra_metrics

        out = extra_metrics(self._execution, self._session, paths, gold, written)
        if any(prepare(sql, True) != prepare(sql, False) for sql in (gold, pred)):
            right = self._keeping_distinct.judge(paths, gold, pred).right
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

    def __call__(self, task: tuple[str, str, str]) -> dict[str, Any]:
        db_id, gold_sql, raw_pred = task
        schema_path, paths = self._config["databases"][db_id]
        start = time.process_time()
        worker.set_alarm(self._config["timeout"] + worker.GRACE, processor=True)
        pred_sql = fill_value_word(raw_pred, gold_sql)
        out: dict[str, Any] = {}
        if self._config["hardness"]:
            out.update(self._hardness(schema_path, db_id, gold_sql))
        if self._want_match:
            out.update(self._match().exact(schema_path, db_id, gold_sql, pred_sql))
        if self._want_exec:
            try:
                verdict = self._execution.judge(paths, gold_sql, pred_sql)
                out["exec"] = int(verdict.right)
                out["kind"], out["message"] = verdict.kind, verdict.message
                out["witness"] = verdict.witness
                if self._config["extra"] and pred_sql.strip():
                    out["extra"] = self._extra(paths, gold_sql, raw_pred, pred_sql, verdict.right)
            except GoldError as error:
                out["gold_error"] = str(error)
        out["seconds"] = time.process_time() - start
        return out

    def close(self) -> None:
        """Keep the gold results for the next run."""
        if self._cache is not None:
            self._cache.save()


def make_handler(config: dict[str, Any]) -> Callable[[Any], Any]:
    """Return what a worker process calls for each question."""
    return _Handler(config)
