"""The sequences that rows about one schema are counted to become."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from text2sql.data.sharing import Sharing
from text2sql.train.shared_schema import IGNORED, TokenRow, group_rows


def test_rows_about_one_schema_share_it() -> None:
    sharing = Sharing(cutoff=100)
    for schema in ("a", "b", "a", "a"):
        sharing.add(schema, shared=50, tokens=70)
    assert sharing.sequences == [90, 70, 70]
    assert sharing.summary() == {"schemas": 2, "sequences": 3, "factor": 1.22}


def test_no_rows_share_nothing() -> None:
    assert Sharing().summary() == {"schemas": 0, "sequences": 0, "factor": 0.0}


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(2, 30)), min_size=1), st.integers(5, 80))
def test_they_are_the_sequences_that_training_makes(
    rows: list[tuple[int, int]], cutoff: int
) -> None:
    """Where a schema is followed by what no two rows have in common."""
    sharing = Sharing(cutoff)
    made = []
    for number, (schema, own) in enumerate(rows):
        beginning = [schema] * (3 + schema)
        ids = [*beginning, *[100 + number] * own]
        sharing.add(schema, len(beginning), len(ids))
        made.append((schema, TokenRow(ids, [IGNORED] * (len(ids) - 1) + [9])))
    groups = group_rows(made, cutoff)
    # A sequence of one row has nothing to share; both count it whole.
    assert sharing.sequences == [group.tokens for group in groups]
