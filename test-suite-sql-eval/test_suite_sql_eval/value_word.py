"""The word ``value``, for which the official evaluator puts 1 in predictions, in names as well."""

from __future__ import annotations

from collections.abc import Sequence

from .inputs import Question


def value_words(questions: Sequence[Question]) -> list[str]:
    """Return a warning where a prediction holds the word, if one does."""
    places = [question.gold_place for question in questions if "value" in question.pred]
    if not places:
        return []
    return [
        f"{places[0]}{f' and {len(places) - 1} more' if places[1:] else ''}: the prediction holds"
        " 'value'; exec and match put 1 for it, in names too, as the official evaluator does,"
        " while strict_ex, bird_set_ex and execution_success judge it as written"
    ]
