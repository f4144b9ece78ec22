"""Name the gold queries of a data set that are wrong, or that have more than one right answer."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from test_suite_sql_eval.compare import equivalent
from test_suite_sql_eval.executor import Result, SqlExecutor

from text2sql.data.config import DataConfig
from text2sql.data.databases import ensure_databases
from text2sql.data.limit_ties import is_ambiguous, limit_cuts
from text2sql.data.prepare import evaluation_rows, training_rows
from text2sql.data.rows import Row
from text2sql.errors import UserError
from text2sql.schema.words import EMPTY_WORDS, parts, stem

KINDS = {
    "fails": "does not run",
    "empty": "gives no row",
    "limit_tie": "its LIMIT cuts through equal keys, and the answers differ",
    "differs": "gives another result than the gold query of the same question",
    "differs_on_suites": "the same, on test suites alone",
}
MAX_ROWS = 200_000


@dataclass(frozen=True)
class Finding:
    """Something about a question's gold query.

    Attributes:
        kind: a key of `KINDS`.
        number: the question's place in its file, from 0.
        source: the file.
        db_id: the database.
        question: the question.
        sql: its gold query.
        detail: the error, the SELECT with the LIMIT, or the other question's number and query.
    """

    kind: str
    number: int
    source: str
    db_id: str
    question: str
    sql: str
    detail: str


@dataclass(frozen=True)
class GoldChecks:
    """What was looked at, and found.

    Attributes:
        questions: how many.
        findings: in the order of the questions, of one question in that of `KINDS`.
        unchecked_limits: SELECTs with a LIMIT that could not be looked into.
        variants: databases beside each question's own that equal questions were compared on.
    """

    questions: int
    findings: list[Finding]
    unchecked_limits: int
    variants: int

    def counts(self) -> dict[str, int]:
        """Return how many questions each kind has."""
        by_kind = Counter(kind for kind, _ in {(f.kind, f.number) for f in self.findings})
        return {kind: by_kind[kind] for kind in KINDS}

    def as_records(self) -> Iterator[dict[str, Any]]:
        """Yield the findings as JSON-able values."""
        return map(asdict, self.findings)


def check_golds(
    config: DataConfig,
    suites: Path | None = None,
    training: bool = False,
    timeout: float = 60.0,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> GoldChecks:
    """Run every gold query of a data set and look for what makes a verdict by it doubtful.

    Args:
        config: the data set.
        suites: folder of test suites, on which the gold queries of equal questions are compared.
        training: look at the training questions instead of the evaluation questions.
        timeout: seconds a query may take.
        progress: called with questions done and in all.

    Raises:
        UserError: a source is missing or broken, or has no databases.
    """
    folder = ensure_databases(config)
    rows = list(_training(config)) if training else evaluation_rows(config)
    if any(row.schema for row in rows):
        raise UserError("these questions come with a schema as text; there is no database to ask")
    with SqlExecutor() as executor:
        checker = _Checker(executor, folder, timeout)
        findings: list[Finding] = []
        for number, row in enumerate(rows):
            findings += checker.alone(number, row)
            progress(number + 1, len(rows))
        variants = checker.compare(rows, suites, findings)
    order = list(KINDS)
    findings.sort(key=lambda found: (found.number, order.index(found.kind)))
    return GoldChecks(len(rows), findings, checker.unchecked, variants)


def _training(config: DataConfig) -> Iterator[Row]:
    return (row for row in training_rows(config) if isinstance(row, Row))


class _Checker:
    def __init__(self, executor: SqlExecutor, folder: Path, timeout: float) -> None:
        self._executor, self._folder, self._timeout = executor, folder, timeout
        self.unchecked = 0

    def _own(self, row: Row) -> Path:
        return self._folder / row.db_id / f"{row.db_id}.sqlite"

    def _run(self, path: Path, sql: str) -> Result:
        return self._executor.run(path, sql, self._timeout, MAX_ROWS)

    def alone(self, number: int, row: Row) -> Iterator[Finding]:
        """Yield what a gold query shows by itself."""
        result = self._run(self._own(row), row.sql)
        if not result.ok:
            yield _finding("fails", number, row, str(result.error))
            return
        if not result.rows:
            yield _finding("empty", number, row, "")
        cuts, unchecked = limit_cuts(row.sql)
        self.unchecked += unchecked
        for cut in cuts:
            rows = self._run(self._own(row), cut.probe)
            if not rows.ok or rows.truncated:  # a sub-query that depends on outer rows
                self.unchecked += 1
            elif is_ambiguous(cut, rows.rows):
                yield _finding("limit_tie", number, row, cut.probe)

    def compare(self, rows: Sequence[Row], suites: Path | None, findings: list[Finding]) -> int:
        """Compare the gold queries of equal questions; return the number of variants used."""
        groups: dict[tuple[str, tuple[str, ...]], list[int]] = defaultdict(list)
        for number, row in enumerate(rows):
            groups[row.db_id, plain(row.question)].append(number)
        variants: set[Path] = set()
        for (db_id, _), numbers in groups.items():
            first, *others = numbers
            for other in others:
                one, two = rows[first], rows[other]
                if one.sql == two.sql:
                    continue
                detail = f"question {first}: {one.sql}"
                if self._differ(self._own(one), one.sql, two.sql):
                    findings.append(_finding("differs", other, two, detail))
                    continue
                files = sorted((suites / db_id).glob("*.sqlite")) if suites else []
                variants.update(files)
                if any(self._differ(path, one.sql, two.sql) for path in files):
                    findings.append(_finding("differs_on_suites", other, two, detail))
        return len(variants)

    def _differ(self, path: Path, one: str, other: str) -> bool:
        results = [self._run(path, sql) for sql in (one, other)]
        if not all(result.ok for result in results):
            return False  # that one fails is said already
        ordered = any("order by" in sql.lower() for sql in (one, other))
        return not equivalent(results[0].rows, results[1].rows, ordered)


def _finding(kind: str, number: int, row: Row, detail: str) -> Finding:
    return Finding(kind, number, row.source, row.db_id, row.question, row.sql, detail)


def plain(question: str) -> tuple[str, ...]:
    """Return what two questions share that ask the same in the same words, in whatever order."""
    words = [word for word in parts(question) if word.casefold() not in EMPTY_WORDS]
    return tuple(sorted(map(stem, words or parts(question))))


def findings_page(title: str, checks: GoldChecks) -> str:
    """Return the findings as a Markdown page, each question named."""
    lines = [f"# Gold queries of {title}", "", "| finding | questions |", "|---|---|"]
    counts = checks.counts()
    lines += [f"| {KINDS[kind]} | {count} |" for kind, count in counts.items()]
    lines += [
        "",
        f"{checks.questions} questions; {len({f.number for f in checks.findings})} with a finding;"
        f" {checks.unchecked_limits} SELECTs with a LIMIT could not be looked into; equal questions"
        f" compared on {checks.variants} variants of test suites.",
    ]
    for kind in KINDS:
        found = [finding for finding in checks.findings if finding.kind == kind]
        if found:
            lines += ["", f"## {kind}: {KINDS[kind]}", ""]
        for finding in found:
            place = f"{finding.number} ({finding.db_id})"
            lines.append(f"- {place}: {finding.question} `{_one_line(finding.sql)}`")
            if finding.detail and kind != "limit_tie":
                lines.append(f"  - {_one_line(finding.detail)}")
    return "\n".join(lines) + "\n"


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("`", "'")
