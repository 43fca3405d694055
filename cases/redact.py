"""Free text as a specialist may read it: the patient's own name, birth date and contacts are taken out.

Patients sign their stories. What identifies them by name is known to the case, so it can be found; this is a second
line of defence behind the form's advice to leave names out, and it errs on the side of taking out too much.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date

from cases.identity import tokens
from cases.models import Case

REMOVED = "[removed]"
_EMAIL = re.compile(r"[^\s<>@]+@[^\s<>@]+\.[^\s<>@]+")
_PHONE = re.compile(r"(?<![\w.])\+?\(?\d(?:[\s()./-]*\d){7,14}(?!\w)")
_WORD = re.compile(r"[^\W\d_](?:[^\W_]|['’])*")


def redacted(case: Case, text: str) -> str:
    """A text of a case without its patient's name, birth date and contacts."""
    return redact(text, names=(case.patient_name,), birth_date=case.birth_date)


def redact(text: str, *, names: tuple[str, ...], birth_date: date | None) -> str:
    """The text without these names (every word of them), this birth date in any usual spelling, addresses, phones."""
    hidden = {token for name in names for umlauts in (False, True) for token in tokens(name, umlauts=umlauts)}
    # An initial alone names nobody, and would take the "I" and "a" out of every sentence.
    hidden = {token for token in hidden if len(token) > 1}
    text = unicodedata.normalize("NFC", text)
    text = _EMAIL.sub(REMOVED, text)
    if birth_date is not None:
        text = _dates(birth_date).sub(REMOVED, text)
    text = _PHONE.sub(REMOVED, text)
    return _WORD.sub(lambda match: REMOVED if _names(match[0], hidden) else match[0], text)


def _names(word: str, hidden: set[str]) -> bool:
    for umlauts in (False, True):
        found = tokens(word, umlauts=umlauts)
        joined = "".join(found)
        if joined in hidden or (joined.endswith("s") and joined[:-1] in hidden) or hidden & set(found):
            return True
    return False


def _dates(day: date) -> re.Pattern[str]:
    d, m = rf"0?{day.day}(?:st|nd|rd|th)?", rf"(?:0?{day.month}|{day:%B}|{day:%b}\.?)"
    y, s = rf"(?:{day:%Y}|'?{day:%y})", r"(?:\s*[./,-]\s*|\s+|\s+of\s+)"
    orders = (rf"{d}{s}{m}{s}{y}", rf"{m}{s}{d}{s}{y}", rf"{day:%Y}{s}{m}{s}{d}", rf"{day:%Y%m%d}", rf"{day:%d%m%Y}")
    return re.compile(rf"(?<!\d)(?:{'|'.join(orders)})(?!\d)", re.IGNORECASE)
