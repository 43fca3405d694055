"""Byte ranges of a representation (RFC 9110 14)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from overread.kit.errors import RangeNotSatisfiable
from overread.kit.language import gettext
from pacs.serve.retrieve import BlobRange, Part

#: More would cost more than they save; RFC 9110 14.2 lets a server refuse them.
MAX_RANGES = 8
_shape = re.compile(r"(\d{0,18})-(\d{0,18})").fullmatch


def read(header: str | None, size: int) -> list[tuple[int, int]]:
    """The ranges of a Range header as (start, length), in its order; none where the whole is to be given.

    A unit that is not bytes and a header that can't be read are ignored (14.2). Raises RangeNotSatisfiable.
    """
    unit, equals, rest = (header or "").partition("=")
    if not equals or unit.strip().lower() != "bytes":
        return []
    members = [member.strip() for member in rest.split(",", MAX_RANGES + 1) if member.strip()]
    if len(members) > MAX_RANGES:
        raise RangeNotSatisfiable(
            "too many ranges",
            safe=gettext("At most %(max_ranges)s ranges are given at once: ask for fewer.", max_ranges=MAX_RANGES),
            size=size,
        )
    found: list[tuple[int, int]] = []
    for member in members:
        match = _shape(member)
        if match is None or not (match[1] or match[2]) or (match[1] and match[2] and int(match[2]) < int(match[1])):
            return []
        # Without a first byte it is that many of the last (14.1.2).
        start = int(match[1]) if match[1] else max(0, size - int(match[2]))
        end = min(size, int(match[2]) + 1) if match[1] and match[2] else size
        if start < end:
            found.append((start, end - start))
    if members and not found:
        raise RangeNotSatisfiable(
            f"range behind the end of {size} bytes",
            safe=gettext("There are only %(size)s bytes.", size=size),
            size=size,
        )
    return found


def cut(parts: Sequence[Part], start: int, length: int) -> list[Part]:
    """`length` bytes of parts from `start`, as parts."""
    out: list[Part] = []
    for part in parts:
        size = len(part) if isinstance(part, bytes) else part.length
        take = min(size - start, length)
        if take > 0:
            out.append(
                part[start : start + take]
                if isinstance(part, bytes)
                else BlobRange(part.digest, part.start + start, take)
            )
            length -= take
            start = 0
        else:
            start -= size
        if not length:
            break
    return out
