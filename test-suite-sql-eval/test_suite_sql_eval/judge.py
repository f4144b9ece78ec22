"""Judge one question by execution accuracy, inside a worker process.

The steps and their order are those of the official evaluator (arXiv 2010.02840): join split
operators, remove DISTINCT, execute gold and prediction on every database of the folder, compare.
What makes it fast: a gold query runs once per database, a prediction that is the gold query but
for case and blanks is not run at all, and of the others no more rows are fetched than are needed.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import lru_cache

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
_OUT_OF_LIMITS = (errors.TIMEOUT, errors.MEMORY)
_VALUE_INDEPENDENT = frozenset(
    (errors.NO_SUCH_TABLE, errors.NO_SUCH_COLUMN, errors.AMBIGUOUS_COLUMN)
)
#: Gold queries of which a worker keeps what has to be executed.
_MAX_PREPARED = 4096


def prepare(sql: str, keep_distinct: bool) -> str:
    """Return the query as it is executed: operators joined, DISTINCT removed unless kept."""
    sql = sql.replace("> =", ">=").replace("< =", "<=").replace("! =", "!=")
    return sql if keep_distinct else lexer.remove_distinct(sql)


def fill_value_word(pred: str, gold: str) -> str:
    """Replace the word that a model without values writes for each of them, as upstream does.

    Where the gold query reads JSON it stays: there ``value`` is a column of json_each.
    """
    return pred if "json_" in gold.lower() else pred.replace("value", "1")


def may_differ(gold: str, pred: str) -> bool:
    """Whether the verdict on a prediction can be another with --keep_distinct."""
    both = (gold, pred)
    if not any("distinct" in sql.lower() or ";" in sql.rstrip()[:-1] for sql in both):
        return False
    return any(prepare(sql, True) != prepare(sql, False) for sql in both)


def fix_year(sql: str) -> str:
    """Replace MySQL's current year by 2020, the year Spider's answers were made for."""
    if "curdate" not in sql.lower():
        return sql
    import re

    return re.sub(r"(?i)YEAR\s*\(\s*CURDATE\s*\(\s*\)\s*\)\s*", "2020", sql)


#: What a text must not hold to be compared by its words: comments, other quotes, and blanks that
#: are none to SQLite.
_NOT_WORDS = ("--", "/*", "#", "`", "[", *"\0\x0b\x1c\x1d\x1e\x1f")


def spelled_alike(one: str, other: str) -> bool:
    """Whether two queries are the same but for case and blanks outside quotes.

    It may say no where they are, never yes where they are not.
    """
    if one == other:
        return True
    one, other = one.strip().removesuffix(";"), other.strip().removesuffix(";")
    if one.lower().split() != other.lower().split():
        return False
    for quote, another in ("'\"", "\"'"):
        if quote in one and (another in one or one.split(quote)[1::2] != other.split(quote)[1::2]):
            return False
    both = one + other
    return both.isascii() and not any(mark in both for mark in _NOT_WORDS)


class GoldError(Exception):
    """The gold query itself failed."""


class Gold:
    """A gold result on one database, and the tables it was read from (none if it was kept)."""

    __slots__ = ("rows", "width", "tables", "used_tables")

    def __init__(
        self,
        rows: Rows,
        width: int,
        tables: frozenset[str] = frozenset(),
        used_tables: frozenset[str] = frozenset(),
    ) -> None:
        self.rows = rows
        self.width = width
        self.tables = tables
        self.used_tables = used_tables


class Verdict:
    """Execution verdict: right or wrong, why, and the witness: where the results differ.

    ``fits`` says of a wrong result that it has rows, and no more than the gold query's; ``width``
    that it has more or fewer columns.
    """

    __slots__ = ("right", "kind", "message", "witness", "fits", "width")

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
        self.fits = False
        self.width = False


def _prepared_gold(sql: str, keep_distinct: bool) -> tuple[str, str, bool]:
    """Return a gold query without DISTINCT, as it is executed, and whether its order counts."""
    text = prepare(sql, keep_distinct)
    return text, fix_year(text), "order by" in text.lower()


def _unknown_name(verdict: Verdict) -> str:
    """Return the name, in lower case, that a query failed for; empty if it did not."""
    if verdict.kind not in _VALUE_INDEPENDENT or not verdict.message:
        return ""
    return verdict.message.rsplit(":", 1)[-1].strip().rsplit(".", 1)[-1].lower()


def _is_hopeless(verdict: Verdict, gold_text: str) -> bool:
    """Whether no other value can repair the error: it names something no value contains."""
    name = _unknown_name(verdict)
    return bool(name) and name not in gold_text.lower()


def _is_structural(verdict: Verdict, pred_text: str) -> bool:
    """Whether a prediction is wrong by its columns or names, whatever its quoted values are."""
    if verdict.kind == errors.WRONG_COLUMNS:
        return verdict.width
    name = _unknown_name(verdict)
    return bool(name) and not any(
        name in part.lower() for quote in "'\"" for part in pred_text.split(quote)[1::2]
    )


class ExecutionJudge:
    """Compares results on all databases of a question.

    Args:
        session: where queries run.
        limits: seconds of processor time and steps of SQLite for a gold query, and again for
            everything a prediction needs.
        plug_value: also try the gold query's values in the prediction.
        cache: gold results kept between runs, or None.
        witnesses: show where a wrong prediction's rows differ.
    """

    def __init__(
        self,
        session: Session,
        limits: tuple[float, float],
        plug_value: bool,
        cache: GoldCache | None = None,
        witnesses: bool = True,
    ) -> None:
        self._cache = cache
        self._session = session
        self._limits = limits
        self._plug_value = plug_value
        self._witnesses = witnesses
        self._prepare_gold = lru_cache(maxsize=_MAX_PREPARED)(_prepared_gold)
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
        session = self._session
        left = session.left()
        self.begin()
        before, used_before = set(session.tables), set(session.used_tables)
        session.tables.clear()
        session.used_tables.clear()
        try:
            rows, names, _ = session.run(path, sql)
        except QueryError as error:
            raise GoldError(f"{error.message} (on {path})") from error
        self._set_limits(*left)
        tables, used = frozenset(session.tables), frozenset(session.used_tables)
        session.tables.clear()
        session.used_tables.clear()
        session.tables |= before
        session.used_tables |= used_before
        found = Gold(rows, len(rows[0]) if rows else len(names), tables, used)
        if self._cache and not self._session.varies:
            self._cache.put(path, "rows", sql, (rows, found.width), len(rows) * found.width)
        return found

    def golds(self, paths: list[str], gold_sql: str, keep_distinct: bool) -> list[Gold]:
        """Return the gold results on some databases.

        Raises:
            GoldError: the gold query failed.
        """
        _, gold, _ = self._prepare_gold(gold_sql, keep_distinct)
        return [self.gold(path, gold) for path in paths]

    def judge(self, paths: list[str], gold_sql: str, pred_sql: str, keep_distinct: bool) -> Verdict:
        """Return the verdict of the official evaluator on one question.

        Args:
            paths: the database files of the question.
            gold_sql: the gold query.
            pred_sql: the prediction.
            keep_distinct: leave DISTINCT in both queries.

        Raises:
            GoldError: the gold query failed.
        """
        if not pred_sql.strip():
            return Verdict(False, errors.SYNTAX, "the prediction is empty")
        gold_text, gold, order_matters = self._prepare_gold(gold_sql, keep_distinct)
        pred_text = prepare(pred_sql, keep_distinct)
        self.begin()
        first = self._on_all(paths, gold, fix_year(pred_text), order_matters, True)
        if first.right or not self._plug_value or first.kind in _OUT_OF_LIMITS:
            return first
        # Here, because its expressions take time to compile.
        from .plug_value import Plugged, only_operands_change

        if _is_structural(first, pred_text) and only_operands_change(gold_text, pred_text):
            return first
        for tried, candidate in enumerate(Plugged(gold_text, pred_text).candidates(), 1):
            verdict = self._on_all(paths, gold, fix_year(candidate), order_matters, False)
            if verdict.right:
                return verdict
            if verdict.kind in _OUT_OF_LIMITS:
                return Verdict(
                    False, verdict.kind, f"{verdict.message} after {tried} value assignments"
                )
            if _is_hopeless(verdict, gold_text):
                break
        return first

    def _on_all(
        self, paths: list[str], gold_text: str, pred_text: str, order_matters: bool, first: bool
    ) -> Verdict:
        """Compare on each database; only the first candidate's verdict says what is wrong."""
        alike = spelled_alike(pred_text, gold_text)
        for path in paths:
            gold = self.gold(path, gold_text)
            if alike:
                self._session.tables |= gold.tables
                self._session.used_tables |= gold.used_tables
                continue
            height = len(gold.rows)
            width = gold.width if height else None
            try:
                # One row more than the gold query's: where there are too many, one is a witness.
                rows, names, complete = self._session.run(path, pred_text, height + 1, width)
                if complete and equivalent(
                    gold.rows, rows, order_matters, self._session.check_limits
                ):
                    continue
            except QueryError as error:
                return Verdict(False, error.kind, error.message)
            except MemoryError as error:
                return Verdict(False, errors.MEMORY, errors.classify(error).message)
            if not first:
                return Verdict(False)
            verdict = _explain(gold, rows, names, complete, order_matters)
            verdict.fits = complete and 0 < len(rows) <= height
            verdict.width = width is not None and len(names) != width
            if self._witnesses:
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
