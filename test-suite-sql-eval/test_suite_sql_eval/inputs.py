"""Read gold and prediction files, and say exactly what is wrong with them.

Format (that of the official evaluator): a gold line is ``SQL<tab>db_id``, a prediction line is
``SQL`` (anything after a tab is ignored); the turns of an interaction follow each other and a blank
line ends the interaction.  A file without blank lines is single-turn.
"""

from __future__ import annotations

from .errors import InputError


class Question:
    """One turn: where it stands and what is compared.

    Attributes:
        session: number of the interaction, from 0.
        turn: number of the turn in it, from 0.
        gold: the gold query.
        db_id: the database id.
        pred: the predicted query.
        gold_place: ``file:line`` of the gold query, for messages.
    """

    __slots__ = ("session", "turn", "gold", "db_id", "pred", "gold_place")

    def __init__(
        self, session: int, turn: int, gold: str, db_id: str, pred: str, gold_place: str
    ) -> None:
        self.session = session
        self.turn = turn
        self.gold = gold
        self.db_id = db_id
        self.pred = pred
        self.gold_place = gold_place


Line = tuple[str, int]


def _read_lines(path: str) -> list[str]:
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        reason = f"{path}: cannot read the file ({error.strerror}); check the path"
        raise InputError(reason) from error
    try:
        text = data.decode("utf-8")
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


def _sessions(lines: list[str]) -> list[list[Line]]:
    """Group lines into interactions; each blank line ends one, as in the official evaluator."""
    sessions: list[list[Line]] = []
    current: list[Line] = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            current.append((line.strip(), number))
        else:
            sessions.append(current)
            current = []
    if current:
        sessions.append(current)
    return sessions


def _first_blank(lines: list[str]) -> int | None:
    return next((number for number, line in enumerate(lines, 1) if not line.strip()), None)


def read_questions(gold_path: str, pred_path: str) -> tuple[list[Question], int]:
    """Read both files and pair them.

    Returns:
        The questions in file order, and the number of interactions (blank interactions count).

    Raises:
        InputError: a file cannot be read, a gold line is malformed, or the files do not pair up.
    """
    gold_lines, pred_lines = _read_lines(gold_path), _read_lines(pred_path)
    golds, preds = _sessions(gold_lines), _sessions(pred_lines)
    if not any(golds):
        raise InputError(f"{gold_path}: the file holds no gold query")
    if not any(preds):
        raise InputError(f"{pred_path}: the file holds no prediction")
    blank = _first_blank(pred_lines)
    if len(golds) == 1 and blank and [len(part) for part in preds] != [len(golds[0])]:
        raise InputError(
            f"{pred_path}:{blank}: empty line; a prediction file has one SQL a line, so write any "
            "wrong SQL (for example SELECT) where the model gave none"
        )
    if len(golds) != len(preds):
        raise InputError(
            f"{pred_path}: {len(preds)} interactions, but {gold_path} has {len(golds)}; blank "
            "lines must separate the same interactions in both files"
        )
    questions: list[Question] = []
    for session, (gold, pred) in enumerate(zip(golds, preds, strict=True)):
        if len(gold) != len(pred):
            last_gold = gold[-1][1] if gold else 0
            last_pred = pred[-1][1] if pred else 0
            where = f"interaction {session + 1}: " if len(golds) > 1 else ""
            raise InputError(
                f"{where}{len(gold)} gold queries (up to {gold_path}:{last_gold}) but "
                f"{len(pred)} predictions (up to {pred_path}:{last_pred}); every gold line needs "
                "one prediction"
            )
        pairs = zip(gold, pred, strict=True)
        for turn, ((gold_line, gold_number), (pred_line, _)) in enumerate(pairs):
            parts = gold_line.split("\t")
            if len(parts) != 2:
                raise InputError(
                    f"{gold_path}:{gold_number}: {len(parts)} tab-separated fields instead of 2; "
                    "a gold line is the SQL, one tab and the database id"
                )
            questions.append(
                Question(
                    session,
                    turn,
                    parts[0],
                    parts[1],
                    pred_line.split("\t")[0],
                    f"{gold_path}:{gold_number}",
                )
            )
    return questions, len(golds)
