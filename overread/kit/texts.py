"""What people write, as it can be kept: PostgreSQL keeps no NUL in a text, and what stands around it says nothing."""

from __future__ import annotations

from overread.kit.errors import Unprocessable
from overread.kit.language import gettext


def trimmed(text: str) -> str:
    """A text without NUL, and without space around it."""
    return text.replace("\x00", "").strip()


def one_line(text: str) -> str:
    """The same in one line, with one space between its words."""
    return " ".join(text.replace("\x00", "").split())


def fitting(text: str, most: int) -> str:
    """A text `trimmed`. Raises Unprocessable where it has more than `most` characters then."""
    text = trimmed(text)
    if len(text) > most:
        raise Unprocessable("too long", safe=gettext("A text is too long: %(most)s characters at most.", most=most))
    return text
