"""The case's reference number, `OV-7K3M-9QXD`: what a hospital types into AccessionNumber or Patient ID.

Seven random characters and a check character over an alphabet without look-alikes (no 0 O, 1 I L, U V stays, 8 B).
Its 29 characters are a prime number, so the weighted sum finds every wrong character and every exchange of two.
"""

from __future__ import annotations

import re
import secrets

ALPHABET = "23456789ACDEFGHJKMNPQRSTVWXYZ"
_VALUE = {character: value for value, character in enumerate(ALPHABET)}
_PATTERN = re.compile(rf"(?<![0-9A-Z])OV[-_ ]?([{ALPHABET}]{{4}})[-_ ]?([{ALPHABET}]{{4}})(?![0-9A-Z])")


def new() -> str:
    """A new random reference; 29^7 = 1.7e10 of them exist, so the caller only has to refuse a taken one."""
    body = "".join(secrets.choice(ALPHABET) for _ in range(7))
    return _written(body + _check(body))


def find(text: str) -> str | None:
    """The first valid reference inside a text, in its normal spelling, or None.

    Hospitals' systems change case and separators, put things around it, and cut nothing short of 12 characters
    (AccessionNumber and an AE title hold 16, PS3.5 6.2).
    """
    for match in _PATTERN.finditer(text.upper()):
        body = match[1] + match[2]
        if _check(body[:7]) == body[7]:
            return _written(body)
    return None


def _check(body: str) -> str:
    return ALPHABET[sum(weight * _VALUE[c] for weight, c in enumerate(body, start=1)) % len(ALPHABET)]


def _written(body: str) -> str:
    return f"OV-{body[:4]}-{body[4:]}"
