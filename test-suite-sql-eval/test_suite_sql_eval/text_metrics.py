"""Metrics on the text of queries: they compare writing, not meaning.

* ``normalized_exact_match``: equal after sqlparse has laid both out alike (keywords in upper case,
  names in lower case, comments and extra space gone, no closing semicolon);
* ``token_f1``: F1 of the two bags of tokens, lower case outside of string values;
* ``bleu4``: corpus BLEU with 4-grams on those tokens, by sacrebleu (Papineni et al., 2002);
* ``rouge1``, ``rouge2``, ``rougeL``: mean F-measure on those tokens, by rouge-score (Lin, 2004).

All are between 0 and 1.  Needs the package's extra ``text`` (sqlparse, sacrebleu, rouge-score).
Increase `VERSION` when a definition changes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from types import ModuleType

from .errors import InputError

VERSION = 1
MAX_TOKENS = 4000
ROUGE_TYPES = ("rouge1", "rouge2", "rougeL")
_TOKEN = re.compile(r"'(?:''|[^'])*'|\"[^\"]*\"|`[^`]*`|\w+|[<>!]=|<>|\|\||[^\w\s]")


class _Splitter:
    """Hands rouge-score our tokens; its own tokenizer drops every sign."""

    def tokenize(self, text: str) -> list[str]:
        return tokens(text)


def corpus_scores(golds: Sequence[str], preds: Sequence[str]) -> dict[str, float]:
    """Scores predictions against gold queries, all as means over the questions but BLEU.

    Args:
        golds: the gold queries.
        preds: the predictions, in the same order.

    Returns:
        The metrics of the module's description by name.

    Raises:
        InputError: the lengths differ or an extra is not installed.
    """
    if len(golds) != len(preds):
        raise InputError(f"{len(golds)} gold queries but {len(preds)} predictions")
    if not golds:
        raise InputError("there are no queries to compare")
    sqlparse, sacrebleu, rouge = map(_load, ("sqlparse", "sacrebleu", "rouge_score.rouge_scorer"))
    pairs = list(zip(golds, preds, strict=True))
    scores = {
        "normalized_exact_match": _mean(
            [float(_normalized(g, sqlparse) == _normalized(p, sqlparse)) for g, p in pairs]
        ),
        "token_f1": _mean([token_f1(g, p) for g, p in pairs]),
        "bleu4": _bleu(pairs, sacrebleu),
    }
    scorer = rouge.RougeScorer(list(ROUGE_TYPES), tokenizer=_Splitter())
    each = [scorer.score(gold, pred) for gold, pred in pairs]
    scores.update({name: _mean([score[name].fmeasure for score in each]) for name in ROUGE_TYPES})
    return scores


def tokens(sql: str) -> list[str]:
    """Cuts a query into tokens: quoted values whole and as written, all else in lower case."""
    found = _TOKEN.findall(sql.strip().rstrip(";"))
    return [token if token[0] in "'\"`" else token.lower() for token in found]


def token_f1(gold: str, pred: str) -> float:
    """Returns the F1 of the two bags of tokens; two empty queries score 1."""
    left, right = Counter(tokens(gold)), Counter(tokens(pred))
    if not left or not right:
        return float(left == right)
    return 2 * (left & right).total() / (left.total() + right.total())


def normalize(sql: str) -> str:
    """Lays a query out in the one way that ``normalized_exact_match`` compares.

    Raises:
        InputError: sqlparse is not installed.
    """
    return _normalized(sql, _load("sqlparse"))


def _normalized(sql: str, sqlparse: ModuleType) -> str:
    # sqlparse is slow on very long texts or refuses them; those are compared as written.
    if len(tokens(sql)) <= MAX_TOKENS:
        with suppress(sqlparse.exceptions.SQLParseError, RecursionError):
            sql = sqlparse.format(
                sql,
                keyword_case="upper",
                identifier_case="lower",
                strip_comments=True,
                strip_whitespace=True,
                use_space_around_operators=True,
            )
    spaced = re.sub(r"\s*([(),])\s*", r" \1 ", sql)
    return " ".join(spaced.split()).rstrip("; ")


def _bleu(pairs: Sequence[tuple[str, str]], sacrebleu: ModuleType) -> float:
    golds = [" ".join(tokens(gold)) for gold, _ in pairs]
    preds = [" ".join(tokens(pred)) for _, pred in pairs]
    metric = sacrebleu.BLEU(tokenize="none", force=True)
    return float(metric.corpus_score(preds, [golds]).score) / 100


def _load(module: str) -> ModuleType:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise InputError(
            f"text metrics need {module.split('.')[0]}: pip install sqlparse sacrebleu rouge-score"
        ) from error


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
