"""A data set anew in plain little endian (PS3.5 A.1, A.2): values as they are, lengths and VRs written afresh."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

from pacs.dicom.elements import Buffer, Element
from pacs.dicom.encode import put, written_items

#: Trailing padding, of which nothing is left when lengths change (PS3.10 7.2).
_PADDING = 0xFFFCFFFC


def written(
    buf: Buffer,
    elements: Iterable[Element],
    changes: Mapping[int, tuple[str, bytes] | None] | None = None,
    *,
    explicit: bool = True,
) -> bytes:
    """Write walked elements in Explicit or Implicit VR Little Endian, without group lengths (PS3.5 7.2).

    `changes` gives elements by tag that are written instead, or left out where it gives None.
    """
    changes = changes or {}
    sliced = cast("bytes", buf)  # a slice of a mapped file is bytes, too
    out: dict[int, bytes] = {}
    for element in elements:
        if element.tag in changes or not element.tag & 0xFFFF or element.tag == _PADDING:
            continue
        if element.items is None:
            value = bytes(sliced[element.start : element.start + element.length])
            out[element.tag] = put(element.tag, element.vr, value, explicit)
        else:
            out[element.tag] = put(element.tag, "SQ", written_items(sliced, element.items, explicit), explicit)
    for tag, change in changes.items():
        if change is not None:
            out[tag] = put(tag, change[0], change[1], explicit)
    return b"".join(out[tag] for tag in sorted(out))
