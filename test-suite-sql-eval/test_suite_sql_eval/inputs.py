"""Read gold queries and predictions, and say exactly what is wrong with them.

Text files have the form of the official evaluator: a gold line is ``SQL<tab>db_id``, a prediction
line is ``SQL`` (anything after a tab is ignored); the turns of an interaction follow each other and
a blank line ends the interaction.  A file without blank lines is single-turn.  JSON Lines and JSON
files are read by ``json_inputs``; lists come from Python.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from .entries import Entry, read_bytes
from .errors import InputError

TYPE_CHECKING = False  # importing typing takes milliseconds
if TYPE_CHECKING:
    Path = str | os.PathLike[str]
    Golds = Path | Sequence[tuple[str, str]]
    Predictions = Path | Sequence[str]


class Question:
    """One turn: where it stands and what is compared.

    Attributes:
        session: number of the interaction, from 0.
        turn: number of the turn in it, from 0.
        gold: the gold query.
        db_id: the database id.
        pred: the predicted query.
        gold_place: ``file:line`` of the gold query, for messages.
        fault: why the prediction cannot be read, or None.
    """

    __slots__ = ("session", "turn", "gold", "db_id", "pred", "gold_place", "fault")

    def __init__(self, session: int, turn: int, gold: Entry, pred: Entry) -> None:
        self.session = session
        self.turn = turn
        self.gold = gold.sql
        self.db_id = gold.db_id
        self.pred = pred.sql
        self.gold_place = gold.place
        self.fault = pred.fault


#: The entries by interaction.
Sessions = list[list[Entry]]


def _read_lines(path: str) -> list[str]:
    data = read_bytes(path)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path}:{number}: byte 0x{data[error.start]:02x} is not UTF-8; "
            "convert the file to UTF-8 (for example with iconv)"
        ) from error
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if lines and not lines[-1]:
        lines.pop()
    return lines


def _read_text(path: str) -> Sessions:
    """Group lines into interactions; each blank line ends one, as in the official evaluator."""
    sessions: Sessions = []
    current: list[Entry] = []
    for number, line in enumerate(_read_lines(path), 1):
        if line.strip():
            current.append(Entry(f"{path}:{number}", line.strip()))
        else:
            sessions.append(current)
            current = []
    if current:
        sessions.append(current)
    return sessions


def _split_gold(line: Entry) -> None:
    parts = line.sql.split("\t")
    if len(parts) != 2:
        raise InputError(
            f"{line.place}: {len(parts)} tab-separated fields instead of 2; "
            "a gold line is the SQL, one tab and the database id"
        )
    line.sql, line.db_id = parts


def _is_json(path: str) -> bool:
    return path.endswith((".json", ".jsonl"))


def _read_golds(golds: Golds) -> Sessions:
    if not isinstance(golds, (str, os.PathLike)):
        return [[Entry(f"gold query {n}", sql, db_id) for n, (sql, db_id) in enumerate(golds, 1)]]
    path = os.fspath(golds)
    if _is_json(path):
        from .json_inputs import read_golds

        return [read_golds(path)]
    sessions = _read_text(path)
    for session in sessions:
        for line in session:
            _split_gold(line)
    return sessions


def _read_predictions(predictions: Predictions, golds: Sessions) -> Sessions:
    if not isinstance(predictions, (str, os.PathLike)):
        return [[Entry(f"prediction {n}", sql) for n, sql in enumerate(predictions, 1)]]
    path = os.fspath(predictions)
    if _is_json(path):
        from .json_inputs import read_predictions

        return [read_predictions(path, sum(map(len, golds)))]
    sessions = _read_text(path)
    if not any(sessions):
        raise InputError(f"{path}: the file holds no prediction")
    for session in sessions:
        for line in session:
            line.sql = line.sql.split("\t")[0]
    if len(golds) == 1 and [len(part) for part in sessions] != [len(golds[0])]:
        blank = next((n for n, line in enumerate(_read_lines(path), 1) if not line.strip()), None)
        if blank:
            raise InputError(
                f"{path}:{blank}: empty line; a prediction file has one SQL a line, so write any "
                "wrong SQL (for example SELECT) where the model gave none"
            )
    return sessions


def _shown(source: Golds | Predictions) -> str:
    return os.fspath(source) if isinstance(source, (str, os.PathLike)) else "the list"


def read_questions(gold: Golds, pred: Predictions) -> tuple[list[Question], int]:
    """Read both sides and pair them.

    Args:
        gold: a file, or (SQL, database id) pairs.
        pred: a file, or the SQL of each prediction.

    Returns:
        The questions in order, and the number of interactions (blank interactions count).

    Raises:
        InputError: a file cannot be read, a gold line is malformed, or the sides do not pair up.
    """
    golds = _read_golds(gold)
    if not any(golds):
        raise InputError(f"{_shown(gold)} holds no gold query")
    preds = _read_predictions(pred, golds)
    if len(golds) != len(preds):
        raise InputError(
            f"{_shown(pred)}: {len(preds)} interactions, but {_shown(gold)} has {len(golds)}; "
            "blank lines must separate the same interactions in both files"
        )
    return list(_pairs(golds, preds)), len(golds)


def _pairs(golds: Sessions, preds: Sessions) -> Iterator[Question]:
    for session, (gold, pred) in enumerate(zip(golds, preds, strict=True)):
        if len(gold) != len(pred):
            last_gold, last_pred = (part[-1].place if part else "none" for part in (gold, pred))
            where = f"interaction {session + 1}: " if len(golds) > 1 else ""
            raise InputError(
                f"{where}{len(gold)} gold queries (up to {last_gold}) but {len(pred)} predictions "
                f"(up to {last_pred}); every gold query needs one prediction"
            )
        for turn, (gold_entry, pred_entry) in enumerate(zip(gold, pred, strict=True)):
            if fault := _fault(gold_entry.sql):
                raise InputError(f"{gold_entry.place}: {fault}")
            if fault := _fault(pred_entry.sql):
                pred_entry.sql = ""
                pred_entry.fault = f"{pred_entry.place}: {fault}"
            yield Question(session, turn, gold_entry, pred_entry)


def _fault(sql: object) -> str | None:
    """Say why something is no text that SQLite could read; only JSON and lists can hold such."""
    if not isinstance(sql, str):
        return f"not a text but {type(sql).__name__}"
    try:
        sql.encode()
    except UnicodeEncodeError:
        return "half of a character (a lone surrogate)"
    return None
