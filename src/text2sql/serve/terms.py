"""Business terms: what words of a question mean in this database, told to the model."""

from __future__ import annotations

import re
import threading
from pathlib import Path

from pydantic import Field

from text2sql.config import StrictModel, check_config, read_yaml
from text2sql.errors import UserError
from text2sql.serve.control_words import disarm

MOST = 10  # terms of one question


class Term(StrictModel):
    """A term; `sql` is a condition or an expression that it stands for, where there is one."""

    name: str = Field(min_length=1)
    meaning: str = Field(min_length=1)
    sql: str = ""


class Glossary(StrictModel):
    """A file of terms."""

    terms: tuple[Term, ...]


class Terms:
    """The terms of a file, read anew when it changes.

    Args:
        path: a YAML file with the key ``terms``, a list of {name, meaning, sql}; None: no terms.

    Raises:
        UserError: the file is missing or wrong.
    """

    def __init__(self, path: str | None) -> None:
        self._path = Path(path) if path else None
        self._reading = threading.Lock()
        self._seen: object = None
        self._known: list[tuple[re.Pattern[str], Term]] = []
        self._read()

    def _read(self) -> None:
        if self._path is None:
            return
        stamp = self._path.stat().st_mtime_ns if self._path.is_file() else None
        if stamp is None or stamp != self._seen:
            terms = check_config(read_yaml(self._path), Glossary, str(self._path)).terms
            # The longest first, so that "active customer" goes before "customer".
            ordered = sorted(terms, key=lambda term: -len(term.name))
            self._known = [(_pattern(term.name), term) for term in ordered]
            self._seen = stamp

    def evidence(self, question: str) -> tuple[str, str | None]:
        """Return what a question's terms mean, and why that is not up to date, if so.

        Args:
            question: in plain words; letter case does not count.
        """
        fault = None
        with self._reading:
            try:
                self._read()
            except UserError as error:  # the last good state goes on
                fault = f"terms: {error}"
            matching = [term for pattern, term in self._known if pattern.search(question)]
        return disarm("; ".join(map(_told, matching[:MOST]))), fault


def _pattern(name: str) -> re.Pattern[str]:
    """A term as a word of its own, where it is written in letters that leave spaces."""
    words = r"\s+".join(map(re.escape, name.split()))
    before = r"(?<!\w)" if name[:1].isascii() else ""
    after = r"(?:s|es)?(?!\w)" if name[-1:].isascii() else ""
    return re.compile(f"{before}{words}{after}", re.IGNORECASE)


def _told(term: Term) -> str:
    return f"{term.name} means {term.meaning}" + (f": {term.sql}" if term.sql else "")
