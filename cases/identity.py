"""Is a study this patient's? Names and birth dates compared as people write them (PS3.5 6.2.1, PN).

Tolerant of case, accents, order, punctuation, titles and middle names; never of another family or given name, and
never of another birth date.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import permutations

from overread.kit.dates import parse_da
from overread.kit.language import Phrase, gettext

# What stands around a name and is no part of it.
_TITLES = frozenset(("mr", "mrs", "ms", "miss", "dr", "prof", "md", "phd", "jr", "sr", "ii", "iii", "herr", "frau"))
_LETTERS = str.maketrans({"ß": "ss", "ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th"})
# German umlauts are written with an e where a keyboard has none.
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})


class Verdict(StrEnum):
    """How a study's identity compares with the patient's."""

    SAME = "same"
    DIFFERENT = "different"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Compared:
    """The verdict, for the coordinator what differs or is missing, and how each of both compares."""

    verdict: Verdict
    reasons: tuple[str, ...]
    name: Verdict
    birth_date: Verdict

    @property
    def label(self) -> str:
        """What is not as it should be, in a few words; empty where all agrees."""
        return _LABELS.get((self.name, self.birth_date), "")


_LABELS = {
    (Verdict.DIFFERENT, Verdict.DIFFERENT): Phrase("Another person’s name and birth date"),
    (Verdict.DIFFERENT, Verdict.SAME): Phrase("Another person’s name"),
    (Verdict.DIFFERENT, Verdict.UNKNOWN): Phrase("Another person’s name"),
    (Verdict.SAME, Verdict.DIFFERENT): Phrase("Another birth date"),
    (Verdict.SAME, Verdict.UNKNOWN): Phrase("No birth date to compare"),
    (Verdict.UNKNOWN, Verdict.DIFFERENT): Phrase("Another birth date, no name"),
    (Verdict.UNKNOWN, Verdict.SAME): Phrase("No name to compare"),
    (Verdict.UNKNOWN, Verdict.UNKNOWN): Phrase("No name, no birth date"),
}


def compare(name: str, birth_date: date | None, dicom_name: str, dicom_birth_date: str) -> Compared:
    """Compare the patient as the case knows them with a study's PatientName (PN) and PatientBirthDate (DA).

    SAME needs an equal birth date and an agreeing name. What is missing makes it UNKNOWN, which a person decides.
    """
    reasons = []
    born = named = Verdict.SAME
    found = parse_da(dicom_birth_date)
    if found is None or birth_date is None:
        born = Verdict.UNKNOWN
        reasons.append(
            gettext("The images carry no birth date.") if found is None else gettext("The case has no birth date.")
        )
    elif found != birth_date:
        born = Verdict.DIFFERENT
        reasons.append(gettext("The birth dates differ."))
    ours, theirs = tokens(name), _groups(dicom_name)
    if not ours or not theirs:
        named = Verdict.UNKNOWN
        reasons.append(gettext("The images carry no name.") if ours else gettext("The case has no name."))
    elif not any(_agree(name, group) for group in theirs):
        named = Verdict.DIFFERENT
        reasons.append(gettext("The names differ."))
    return Compared(max(named, born, key=_severity), tuple(reasons), named, born)


def tokens(name: str, *, umlauts: bool = False) -> list[str]:
    """A name's words: lower case, without accents, punctuation and titles; single letters are initials."""
    text = unicodedata.normalize("NFC", name).casefold().replace("'", "").replace("’", "")
    text = text.translate(_UMLAUTS) if umlauts else text
    text = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    text = "".join(c for c in text if not unicodedata.combining(c))
    return [word for word in re.split(r"[\W_]+", text) if word and word not in _TITLES]


def _groups(dicom_name: str) -> list[str]:
    # Alphabetic, ideographic and phonetic representations: one that agrees is enough (PS3.5 6.2.1.1).
    return [group for group in dicom_name.split("=") if tokens(group)]


def _agree(name: str, other: str) -> bool:
    return any(
        _same(tokens(name, umlauts=ours), tokens(other, umlauts=theirs))
        for ours in (False, True)
        for theirs in (False, True)
    )


def _same(ours: list[str], theirs: list[str]) -> bool:
    if sorted(ours) == sorted(theirs) or _joined(ours) & _joined(theirs):
        return True
    # One side may leave out middle names or write initials, but two whole words must be shared: a family name and a
    # given name.
    fewer, more = sorted((ours, theirs), key=len)
    rest = list(more)
    whole = 0
    for word in sorted(fewer, key=len, reverse=True):
        match = next((w for w in rest if w == word), None) or next(
            (w for w in rest if (len(word) == 1 or len(w) == 1) and w[0] == word[0]), None
        )
        if match is None:
            return False
        whole += len(word) > 1 and word == match
        rest.remove(match)
    return whole >= 2


def _joined(words: list[str]) -> set[str]:
    # "Mary-Jane Watson" and "WATSON^MARYJANE": the same letters in some order of the words. Five words are 120 orders.
    return {"".join(order) for order in permutations(words)} if len(words) <= 5 else set()


def _severity(verdict: Verdict) -> int:
    return (Verdict.SAME, Verdict.UNKNOWN, Verdict.DIFFERENT).index(verdict)
