"""All sets of a collection whose Jaccard similarity to a given one reaches a threshold, exactly.

Prefix filtering (Bayardo, Ma and Srikant, 2007): order all elements, rare ones first. Two sets of
similarity t or more share an element among the first ``n - ceil(t * n) + 1`` of each, n being its
size; so only those few are indexed and looked up.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence, Set


class SimilarSets:
    """A collection of sets to look up by similarity.

    Args:
        sets: the collection.
        threshold: least Jaccard similarity that counts, above 0.
    """

    def __init__(self, sets: Sequence[Set[bytes]], threshold: float) -> None:
        self._sets, self._threshold = sets, threshold
        self._frequency = Counter(element for members in sets for element in members)
        self._index: dict[bytes, list[int]] = defaultdict(list)
        for number, members in enumerate(sets):
            for element in self._prefix(members):
                self._index[element].append(number)

    def find(self, members: Set[bytes]) -> set[int]:
        """Return the positions of the sets that are similar enough to this one."""
        candidates: set[int] = set()
        for element in self._prefix(members):
            candidates.update(self._index.get(element, ()))
        return {c for c in candidates if self._is_similar(members, self._sets[c])}

    def _is_similar(self, one: Set[bytes], other: Set[bytes]) -> bool:
        shared = len(one & other)
        return shared / (len(one) + len(other) - shared or 1) >= self._threshold

    def _prefix(self, members: Set[bytes]) -> list[bytes]:
        # The small term keeps a rounding error from making the prefix one element too short.
        length = len(members) - math.ceil(self._threshold * len(members) - 1e-9) + 1
        frequency = self._frequency
        return sorted(members, key=lambda element: (frequency[element], element))[:length]
