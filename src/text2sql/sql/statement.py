"""Where one SQL statement ends in a text that goes on with something else.

Comments and line ends are no help to whoever runs the query, so that it is given without them; what
stands in quotes is left as it is.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

# One lexical unit of SQL: a comment, a quoted text or name, white space, a word, a sign.
_HASH = r"|(?:(?<=\s)|(?<![\s\S]))\#[ \t!][^\n]*(?=\n)"  # a comment of MySQL's
_UNITS = (
    r"(?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z){hash})"
    r"|(?P<quoted>'(?:[^'{escape}]|''{escaped})*'|\"(?:[^\"{escape}]|\"\"{escaped})*\"|`[^`]*`"
    r"|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$|\[[^\[\]\n]*\]|‘[^’\n]*’|“[^”\n]*”)"
    r"|(?P<gap>[^\S\n]*\n[^\S\n]*\n\s*)"
    r"|(?P<line>[^\S\n]*\n[^\S\n]*)"
    r"|(?P<space>\s+)"
    r"|(?P<word>[^\W\d]\w*)"
    r"|(?P<number>\d\w*(?:\.\w+)*)"
    r"|(?P<sign>.)"
)
UNIT = re.compile(_UNITS.format(escape="", escaped="", hash=_HASH), re.DOTALL)
# MySQL's texts, in which a backslash takes the next sign with it.
ESCAPING_UNIT = re.compile(_UNITS.format(escape=r"\\", escaped=r"|\\.", hash=_HASH), re.DOTALL)
# Without comments that are operators elsewhere.
STRICT_UNIT = re.compile(_UNITS.format(escape="", escaped="", hash=""), re.DOTALL)
BLANK = frozenset({"gap", "line", "space", "comment"})
# Special tokens, tags of markup and marks of a conversation: never SQL outside quotes.
TURN_END = re.compile(r"<[|｜]|</?[A-Za-z]\w*>|\[/?(?:ANSWER|SQL|INST|QUESTION|SCHEMA)\]|```|~~~")
SET_OPERATORS = frozenset({"union", "intersect", "except", "minus"})
# Words behind which a statement cannot end.
_DEMANDING = """
    select distinct all from where and or not on using by having limit offset in is like ilike glob
    regexp rlike similar between exists join as when then else case over partition order group with
    recursive values cast interval escape collate natural left right full inner outer cross asof
    lateral window any some top fetch filter within qualify tablesample div mod xor
