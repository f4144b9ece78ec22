"""Judge one question by execution accuracy, inside a worker process.

The steps and their order are those of the official evaluator (arXiv 2010.02840): join split
operators, remove DISTINCT, execute gold and prediction on every database of the folder, compare.
What makes it fast: a gold query runs once per database, a prediction with the gold query's text is
not run at all, and no more rows of a prediction are fetched than the gold query has.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from . import errors, lexer, worker
from .compare import difference, equivalent
from .errors import QueryError
from .gold_cache import GoldCache
from .sandbox import Session

TYPE_CHECKING = False  # importing typing takes milliseconds
if TYPE_CHECKING:
    from typing import Any

    from .compare import Rows

#: Cells of gold results a worker keeps for the next questions.
_MAX_CACHED_CELLS = 400_000
_VALUE_INDEPENDENT = frozenset(
    (errors.NO_SUCH_TABLE, errors.NO_SUCH_COLUMN, errors.AMBIGUOUS_COLUMN)
)


def prepare(sql: str, keep_distinct: bool) -> str:
    """Return the query as it is executed: operators joined, DISTINCT removed unless kept."""
    sql = sql.replace("> =", ">=").replace("< =", "<=").replace("! =", "!=")
    return sql if keep_distinct else lexer.remove_distinct(sql)


def fill_value_word(pred: str, gold: str) -> str:
    """Replace the word that a model without values writes for each of them, as upstream does.

    Where the gold query reads JSON it stays: there ``value`` is a column of json_each.
    """
    return pred if "json_" in gold.lower() else pred.replace("value", "1")


def fix_year(sql: str) -> str:
    """Replace MySQL's current year by 2020, the year Spider's answers were made for."""
    if "curdate" not in sql.lower():
        return sql
    import re

    return re.sub(r"(?i)YEAR\s*\(\s*CURDATE\s*\(\s*\)\s*\)\s*", "2020", sql)


class GoldError(Exception):
    """The gold query itself failed."""


class Gold:
    """A gold result on one database."""

    __slots__ = ("rows", "width")

    def __init__(self, rows: Rows, width: int) -> None:
        self.rows = rows
        self.width = width


class Verdict:
    """Execution verdict: right or wrong, why, and the witness: where the results differ."""

    __slots__ = ("right", "kind", "message", "witness")

    def __init__(
        self,
        right: bool,
        kind: str | None = None,
        message: str | None = None,
        witness: dict[str, Any] | None = None,
    ) -> None:
        self.right = right
        self.kind = kind
        self.message = message
        self.witness = witness


class ExecutionJudge:
    """Compares results on all databases of a question.

    Args:
        session: where queries run.
        limits: seconds of processor time and steps of SQLite for a gold query, and again for
            everything a prediction needs.
        plug_value: also try the gold query's values in the prediction.
        keep_distinct: leave DISTINCT in both queries.
        cache: gold results kept between runs, or None.
    """

    def __init__(
        self,
        session: Session,
        limits: tuple[float, float],
        plug_value: bool,
        keep_distinct: bool,
        cache: GoldCache | None = None,
    ) -> None:
        self._cache = cache
        self._session = session
        self._limits = limits
        self._plug_value = plug_value
        self._keep_distinct = keep_distinct
        self._golds: OrderedDict[tuple[str, str], Gold] = OrderedDict()
        self._cells = 0

    def begin(self) -> None:
        """Give all that follows the limits of one query, and the process a little more."""
        self._set_limits(*self._limits)

    def _set_limits(self, seconds: float, steps: float) -> None:
        self._session.set_limits(seconds, steps)
        worker.set_alarm(max(seconds, 0.001) + worker.GRACE, processor=True)

    def gold(self, path: str, sql: str) -> Gold:
        """Return the gold result, executing the query at the first call.

        Raises:
            GoldError: the gold query failed.
        """
        key = (path, sql)
        found = self._golds.get(key)
        if found is not None:
            return found
        while self._cells > _MAX_CACHED_CELLS:  # first: two large results may be too much
            _, old = self._golds.popitem(last=False)
            self._cells -= len(old.rows) * old.width
        found = self._kept(path, sql) or self._execute_gold(path, sql)
        self._cells += len(found.rows) * found.width
        self._golds[key] = found
        return found

    def _kept(self, path: str, sql: str) -> Gold | None:
        found = self._cache.get(path, "rows", sql) if self._cache else None
        return Gold(*found) if found else None

    def _execute_gold(self, path: str, sql: str) -> Gold:
        left = self._session.left()
        self.begin()
        try:
            rows, names, _ = self._session.run(path, sql)
        except QueryError as error:
            raise GoldError(f"{error.message} (on {path})") from error
        self._set_limits(*left)
        found = Gold(rows, len(rows[0]) if rows else len(names))
        if self._cache and not self._session.varies:
            self._cache.put(path, "rows", sql, (rows, found.width), len(rows) * found.width)
        return found

    def judge(self, paths: list[str], gold_sql: str, pred_sql: str) -> Verdict:
        """Return the verdict of the official evaluator on one question.

        Raises:
            GoldError: the gold query failed.
        """
        if not pred_sql.strip():
            return Verdict(False, errors.SYNTAX, "the prediction is empty")
        gold_text = prepare(gold_sql, self._keep_distinct)
        pred_text = prepare(pred_sql, self._keep_distinct)
        order_matters = "order by" in gold_text.lower()
        self.begin()
        first: Verdict | None = None
        for tried, candidate in enumerate(self._candidates(gold_text, pred_text)):
            verdict = self._on_all(
                paths, fix_year(gold_text), fix_year(candidate), order_matters, first is None
            )
            if verdict.right:
                return verdict
            first = first or verdict
            if verdict.kind in (errors.TIMEOUT, errors.MEMORY):
                if tried == 0:
                    return verdict
                return Verdict(
                    False, verdict.kind, f"{verdict.message} after {tried} value assignments"
                )
            if tried > 0 and self._hopeless(verdict, gold_text):
                break
        assert first is not None
        return first

    def _candidates(self, gold_text: str, pred_text: str) -> Iterator[str]:
        yield pred_text
        if self._plug_value:
            from .plug_value import Plugged  # here, because its expressions take time to compile

            yield from Plugged(gold_text, pred_text).candidates()

    @staticmethod
    def _hopeless(verdict: Verdict, gold_text: str) -> bool:
        """Whether no other value can repair the error: it names something no value contains."""
        if verdict.kind not in _VALUE_INDEPENDENT or not verdict.message:
            return False
        name = verdict.message.rsplit(":", 1)[-1].strip().rsplit(".", 1)[-1].lower()
        return bool(name) and name not in gold_text.lower()

    def _on_all(
        self, paths: list[str], gold_text: str, pred_text: str, order_matters: bool, first: bool
    ) -> Verdict:
        """Compare on each database; only the first candidate's verdict is shown with a witness."""
        for path in paths:
            gold = self.gold(path, gold_text)
            if pred_text == gold_text:
                continue
            height = len(gold.rows)

            def accept(width: int, wanted: int = gold.width, empty: bool = not height) -> bool:
                return empty or width == wanted

            try:
                # One row more than the gold query's: where there are too many, one is a witness.
                rows, names, complete = self._session.run(path, pred_text, height + 1, accept)
                if complete and equivalent(
                    gold.rows, rows, order_matters, self._session.check_limits
                ):
                    continue
            except QueryError as error:
                return Verdict(False, error.kind, error.message)
            except MemoryError as error:
                return Verdict(False, errors.MEMORY, errors.classify(error).message)
            verdict = _explain(gold, rows, names, complete, order_matters)
            if first:
                from .witness import witness

                verdict.witness = witness(path, gold.rows, rows)
            return verdict
        return Verdict(True)


def _explain(
    gold: Gold, rows: Rows, names: list[str], complete: bool, order_matters: bool
) -> Verdict:
    if not complete or len(rows) > len(gold.rows):
        if gold.rows and len(names) != gold.width:
            text = f"{len(names)} columns instead of {gold.width}"
            return Verdict(False, errors.WRONG_COLUMNS, text)
        text = f"more rows than the gold query's {len(gold.rows)}"
        return Verdict(False, errors.WRONG_ROWS, text)
    if len(rows) != len(gold.rows):
        text = f"{len(rows)} rows instead of {len(gold.rows)}"
        return Verdict(False, errors.WRONG_ROWS, text)
    kind = difference(gold.rows, rows, order_matters)
    texts = {
        errors.WRONG_ORDER: "right rows in the wrong order",
        errors.WRONG_COLUMNS: "as many columns, but none with the gold query's values",
        errors.WRONG_ROWS: "as many rows, but with other values",
    }
    return Verdict(False, kind, texts[kind])
