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
    | (?<!\d)(?<!\b\d\.)(?<!\b\d\d\.)\d{5,}                          # number of a person, a case, a bill
    | \b\d{3,4}\s\d{3,4}\b                                      # the same, written in groups
    | \b\d{1,4}(?:[\s._]\d{2,4}){2,}\b                         # and in smaller ones: a telephone, a date
    """,
    re.IGNORECASE | re.VERBOSE,
)
#: The few of them that no version, build number or code has either.
_personal = re.compile(
    r"""
      \^
    | \S+@\S+
    | (?:https?://|www\.)\S+
    | \b(?:dr|prof|mrs|herr|frau|mme|doctor|doktor)\b\.?\s+\S+
    | \b\d{1,2}/\d{1,2}/\d{2,4}\b
    | \+\d[\d\s()/-]{5,}\d
    | \b\d{3}-\d{2}-\d{4}\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
#: Abbreviations with a stroke are one word: "w/o" cut to "w/" would say the opposite.
_word = re.compile(
    r"(?<![^\W_])(?:[a-z]/[a-z]|jpeg[ -](?:2000|ls))(?![^\W_])|[^\W_]+(?:(?<=\d)[.,](?=\d)[^\W_]+|['’][^\W\d_]+)*",
    re.IGNORECASE,
)
_strokes = frozenset(
    ("w/o", "r/o", "s/p", "c/o", "h/o", "f/u", "a/p", "p/a", "n/a", "c/w", "i/v", "l/r", "r/l", "e/a")
) | {"jpeg 2000", "jpeg-2000", "jpeg-ls", "jpeg ls"}
_UNSPACED = r"\u3040-\u30ff\u3400-\u9fff"
_part = re.compile(rf"\d+|[{_UNSPACED}]+|[^\d{_UNSPACED}]+")
#: "BrachialPlex", "PETRecon": words written together, each with a capital.
_piece = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
#: Scripts that are written without spaces: Kana, Han.
_unspaced = re.compile(rf"[{_UNSPACED}]+").fullmatch
#: "L4L5" has four; more alternations of letters and digits are a number of someone's.
_MOST_PARTS = 4
_number = re.compile(
    r"(?:0|[1-9]\d?)\.\d{1,6}|\d{1,4}(?:x\d{1,4}){1,3}"
    r"|\d{1,4}(?:[.,]\d{1,4})?(?:mm|cm|m|ml|mg|s|ms|sec|min|h|hz|mhz|kv|kvp|ma|mas|t|d|x|deg|st|nd|rd|th|p|e|w|y)?",
    re.IGNORECASE,
).fullmatch
_year = re.compile(r"(?:19|20)\d\d").fullmatch
_spaces = re.compile(r"\s+")
#: The space that a cut shape leaves in front of a closing sign.
_detached = re.compile(r" (?=[.,;:)\]])")
_umlauts = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})


@cache
def vocabulary() -> frozenset[str]:
    """Give the words that may stay, in lower case."""
    text = files("pacs.deid").joinpath("data", "vocabulary.txt").read_text(encoding="utf-8")
    return frozenset(word for line in text.splitlines() if not line.startswith("#") for word in line.split())


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
    return _personal.search(text) is not None


#: Words that say nothing by themselves.
_fillers = frozenset(
    (
        "a",
        "and",
        "at",
        "by",
        "for",
        "from",
        "in",
        "is",
        "of",
        "on",
        "or",
        "the",
        "this",
        "to",
        "was",
        "were",
        "with",
        "w/",
    )
)

#: What stands for cut words: a text that lost its "unlikely" or its "refuted" must not read as a whole one.
GAP = "[...]"
_gaps = re.compile(r"\[\.\.\.\](?:[\W_]*\[\.\.\.\])*")


def clean(text: str, names: Collection[str] = ()) -> str:
    """Keep the words of `text` that are in the vocabulary, and short numbers with units; GAP replaces the rest.

    `names` are case-folded words that go although the vocabulary has them. Punctuation stays between what is
    kept. The result is empty when no word, but only numbers or single letters, would be left of a cut text.
    """
    text, shapes = _suspicious.subn(f" {GAP} ", text)
    cut = shapes > 0 or GAP in text
    solid = False

    def decide(match: re.Match[str]) -> str:
        nonlocal cut, solid
        word = match[0]
        if word.casefold() in names or not _allowed(word):
            cut = True
            return GAP
        solid = solid or (len(word) > 1 and not word[0].isdigit() and word.lower() not in _fillers)
        return word

    kept = _word.sub(decide, text)
    if cut and not solid:
        return ""
    if not cut and kept.isprintable():
        return kept.strip()
    kept = "".join(char if char.isprintable() else " " for char in kept)
    return _detached.sub("", _spaces.sub(" ", _gaps.sub(GAP, kept))).strip()


def fitted(text: str, longest: int | None) -> str:
    """Give a cleaned text back, or as much of it as fits with a mark where the rest went, if marks made it too long."""
    if longest is None or len(text) <= longest or GAP not in text:
        return text
    begin = text[: longest - len(GAP)].rpartition(" ")[0].removesuffix(GAP).rstrip()
    return f"{begin} {GAP}" if begin else ""


def _allowed(word: str) -> bool:
    if _number(word):
        return _year(word) is None
    if is_ordinary(word) or word.lower() in _strokes:
        return True
    parts = _part.findall(word)
    if len(parts) > _MOST_PARTS:
        return False
    # "1HEAD", "B31f", "ep2d": letters that are words or one alone, numbers too short to be anyone's
    return all(
        (len(part) <= 3 or part[:2] == "00")
        if part[0].isdigit()
        else (len(part) == 1 < len(parts)) or _is_composed(part)
        for part in parts
    )


def _is_composed(letters: str) -> bool:
    """Tell whether a word is in the vocabulary, or made of words that are."""
    if is_ordinary(letters):
        return True
    if letters.isascii():
        pieces = _piece.findall(letters)
        return (
            len(pieces) > 1 and "".join(pieces) == letters and all(len(one) > 2 and is_ordinary(one) for one in pieces)
        )
    return _unspaced(letters) is not None and _is_covered(unicodedata.normalize("NFKC", letters))


def _is_covered(letters: str) -> bool:
    """Tell whether words of the vocabulary, one behind the other, make up all of `letters`."""
    reached = {0}
    for end in range(1, len(letters) + 1):
        if any(end - length in reached and letters[end - length : end] in vocabulary() for length in range(1, 9)):
            reached.add(end)
    return len(letters) in reached
