"""Free text cut down to what can name no one (PS3.15 E.3.5, Clean Descriptors), by an allow-list of words.

`data/vocabulary.txt` holds the words: anatomy, modality, sequence, contrast, orientation. Whatever else a person
typed goes: an allow-list needs no idea of what a name looks like.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from functools import cache
from importlib.resources import files

#: Shapes that hold a person, a place or a number of theirs, before any word is looked at.
_suspicious = re.compile(
    r"""
      \S+@\S+                                                   # mail
    | (?:https?://|www\.)\S+                                    # address on the web
    | \b(?:dr|prof|mrs|herr|frau|mme|doctor|doktor)\b\.?\s+\S+  # title and name
    | \b\d{1,4}[-./]\d{1,2}[-./]\d{1,4}\b(?!\s*(?:mm|cm))       # date
    | \b(?:19|20)\d{6}\b                                        # date without separators
    | \b\d+(?:\.\d+){4,}\b                                      # UID or network address
    | \+\d[\d\s()/-]{5,}\d                                      # telephone with its country
    | \b\d{2,5}[-/]\d{2,5}(?:[-/]\d{2,5})*\b                    # telephone, social security number
    | \(\d{3}\)\s?\d{3}[\s-]?\d{4}                              # telephone of North America
    | \d{5,}                                                    # number of a person, a case, a bill
    """,
    re.IGNORECASE | re.VERBOSE,
)
_word = re.compile(r"[^\W_]+(?:[.,'’][^\W_]+)*")
_part = re.compile(r"\d+|\D+")
_number = re.compile(
    r"\d{1,4}(?:[.,]\d{1,4})?(?:mm|cm|m|ml|mg|s|ms|sec|min|h|hz|mhz|kv|kvp|ma|mas|t|d|x|deg|st|nd|rd|th|p|e|w|y)?",
    re.IGNORECASE,
).fullmatch
_year = re.compile(r"(?:19|20)\d\d").fullmatch
_spaces = re.compile(r"\s+")
_hollow = re.compile(r"\(\s*\)|\[\s*\]|<\s*>|\{\s*\}")
_umlauts = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})


@cache
def vocabulary() -> frozenset[str]:
    """Give the words that may stay, in lower case."""
    text = files("pacs.deid").joinpath("data", "vocabulary.txt").read_text(encoding="utf-8")
    return frozenset(
        word for line in text.splitlines() if not line.startswith("#") for word in line.split()
    )


def is_ordinary(word: str) -> bool:
    """Tell whether a word, of whatever case and accents, is in the vocabulary."""
    low = word.lower()
    words = vocabulary()
    if low in words:
        return True
    if low.isascii():
        return False
    plain = unicodedata.normalize("NFKD", low).encode("ascii", "ignore").decode("ascii")
    return low.translate(_umlauts) in words or (len(plain) > 2 and plain in words)


def looks_personal(text: str) -> bool:
    """Tell whether a short text has a shape that no name of a product or a technique has."""
    return "^" in text or _suspicious.search(text) is not None


def clean(text: str, names: Collection[str] = ()) -> str:
    """Keep the words of `text` that are in the vocabulary, and short numbers with units; the rest goes.

    `names` are case-folded words that go although the vocabulary has them. Punctuation stays between what is
    kept. The result is empty when no word, but only numbers or single letters, would be left of a cut text.
    """
    text = _suspicious.sub(" ", text)
    cut = False
    solid = False

    def decide(match: re.Match[str]) -> str:
        nonlocal cut, solid
        word = match[0]
        if word.casefold() in names or not _allowed(word):
            cut = True
            return " "
        solid = solid or (len(word) > 1 and not word[0].isdigit())
        return word

    kept = _word.sub(decide, text)
    if cut and not solid:
        return ""
    kept = _hollow.sub(" ", "".join(char for char in kept if char.isprintable()))
    return _spaces.sub(" ", kept).strip(" ^_-/,;:.=|&@#~")


def _allowed(word: str) -> bool:
    if _number(word):
        return _year(word) is None
    if is_ordinary(word):
        return True
    parts = _part.findall(word)
    if len(parts) == 1:
        return False
    # "1HEAD", "B31f", "ep2d": letters that are words or one alone, numbers too short to be anyone's
    return all(
        len(part) <= 3 if part[0].isdigit() else len(part) == 1 or is_ordinary(part) for part in parts
    )
