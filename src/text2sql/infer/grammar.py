"""A grammar of SELECT statements over one schema, for engines that can be bound to a grammar.

Written in GBNF, llama.cpp's notation (https://github.com/ggml-org/llama.cpp/blob/master/grammars),
which vLLM's xgrammar reads too. It is the core of SQLite's SELECT
(https://sqlite.org/lang_select.html): names come from the schema, so a table or column that does
not exist cannot be written. It does not know which column belongs to which table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from text2sql.schema import Schema
from text2sql.schema.render import quote

# How a model spaces its SQL, and in which case, is left to it: Spider's queries, and so models
# trained on them, have " ,  " and "  =  ". Under a grammar that insists on one way, such a model
# leaves out what should follow. Two minus signs in a row would begin a comment.
RULES = r"""
root ::= query sp ";"?
query ::= select (ws setop ws select)* order? limit?
setop ::= {UNION ALL} | {UNION} | {INTERSECT} | {EXCEPT}
select ::= {SELECT} ws ({DISTINCT} ws)? item (comma item)* ws {FROM} ws source where? group?
item ::= expr (ws {AS} ws alias)?
source ::= from-item (join | comma from-item)*
from-item ::= (table | "(" sp query sp ")") (ws ({AS} ws)? alias)?
join ::= ws (({LEFT} ws ({OUTER} ws)? | {INNER} ws)? {JOIN}) ws from-item (ws {ON} ws condition)?
where ::= ws {WHERE} ws condition
group ::= ws {GROUP BY} ws expr (comma expr)* (ws {HAVING} ws condition)?
order ::= ws {ORDER BY} ws sorted (comma sorted)*
sorted ::= expr (ws {ASC} | ws {DESC})?
limit ::= ws {LIMIT} ws [0-9]+ (ws {OFFSET} ws [0-9]+)?
condition ::= test (ws ({AND} | {OR}) ws test)*
test ::= ({NOT} ws)? (predicate | "(" sp condition sp ")" | {EXISTS} sp "(" sp query sp ")")
predicate ::= expr (sp compare sp expr | between | in | like | ws {IS} ws ({NOT} ws)? {NULL})
compare ::= "=" | "!=" | "<>" | "<=" | ">=" | "<" | ">"
between ::= (ws {NOT})? ws {BETWEEN} ws expr ws {AND} ws expr
in ::= (ws {NOT})? ws {IN} sp "(" sp (query | expr (comma expr)*) sp ")"
like ::= (ws {NOT})? ws {LIKE} sp string
expr ::= ("-" sp)? term (arithmetic term)*
arithmetic ::= sp [+*/-] sp
term ::= call | "(" sp query sp ")" | "(" sp expr sp ")" | name | string | number | "*"
call ::= function sp "(" sp ({DISTINCT} ws)? expr (comma expr)* sp ")"
function ::= {COUNT} | {SUM} | {AVG} | {MIN} | {MAX} | further
further ::= {ROUND} | {ABS} | {LENGTH} | {UPPER} | {LOWER} | {SUBSTR} | {STRFTIME} | {COALESCE}
name ::= (qualifier ".")? (column | "*")
qualifier ::= alias | table
alias ::= [Tt] [1-9] | [a-c]
string ::= "'" ([^'\n] | "''")* "'" | "\"" [^"\n]* "\""
number ::= [0-9]+ ("." [0-9]+)?
comma ::= sp "," sp
ws ::= " " " "?
sp ::= " "? " "?
"""


def schema_grammar(schema: Schema) -> str:
    """Return the grammar for one database in GBNF.

    Args:
        schema: the database's whole schema; its names are the terminals of tables and columns.
    """
    columns = [column.name for table in schema.tables for column in table.columns]
    rules = [("table", [table.name for table in schema.tables]), ("column", columns)]
    lines = [f"{rule} ::= {_any_of(map(quote, names))}" for rule, names in rules]
    keywords = re.sub(r"\{([A-Z ]+)\}", lambda found: _any_case(found[1]), RULES)
    return keywords.strip() + "\n" + "\n".join(lines) + "\n"


def _any_of(texts: Iterable[str]) -> str:
    return " | ".join(dict.fromkeys(map(_any_case, texts)))


def _any_case(text: str) -> str:
    """Return what stands for a text in any mixture of upper and lower case, as SQL reads it."""
    return " ".join(map(_one_character, text))


def _one_character(character: str) -> str:
    both = dict.fromkeys((character.upper(), character.lower()))
    if len(both) > 1 and all(form.isascii() for form in both):
        return f"[{''.join(both)}]"
    escaped = character.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
