"""Masked questions: alike intentions over different databases come out the same."""

from __future__ import annotations

from text2sql.rag.mask import mask_question

SHOPS = frozenset({("shops", "shop_name"), ("shops", "opening_year"), ("bikes", "price")})
BANDS = frozenset({("singers", "name"), ("singers", "birthYear"), ("songs", "length")})


def test_questions_of_one_shape_are_equal_under_the_mask() -> None:
    one = mask_question("How many shops are there in Marlow?", SHOPS)
    other = mask_question("How many singers are there in Paris?", BANDS)
    assert one == other == "how many _ are there in # ?"


def test_values_names_and_plurals_are_masked_and_the_intention_is_kept() -> None:
    masked = mask_question('List the price of bikes named "Volt Rider" under 300.5.', SHOPS)
    assert masked == "list the _ of _ named # under # ."


def test_names_in_camel_case_are_found() -> None:
    assert mask_question("What is the birth year?", BANDS) == "what is the _ ?"


def test_words_that_carry_the_intention_stay_though_a_column_has_them() -> None:
    names = frozenset({("stats", "total_count"), ("stats", "first")})
    assert mask_question("What is the total count?", names) == "what is the total count ?"


def test_without_a_schema_only_values_are_masked() -> None:
    masked = mask_question("Who lives in Rome since 1999", frozenset())
    assert masked == "who lives in # since #"
