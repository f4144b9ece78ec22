"""Words of any language: where one ends, and which spellings are the same word."""

from __future__ import annotations

import re
import unicodedata

# Scripts that put no space between words: Chinese and Japanese signs, Thai, Lao, Burmese, Khmer.
UNSPACED = (
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]"
)
SIGN = re.compile(UNSPACED)
SPACE_BESIDE = re.compile(f"(?<={UNSPACED}) +| +(?={UNSPACED})")
RUN = re.compile(r"[^\W_]+")
ASCII_PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
OTHER_PART = re.compile(rf"{UNSPACED}|\d+|(?:(?!{UNSPACED})[^\W\d_])+")
CYRILLIC = re.compile("[\u0400-\u04ff]")
CYRILLIC_ENDING = re.compile(
    "(?:ами|ями|ого|его|ому|ему|ыми|ими|ых|их|ой|ей|ом|ем|ам|ям|ах|ях|ов|ев|ый|ий|ая|яя|ое|ее|ые|ие"
    "|[аяыиіїуюеєоьй])$"
)
# Words without which a question asks the same; any other word may change what is asked.
_EMPTY_WORDS = (
    "a an all and are be been can did do does each for from give had has have i in is it list me of"
    " on our please return show tell that the their them there these this to us was we were what"
    " which who whose with you"
)
EMPTY_WORDS = frozenset(_EMPTY_WORDS.split())
SHORTEST_STEM = 3
VERSION = 1  # part of the fingerprint of stores that keep words; raise it when words change


def parts(text: str) -> list[str]:
    """Return the words of a text or of a name such as ``orderDate``, in their letter case.

    Signs of scripts without spaces between words come one by one.
    """
    found: list[str] = []
    for run in RUN.findall(unicodedata.normalize("NFC", text)):
        if run.isascii():
            found += ASCII_PART.findall(run)
        else:
            for part in OTHER_PART.findall(run):
                found += _at_capitals(part)
    return found


def _at_capitals(word: str) -> list[str]:
    """Part a word in front of each capital that follows a small letter."""
    places = [
        place
        for place in range(1, len(word))
        if word[place].isupper() and word[place - 1].islower()
    ]
    return [word[a:b] for a, b in zip([0, *places], [*places, len(word)], strict=True)]


def stem(word: str) -> str:
    """Return what the commonest forms of a word share: of English and of Slavic languages.

    Letter case and accents are left out, so that ``numero`` meets ``Número``.
    """
    if word.isascii():
        return _english_stem(word.lower())
    apart = unicodedata.normalize("NFKD", word.casefold())
    plain = "".join(sign for sign in apart if not unicodedata.combining(sign))
    if CYRILLIC.search(plain):
        cut = CYRILLIC_ENDING.sub("", plain)
        return cut if len(cut) >= SHORTEST_STEM else plain
    return _english_stem(plain) if plain.isascii() else plain


def _english_stem(word: str) -> str:
    for ending, instead in (("ies", "y"), ("sses", "ss"), ("es", ""), ("s", ""), ("ing", "")):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            word = word[: -len(ending)] + instead
            break
    return word.removesuffix("e")


def spaced(text: str) -> str:
    """Return a text with spaces around each sign of a script that has none between words."""
    return " ".join(SIGN.sub(r" \g<0> ", text).split()) if SIGN.search(text) else text
