"""SQL dialects of private databases: how names and values are written in each."""

from __future__ import annotations

import re

from text2sql.schema.model import Value
from text2sql.schema.render import RESERVED

DIALECTS = ("sqlite", "duckdb", "postgres", "mysql", "tsql")
PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
PLAIN_ANY_CASE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Words that one server or another does not take as a bare name, besides those of SQLite.
_WORDS = """
    analyse analyze any array asc asymmetric authorization before bigint binary blob both by
    call cascade change char character cluster collation column columns condition convert cross
    cube cume_dist current current_date current_time current_timestamp current_user cursor
    database databases day dec decimal declare delayed desc describe div do dual each elseif
    empty enclosed end except exit explain external false fetch float for force from full
    fulltext function generated grant grouping groups high_priority ignore ilike infile
    initially inner inout insensitive int integer intersect interval iterate key keys kill lag
    last_value lateral lead leading leave left level like limit linear lines load localtime
    localtimestamp lock long loop low_priority match maxvalue modifies mod natural new no not
    nth_value ntile numeric of off offset old on only open optimize option optionally outer over
    overlaps partition percent pivot placing plan precision preceding procedure proc public
    purge qualify range rank read reads real recursive ref references regexp release rename
    repeat replace require resignal restrict return returning revoke right rlike role rollback
    row row_number rows rowcount rule schema schemas select sensitive separator session_user
    show signal similar smallint some spatial specific sql starting statistics summarize
    symmetric system table tablesample text than to top trailing trigger true truncate tsequal
    undo unique unlock unpivot unsigned usage use user using values varbinary varchar varying
    verbose view virtual while window with work write xor year_month zerofill
"""
RESERVED_ON_SERVERS = RESERVED | frozenset(_WORDS.split())


def quote_name(name: str, dialect: str) -> str:
    """Return a name as the dialect takes it: bare where that is safe, else in its quotes."""
    if dialect == "sqlite":
        bare = PLAIN_ANY_CASE.fullmatch(name) and name.lower() not in RESERVED
    else:
        # PostgreSQL folds bare names to lower case; elsewhere quotes around capitals do no harm.
        shape = PLAIN if dialect == "postgres" else PLAIN_ANY_CASE
        bare = shape.fullmatch(name) and name.lower() not in RESERVED_ON_SERVERS
    if bare:
        return name
    if dialect == "mysql":
        return "`" + name.replace("`", "``") + "`"
    if dialect == "tsql":
        return "[" + name.replace("]", "]]") + "]"
    return '"' + name.replace('"', '""') + '"'


def quote_value(value: Value, dialect: str) -> str:
    """Return a value as an SQL literal; raise ValueError for NULL, which no comparison finds."""
    if value is None:
        raise ValueError("NULL has no place in a comparison")
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return str(value)
    text = value.replace("'", "''")
    return "'" + (text.replace("\\", "\\\\") if dialect == "mysql" else text) + "'"
