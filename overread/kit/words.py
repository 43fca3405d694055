"""Numbers in sentences."""

from __future__ import annotations

from overread.kit.language import ngettext


def counted(number: int, one: str, many: str) -> str:
    """A number and its word: "1 image", "1,234 images"."""
    return f"{number:,} {ngettext(one, many, number)}"
