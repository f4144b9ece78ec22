"""What a data set gains where questions about one schema are trained as one sequence."""

from __future__ import annotations

from collections.abc import Hashable

CUTOFF = 2048  # tokens of a sequence, where a recipe does not say


class Sharing:
    """Counts the sequences that rows become, as `text2sql.train.shared_schema` makes them.

    Args:
        cutoff: most tokens of a sequence; a row that is longer makes one of its own.
    """

    def __init__(self, cutoff: int = CUTOFF) -> None:
        self.cutoff = cutoff
        self.sequences: list[int] = []  # tokens of each
        self.rows = self.plain_tokens = 0
        self._open: dict[Hashable, int] = {}

    def add(self, schema: Hashable, shared: int, tokens: int) -> None:
        """Count a row.

        Args:
            schema: equal for rows about the same schema.
            shared: tokens at its beginning that such rows have in common.
            tokens: of the whole row.
        """
        self.rows += 1
        self.plain_tokens += tokens
        number = self._open.get(schema)
        if number is not None and self.sequences[number] + tokens - shared <= self.cutoff:
            self.sequences[number] += tokens - shared
            return
        self._open[schema] = len(self.sequences)
        self.sequences.append(tokens)

    @property
    def factor(self) -> float:
        """How many times fewer tokens the sequences have than the rows."""
        return self.plain_tokens / max(1, sum(self.sequences))

    def summary(self) -> dict[str, float | int]:
        """Return schemas, sequences and factor."""
        return {
            "schemas": len(self._open),
            "sequences": len(self.sequences),
            "factor": round(self.factor, 2),
        }
