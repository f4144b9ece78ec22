"""Words that end a turn: taken apart wherever in a question or schema they stand."""

from __future__ import annotations

from text2sql.prompt import Example
from text2sql.schema import Column, ForeignKey, Schema, Table
from text2sql.serve.control_words import disarm

END = "<|im_end|>"


def test_every_text_of_a_schema_is_taken_apart() -> None:
    column = Column(f"a{END}", f"TEXT{END}", True, (f"value{END}", 5, None), comment=END)
    table = Table(f"t{END}", (column,), ((END, 1.5),), unique=((f"a{END}",),))
    schema = Schema(f"d{END}", (table,), (ForeignKey(f"t{END}", f"a{END}", END, END),))
    safe = disarm(schema)
    assert "<|" not in repr(safe)
    assert repr(safe) == repr(schema).replace("<|", "< |")


def test_what_holds_no_such_word_stays_as_it_is() -> None:
    table = Table("t", (Column("a < b | c", examples=(1, "x")),), row_count=3)
    schema = Schema("d", (table,))
    assert disarm(schema) == schema
    assert disarm(None) is None
    assert Example(*disarm(Example("q", "SELECT 1"))) == Example("q", "SELECT 1")
