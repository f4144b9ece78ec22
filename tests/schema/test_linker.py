"""Schemas that are pruned by what a trained linker says of their tables and columns."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_models import save_linker

from text2sql.errors import UserError
from text2sql.files import write_json
from text2sql.schema import Column, ForeignKey, Schema, Table, prune_schema
from text2sql.schema.linker import FILE, Linker, Relevance, Scorer, column_texts, table_texts

pytest.importorskip("sentence_transformers", reason="not installed; run: make setup")
SCHEMA = Schema(
    "rental",
    (
        Table(
            "bikeShop",
            (Column("shop_id", "INTEGER", True), Column("city"), Column("openingYear", "INTEGER")),
        ),
        Table("bike", (Column("bike_id", "INTEGER", True), Column("shop_id"), Column("colour"))),
        Table("staff", (Column("staff_id", "INTEGER", True), Column("name"))),
    ),
    (ForeignKey("bike", "shop_id", "bikeShop", "shop_id"),),
)


def saying(tables: dict[str, float], columns: dict[tuple[str, str], float]) -> Scorer:
    """A linker that says this, and of all else that it is hardly needed."""

    def score(schema: Schema, question: str) -> Relevance:
        names = [(table.name, column.name) for table in schema.tables for column in table.columns]
        return Relevance(
            {table.name: tables.get(table.name, 0.01) for table in schema.tables},
            {name: columns.get(name, 0.01) for name in names},
        )

    return score


def test_the_texts_that_are_read_are_words() -> None:
    assert table_texts(SCHEMA)["bikeShop"] == "bike shop: shop id, city, opening year"
    columns = column_texts(SCHEMA)
    assert columns["bikeShop", "openingYear"] == "bike shop. opening year: integer"
    assert columns["bike", "shop_id"] == "bike. shop id: text of bike shop"


def test_what_the_linker_finds_needed_stays_in_place_of_common_words() -> None:
    said = saying({}, {("staff", "name"): 0.9})
    asked = "Which colour has each bike in the shop?"
    pruned = prune_schema(SCHEMA, asked, 16, scorer=said)
    assert pruned.names() == {("staff", "name")}
    assert ("staff", "name") not in prune_schema(SCHEMA, asked, 16).names()


def test_the_keys_of_a_join_stay_with_its_tables() -> None:
    said = saying({}, {("bike", "colour"): 0.9, ("bikeShop", "city"): 0.8, ("staff", "name"): 0.3})
    pruned = prune_schema(SCHEMA, "?", 55, scorer=said)
    assert {t.name for t in pruned.tables} == {"bike", "bikeShop"}
    assert {("bike", "shop_id"), ("bikeshop", "shop_id")} <= pruned.names()
    assert pruned.foreign_keys == SCHEMA.foreign_keys


def test_a_table_that_is_needed_stays_where_none_of_its_columns_is() -> None:
    said = saying({"staff": 0.9}, {("bike", "colour"): 0.5})
    pruned = prune_schema(SCHEMA, "How many people work there?", 16, scorer=said)
    assert [table.name for table in pruned.tables] == ["staff"]


def test_a_schema_that_fits_is_not_scored() -> None:
    def never(schema: Schema, question: str) -> Relevance:
        raise AssertionError("scored for nothing")

    assert prune_schema(SCHEMA, "?", 1000, scorer=never) is SCHEMA


def test_a_linker_scores_every_name_and_reads_the_question(tmp_path: Path) -> None:
    linker = Linker(save_linker(tmp_path / "linker"))
    scores = linker(SCHEMA, "How many bikes?")
    assert set(scores.tables) == {table.name for table in SCHEMA.tables}
    assert {(t.casefold(), c.casefold()) for t, c in scores.columns} == SCHEMA.names()
    values = [*scores.tables.values(), *scores.columns.values()]
    assert all(0 <= value <= 1 for value in values) and len(set(values)) > 3
    assert linker(SCHEMA, "How many bikes? ") is scores, "a question is scored once"
    assert linker(SCHEMA, "Which city?") != scores
    assert Linker(tmp_path / "linker")(SCHEMA, "How many bikes?") == scores
    other = Linker(save_linker(tmp_path / "other", seed=1))
    assert other(SCHEMA, "How many bikes?") != scores


def test_what_is_no_linker_is_refused_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no schema linker here; .*make train-linker") as refused:
        Linker(tmp_path / "none")
    assert "\n" not in str(refused.value)
    with pytest.raises(UserError, match=r"not a schema linker; .*make train-linker"):
        Linker(tmp_path)
    write_json(tmp_path / FILE, {"format": 0})
    with pytest.raises(UserError, match=r"of another form; .*make train-linker"):
        Linker(tmp_path)
    folder = save_linker(tmp_path / "linker")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(UserError, match="broken or incomplete"):
        Linker(folder)
