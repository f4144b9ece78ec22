"""A grammar of SELECT statements over one schema, for engines that can be bound to a grammar.

Written in GBNF, llama.cpp's notation (https://github.com/ggml-org/llama.cpp/blob/master/grammars),
which vLLM's xgrammar reads too. It is the core of SQLite's SELECT
(https://sqlite.org/lang_select.html): names come from the schema, so a table or column that does
not exist cannot be written. It does not know which column belongs to which table.
"""

from __future__ import annotations

from text2sql.schema import Schema
from text2sql.schema.render import quote

RULES = r"""
root ::= query ";"?
query ::= select (ws setop ws select)* order? limit?
setop ::= "UNION ALL" | "UNION" | "INTERSECT" | "EXCEPT"
select ::= "SELECT " "DISTINCT "? item (", " item)* " FROM " source where? group?
item ::= expr (" AS " alias)?
source ::= from-item (join | ", " from-item)*
from-item ::= (table | "(" query ")") (" AS " alias)?
join ::= (" JOIN " | " LEFT JOIN " | " INNER JOIN ") from-item (" ON " condition)?
where ::= " WHERE " condition
group ::= " GROUP BY " expr (", " expr)* (" HAVING " condition)?
order ::= " ORDER BY " expr (" ASC" | " DESC")? (", " expr (" ASC" | " DESC")?)*
limit ::= " LIMIT " [0-9]+ (" OFFSET " [0-9]+)?
condition ::= test ((" AND " | " OR ") test)*
test ::= "NOT "? (predicate | "(" condition ")" | "EXISTS (" query ")")
predicate ::= expr (" "? compare " "? expr | between | in | like | " IS NULL" | " IS NOT NULL")
compare ::= "=" | "!=" | "<>" | "<=" | ">=" | "<" | ">"
between ::= " NOT"? " BETWEEN " expr " AND " expr
in ::= " NOT"? " IN (" (query | expr (", " expr)*) ")"
like ::= " NOT"? " LIKE " string
expr ::= term (" "? [+*/-] " "? term)*
term ::= call | "(" query ")" | "(" expr ")" | name | string | number | "*"
call ::= function "(" "DISTINCT "? expr (", " expr)* ")"
function ::= "COUNT" | "count" | "SUM" | "sum" | "AVG" | "avg" | least | extra
least ::= "MIN" | "min" | "MAX" | "max"
extra ::= "ROUND" | "ABS" | "LENGTH" | "UPPER" | "LOWER" | "SUBSTR" | "STRFTIME" | "COALESCE"
name ::= (qualifier ".")? (column | "*")
qualifier ::= alias | table
alias ::= "T" [1-9] | "t" [1-9] | "a" | "b" | "c"
string ::= "'" ([^'\n] | "''")* "'" | "\"" [^"\n]* "\""
number ::= "-"? [0-9]+ ("." [0-9]+)?
ws ::= " "
"""


def schema_grammar(schema: Schema) -> str:
    """Return the grammar for one database in GBNF.

    Args:
        schema: the database's whole schema; its names are the terminals of tables and columns.
    """
    tables = dict.fromkeys(quote(table.name) for table in schema.tables)
    columns = dict.fromkeys(
        quote(column.name) for table in schema.tables for column in table.columns
    )
    rules = [("table", tables), ("column", columns)]
    lines = [f"{name} ::= {' | '.join(map(_terminal, texts))}" for name, texts in rules]
    return RULES.strip() + "\n" + "\n".join(lines) + "\n"


def _terminal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
