"""A grammar of SELECT statements over one schema, for engines that can be bound to a grammar.

Written in GBNF, llama.cpp's notation (https://github.com/ggml-org/llama.cpp/blob/master/grammars),
which vLLM's xgrammar reads too. It is the core of SQLite's SELECT
(https://sqlite.org/lang_select.html): names come from the schema, so a table or column that does
not exist cannot be written. A query over one table without an alias has only that table's columns;
where tables are joined, which column belongs to which is not checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from text2sql.schema import Schema, Table
from text2sql.schema.quoting import quote_name

# How a model spaces its SQL, and in which case, is left to it: Spider's queries, and so models
# trained on them, have " ,  " and "  =  ". Under a grammar that insists on one way, such a model
# leaves out what should follow. Two minus signs in a row would begin a comment.
COMMON = r"""
root ::= query sp ";"?
setop ::= {UNION ALL} | {UNION} | {INTERSECT} | {EXCEPT}
joined ::= {SELECT} ws items ws {FROM} ws source where? group?
source ::= (aliased | table link) link*
aliased ::= (table | nested) ws ({AS} ws)? alias | nested
nested ::= "(" sp query sp ")"
link ::= join | comma (aliased | table)
join ::= ws (({LEFT} ws ({OUTER} ws)? | {INNER} ws)? {JOIN}) ws (aliased | table) on?
on ::= ws {ON} ws condition
limit ::= ws {LIMIT} ws [0-9]+ (ws {OFFSET} ws [0-9]+)?
like ::= (ws {NOT})? ws {LIKE} sp string
is ::= ws {IS} ws ({NOT} ws)? {NULL}
compare ::= "=" | "!=" | "<>" | "<=" | ">=" | "<" | ">"
arithmetic ::= sp [+*/-] sp
function ::= {COUNT} | {SUM} | {AVG} | {MIN} | {MAX} | further
further ::= {ROUND} | {ABS} | {LENGTH} | {UPPER} | {LOWER} | {SUBSTR} | {STRFTIME} | {COALESCE}
name ::= ((alias | table) ".")? (column | "*")
alias ::= [Tt] [1-9] | [a-c]
string ::= "'" ([^'\n] | "''")* "'" | "\"" [^"\n]* "\""
number ::= [0-9]+ ("." [0-9]+)?
comma ::= sp "," sp
ws ::= " " " "?
sp ::= " "? " "?
"""
# Once for each table, with its number in the place of @, and once, without, for joined tables.
SCOPE = r"""
items@ ::= ({DISTINCT} ws)? item@ (comma item@)*
item@ ::= expr@ (ws {AS} ws alias)?
where@ ::= ws {WHERE} ws condition@
group@ ::= ws {GROUP BY} ws expr@ (comma expr@)* (ws {HAVING} ws condition@)?
rest@ ::= order@? limit? | (ws setop ws select)+ order? limit?
order@ ::= ws {ORDER BY} ws sorted@ (comma sorted@)*
sorted@ ::= expr@ (ws {ASC} | ws {DESC})?
condition@ ::= test@ (ws ({AND} | {OR}) ws test@)*
test@ ::= ({NOT} ws)? (predicate@ | "(" sp condition@ sp ")" | {EXISTS} sp nested)
predicate@ ::= expr@ (sp compare sp expr@ | between@ | in@ | like | is)
between@ ::= (ws {NOT})? ws {BETWEEN} ws expr@ ws {AND} ws expr@
in@ ::= (ws {NOT})? ws {IN} sp (nested | "(" sp expr@ (comma expr@)* sp ")")
expr@ ::= ("-" sp)? term@ (arithmetic term@)*
term@ ::= call@ | nested | "(" sp expr@ sp ")" | name@ | string | number | "*"
call@ ::= function sp "(" sp ({DISTINCT} ws)? expr@ (comma expr@)* sp ")"
"""
TABLE = r"""
one@ ::= {SELECT} ws items@ ws {FROM} ws table@ where@? group@?
name@ ::= (table@ ".")? (column@ | "*")
"""


def schema_grammar(schema: Schema) -> str:
    """Return the grammar for one database in GBNF.

    Args:
        schema: the database's whole schema; its names are the terminals of tables and columns.
    """
    numbers = range(1, len(schema.tables) + 1)
    singles = [f"one-{number}" for number in numbers]
    queries = [f"one-{number} rest-{number}" for number in numbers]
    parts = [
        COMMON,
        f"query ::= {' | '.join([*queries, 'joined rest'])}\n",
        f"select ::= {' | '.join([*singles, 'joined'])}\n",
        SCOPE.replace("@", ""),
        _terminals("", schema, schema.tables),
    ]
    for number, table in zip(numbers, schema.tables, strict=True):
        suffix = f"-{number}"
        parts += [(SCOPE + TABLE).replace("@", suffix), _terminals(suffix, schema, (table,))]
    text = re.sub(r"\{([A-Z ]+)\}", lambda found: _any_case(found[1]), "".join(parts))
    return re.sub(r"\n+", "\n", text).lstrip()


def _terminals(suffix: str, schema: Schema, tables: tuple[Table, ...]) -> str:
    """Return the rules for the names of some tables and their columns."""
    columns = (column.name for table in tables for column in table.columns)
    return (
        f"table{suffix} ::= {_any_of(schema.dialect, (table.name for table in tables))}\n"
        f"column{suffix} ::= {_any_of(schema.dialect, columns)}\n"
    )


def _any_of(dialect: str, names: Iterable[str]) -> str:
    return " | ".join(dict.fromkeys(_name(quote_name(name, dialect), dialect) for name in names))


def _name(quoted: str, dialect: str) -> str:
    """Return what stands for a name; PostgreSQL keeps the letter case of one in quotes."""
    keeps_case = dialect == "postgres" and quoted.startswith('"')
    return " ".join(map(_literal, quoted)) if keeps_case else _any_case(quoted)


def _any_case(text: str) -> str:
    """Return what stands for a text in any mixture of upper and lower case, as SQL reads it."""
    return " ".join(map(_one_character, text))


def _one_character(character: str) -> str:
    both = dict.fromkeys((character.upper(), character.lower()))
    if len(both) > 1 and all(form.isascii() for form in both):
        return f"[{''.join(both)}]"
    return _literal(character)


def _literal(character: str) -> str:
    escaped = character.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
