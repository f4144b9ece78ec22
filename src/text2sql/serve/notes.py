"""What whoever asked should know of how an answer came about."""

from __future__ import annotations

from collections import Counter

from text2sql.serve.batcher import Reply
from text2sql.serve.examples import MISSING

CUT = "the answer reached its length limit; the SQL may be incomplete"
PRUNED = "the schema was too long; the model saw only what seemed relevant to the question"


def notes_on(reply: Reply, turns: int) -> list[str]:
    """Return warnings about an answer: cut off, cut down, voted on, repaired.

    Args:
        reply: the answer.
        turns: how many earlier questions were given with it.
    """
    done, prediction, notes = reply.answer, reply.prediction, []
    if prediction.finish_reason == "length":
        notes.append(CUT)
    if done.unpruned_sha256:
        notes.append(PRUNED)
    if reply.turns < turns:
        notes.append(f"of {turns} earlier questions the model saw the last {reply.turns}")
    if reply.examples is None:
        notes.append(MISSING)
    if prediction.samples:
        notes.append(f"{prediction.votes} of {prediction.samples} samples agree on the result")
    tried = Counter(repair for repair in done.repairs if repair in ("worked", "failed"))
    if tried:
        is_one = len(done.texts) == 1
        outcomes = ", ".join(
            f"repair {outcome}" if is_one else f"{count} repairs {outcome}"
            for outcome, count in tried.items()
        )
        notes.append(f"the first answer failed ({done.first_errors[0]}); {outcomes}")
    return notes
