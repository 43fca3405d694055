"""Numbers in sentences."""

from __future__ import annotations


def counted(number: int, one: str, many: str) -> str:
    """A number and its word: "1 image", "1,234 images"."""
    return f"{number:,} {one if number == 1 else many}"
