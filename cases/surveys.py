"""What patients are asked after their report, and what they agree to where their words may be shown."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from overread.kit.language import Phrase

#: Questions by key, each answered from 1 (not at all) to 5 (entirely), or not.
QUESTIONS: Mapping[str, str] = {
    "answered": Phrase("Were your questions answered?"),
    "clear": Phrase("Was the report easy to understand?"),
    "recommend": Phrase("Would you ask us again, or tell others to?"),
}
LOWEST, HIGHEST = 1, 5

#: The consent that stands beside a patient's words, and is kept with them as it was given.
CONSENT = Phrase(
    "The program may show these words on its public pages, with the name that I have written under them and no other. "
    "Nothing else of my request is shown. I can take this back at any time on this page; my words are then shown no "
    "more, at once."
)


def digest() -> str:
    """SHA-256 of the consent's text as it is shown now."""
    return hashlib.sha256(str(CONSENT).encode()).hexdigest()