"""
DEMANDING = SET_OPERATORS.union(_DEMANDING.split())
# Words that a line may begin with when the one before it could be the end.
CONTINUING = (DEMANDING - {"select", "distinct", "values", "top", "interval", "cast", "case"}) | {
    *(
        "end",
        "asc",
        "desc",
        "nulls",
        "rows",
        "range",
        "groups",
        "for",
        "returning",
        "at",
        "straight_join",
    ),
    *("pivot", "unpivot", "connect", "start", "isnull", "notnull", "option"),
}
DEMANDING_SIGNS = frozenset(",(=<>!+-/%|&.:~^")
CONTINUING_SIGNS = frozenset(",)=<>!/%|&+~^;")
OTHER_STATEMENTS = frozenset(
    {"select", "create", "insert", "delete", "drop", "alter", "explain", "pragma"}
)
_SPACE = r"(?:\s|--[^\n]*\n|/\*.*?\*/)"
_NAME = r"(?:[^\W\d]\w*|\"[^\"\n]+\"|`[^`\n]+`|\[[^\]\n]+\])"
# WITH is also an English word, so it counts only where a common table expression follows.
WITH = re.compile(
    rf"\bwith{_SPACE}+(?:recursive{_SPACE}+)?{_NAME}{_SPACE}*(?:\([^()]*\){_SPACE}*)?"
    rf"as{_SPACE}*(?:(?:not{_SPACE}+)?materialized{_SPACE}*)?\(",
    re.IGNORECASE | re.DOTALL,
)
# Lines that begin something else: prose, a label, a heading, a list, a turn of the conversation.
OTHER_LINE = re.compile(
    r"(?:This|The|That|These|It|Here|Note|We|You|I|Let|Please|However|Hope|Since|Because|Therefore"
    r"|If|In this|Alternatively)[,']?\s+[a-z]"
    r"|\*\*[A-Z]|#{1,6}\s|(?:[A-Z]\w*(?: [a-z]+)?|SQL\w*):(?!:)|\[/?[A-Z]+\]|\d+[.)]\s+[A-Z]"
)
TITLE = re.compile(r"[A-Z][a-z]+\b")
ENTITIES = {"&lt;": "<", "&gt;": ">", "&amp;": "&"}
ENTITY = re.compile("|".join(ENTITIES))
KEYWORD_LEFT = re.compile(
    r"\b(?:from|where|and|or|join|on|group\s+by|order\s+by|having|limit|union|as)\b", re.IGNORECASE
)


@dataclass
class Statement:
    """A statement read from a text.

    `shorter` are the statements that end earlier, at a line that reads as SQL and as English.
    """

    sql: str
    end: int
    shorter: list[str] = field(default_factory=list)


def read_statement(text: str, start: int = 0, is_code: bool = False) -> Statement:
    """Read one statement, on one line but for what stands in quotes.

    It ends at a semicolon, where another one begins, where the conversation goes on, and, unless
    `is_code`, at a line that cannot belong to it.

    Args:
        text: what a model wrote.
        start: where the statement begins.
        is_code: the text is that of a code block, which holds SQL to its end.
    """
    reader = _Reader(text, start, is_code, UNIT)
    statement = reader.read()
    if "\\'" in text or '\\"' in text:
        other = _Reader(text, start, is_code, ESCAPING_UNIT)
        escaping = other.read()
        if reader.is_open and not other.is_open:
            return escaping
    return statement


class _Reader:
    """Reads a text unit by unit.

    `is_open` tells, at the end, of a quote that is not closed, up to the end of the line.
    """

    def __init__(self, text: str, start: int, is_code: bool, unit: re.Pattern[str]) -> None:
        self._text, self._start, self._is_code, self._unit = text, start, is_code, unit
        self._parts: list[str] = []
        self._depth = 0
        self._last = ""  # the last unit that is not blank
        self._before_last = ""
        self._begun = False  # the SELECT that a list of common table expressions leads to
        self.is_open = False

    def read(self) -> Statement:
        shorter: list[str] = []
        position, text = self._start, self._text
        fresh_line = False
        while match := self._unit.match(text, position):
            kind, value = match.lastgroup, match.group()
            kind = "quoted" if kind == "tag" else kind
            if entity := ENTITY.match(text, position):
                self._take("sign", ENTITIES[entity.group()])
                position = entity.end()
                continue
            if value == ";" or TURN_END.match(text, position) or self._is_stop(value, position):
                break
            if kind in BLANK:
                fresh_line = fresh_line or kind in ("gap", "line")
                if kind in ("gap", "line") and self._ends_at_line(match.end(), shorter):
                    break
                self._parts.append(" ")
            elif fresh_line and self._begins_another(value, position):
                break
            else:
                fresh_line = False
                self._take(kind, value)
            position = match.end()
        line = text[position:].split("\n", 1)[0]
        left = {unit.group() for unit in self._unit.finditer(line)}
        self.is_open = self.is_open or not left.isdisjoint(("'", '"'))
        return Statement(_collapse(self._parts), position, shorter)

    def _take(self, kind: str | None, value: str) -> None:
        if kind == "sign" and (value == "\\" or unicodedata.category(value) == "Cf"):
            return  # Markdown's escapes and marks without width
        self._depth += {"(": 1, ")": -1}.get(value, 0)
        self._depth = max(self._depth, 0)
        self.is_open = self.is_open or value in ("'", '"')
        self._begun = self._begun or (value.lower() == "select" and self._depth == 0)
        self._before_last, self._last = self._last, value.lower()
        self._parts.append(value)

    def _is_stop(self, value: str, position: int) -> bool:
        """Whether a sign that SQL has not ends the statement: ``；``, ``。``, a dash, an emoji."""
        if len(value) > 1 or value.isascii() or unicodedata.category(value)[0] not in "PS":
            sentence = value == "." and self._depth == 0 and not self._is_code
            return sentence and _is_sentence(self._text, position)
        if value in "；。":
            return True
        if unicodedata.category(value) == "Sm":
            return False
        line = self._text[position + 1 :].split("\n", 1)[0]
        return not KEYWORD_LEFT.search(line) and value not in "）（"

    def _begins_another(self, value: str, position: int) -> bool:
        """Whether a word at the start of a line begins another statement."""
        word = value.lower()
        if self._depth or not self._begun or self._demands():
            return False
        # As a clause, WITH stands behind a table: WITH (NOLOCK), WITH TIES.
        return word in OTHER_STATEMENTS or (
            word == "with" and bool(WITH.match(self._text, position))
        )

    def _ends_at_line(self, position: int, shorter: list[str]) -> bool:
        """Whether the statement ends in front of the line that begins at a place."""
        text = self._text
        if self._last == "." and not self._is_code:  # of a sentence; no name is cut there
            del self._parts[-1]
            return True
        if not self._last or self._demands():
            return False
        if self._depth and closing_parenthesis(text, position, self._depth, self._unit):
            return False
        if OTHER_LINE.match(text, position):
            return True
        if self._is_code:
            return False
        unit = self._unit.match(text, position)
        while unit and unit.lastgroup in BLANK:
            unit = self._unit.match(text, unit.end())
        if unit is None:
            return True
        word = unit.group()
        if unit.lastgroup == "word" and word.lower() in CONTINUING | {"select", "with"}:
            if TITLE.match(word) and not self._has_title_words():
                shorter.append(_collapse(self._parts))
            return False
        if unit.lastgroup == "sign":
            if word == "|":  # not two of them: of a table
                return not text.startswith("||", unit.start())
            in_list = word in "-*(." and not self._has_from()
            return not (word in CONTINUING_SIGNS or in_list)
        return not self._is_alias(unit)

    def _demands(self) -> bool:
        if self._last in DEMANDING_SIGNS or self._last in DEMANDING:
            return True
        return self._before_last == "top" or (self._last == "*" and self._before_last != "select")

    def _is_alias(self, unit: re.Match[str]) -> bool:
        """Whether one word on a line of its own is followed by more of the statement."""
        line_ends = False
        rest = self._unit.match(self._text, unit.end())
        while rest and rest.lastgroup in BLANK:
            line_ends = line_ends or rest.lastgroup in ("line", "gap")
            rest = self._unit.match(self._text, rest.end())
        if rest is None:
            return False
        if rest.lastgroup == "word":
            return line_ends and rest.group().lower() in CONTINUING
        behind_comma = self._text[rest.end() :].split("\n", 1)[0]
        return rest.group() == "," and not (self._has_from() and behind_comma.strip())

    def _has_from(self) -> bool:
        return any(part.lower() == "from" for part in self._parts)

    def _has_title_words(self) -> bool:
        """Whether the statement's own keywords are written ``Select``, ``From``."""
        return any(part in ("Select", "From", "Where") for part in self._parts)


