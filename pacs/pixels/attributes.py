"""Reading single values of a header that nobody has checked.

pydicom converts values when they are first read, and a damaged one then raises nearly anything. These
functions give a value or None, so that what draws pictures never meets a text where it wants a number.
"""

from __future__ import annotations

import math
from typing import Any

from pydicom import Dataset
from pydicom.multival import MultiValue


def value(ds: Dataset, keyword: str) -> Any:
    """Give an element's value, or None where it is absent, empty or unreadable."""
    try:
        found = ds.get(keyword)
    except Exception:  # noqa: BLE001 - a damaged value raises what its converter happens to raise
        return None
    return None if found is None or found == "" else found


def at(ds: Dataset, group: int, element: int) -> Any:
    """Give the value of an element without a keyword of its own (a repeating group's), or None, as `value` does."""
    try:
        found = ds[group, element].value
    except Exception:  # noqa: BLE001 - as above, and KeyError where it is absent
        return None
    return None if found == "" else found


def numbers(ds: Dataset, keyword: str) -> list[float]:
    """Give an element's finite numbers, in order; empty where there is none."""
    return all_numbers(value(ds, keyword))


def all_numbers(found: Any) -> list[float]:
    """Give a value's finite numbers, in order; empty where it is not numbers throughout."""
    if found is None:
        return []
    out: list[float] = []
    for item in found if isinstance(found, list | tuple | MultiValue) else [found]:
        try:
            number = float(item)
        except (TypeError, ValueError, OverflowError):
            return []
        if not math.isfinite(number):
            return []
        out.append(number)
    return out


def number(ds: Dataset, keyword: str) -> float | None:
    """Give an element's first finite number, or None."""
    return next(iter(numbers(ds, keyword)), None)


def integer(ds: Dataset, keyword: str, default: int | None = None) -> int | None:
    """Give an element's first number where it is whole, otherwise the default."""
    found = number(ds, keyword)
    return default if found is None or found != int(found) else int(found)


def text(ds: Dataset, keyword: str) -> str:
    """Give an element's first text without padding, in capitals; empty where there is none."""
    found = value(ds, keyword)
    if isinstance(found, list | tuple | MultiValue):
        found = found[0] if found else ""
    return str(found or "").strip().upper()


def phrase(ds: Dataset, keyword: str) -> str:
    """Give an element's text as it stands, several values parted by backslashes; empty where there is none."""
    found = value(ds, keyword)
    if isinstance(found, list | tuple | MultiValue):
        return "\\".join(str(part) for part in found)
    return "" if found is None else str(found).strip()


def items(ds: Dataset, keyword: str) -> list[Dataset]:
    """Give a sequence's items, or an empty list."""
    found = value(ds, keyword)
    try:
        return [item for item in found or () if isinstance(item, Dataset)]
    except TypeError:
        return []


def group(ds: Dataset, frame_index: int, keyword: str) -> Dataset | None:
    """Give the frame's functional group macro of that name: its own, else the shared one (PS3.3 C.7.6.16).

    `frame_index` counts from 0; `keyword` names the macro's sequence, say PixelMeasuresSequence.
    """
    per_frame = value(ds, "PerFrameFunctionalGroupsSequence")
    try:
        own = per_frame[frame_index] if per_frame else None
    except (TypeError, IndexError, KeyError):
        own = None
    for holder in ([own] if isinstance(own, Dataset) else []) + items(ds, "SharedFunctionalGroupsSequence")[:1]:
        if found := items(holder, keyword):
            return found[0]
    return None