def one_line(sql: str) -> str:
    """Return a query without comments and on one line, but for line ends within quotes.

    What it asks for stays the same: texts and quoted names are left as they are.
    """
    units = STRICT_UNIT.finditer(sql.strip())
    return _collapse([" " if unit.lastgroup in BLANK else unit.group() for unit in units])


def closing_parenthesis(
    text: str, position: int, depth: int = 1, unit: re.Pattern[str] = UNIT
) -> int | None:
    """Return where so many parentheses that are open at a place are closed, None where nowhere."""
    for match in unit.finditer(text, position):
        depth += {"(": 1, ")": -1}.get(match.group(), 0)
        if depth == 0:
            return match.start()
    return None


def _is_sentence(text: str, position: int) -> bool:
    """Whether a full stop ends a sentence: several words follow, and none is one of SQL's."""
    line = text[position + 1 :].split("\n", 1)[0]
    begins = re.match(r"\s+[^\W\d_]", line)
    return bool(begins) and len(line.split()) > 2 and not KEYWORD_LEFT.search(line)


def _collapse(parts: list[str]) -> str:
    """Join units with at most one space between them; quoted texts keep their inner spaces."""
    kept: list[str] = []
    for part in parts:
        if part == " " and (not kept or kept[-1] == " "):
            continue
        kept.append(part)
    return "".join(kept).strip()
