"""Attributes of a finished header replaced, when its pixels or its document were made anew."""

from __future__ import annotations

from collections.abc import Mapping

from pacs.dicom.elements import walk
from pacs.dicom.encode import put
from pacs.dicom.part10 import read_meta, write_meta


def amended(header: bytes, changes: Mapping[int, tuple[str, bytes] | None], syntax: str, explicit: bool) -> bytes:
    """Give a Part 10 header (no pixel data) with root attributes replaced by (VR, value), or gone where it is None.

    `syntax` is the transfer syntax that the file meta information names now; `explicit` says how the data set is
    encoded. An attribute that is not there is put in only if it has a value.
    """
    meta = read_meta(header)
    out = [write_meta(meta.sop_class_uid, meta.sop_instance_uid, syntax)]
    missing = dict(changes)
    for element in walk(header, meta.dataset_start, len(header), explicit=explicit):
        out += _put(sorted(tag for tag in missing if tag < element.tag), missing, explicit)
        if element.tag in missing:
            out += _put([element.tag], missing, explicit)
        else:
            out.append(header[element.offset : element.end])
    out += _put(sorted(missing), missing, explicit)
    return b"".join(out)


def _put(tags: list[int], missing: dict[int, tuple[str, bytes] | None], explicit: bool) -> list[bytes]:
    changes = [(tag, missing.pop(tag)) for tag in tags]
    return [put(tag, change[0], change[1], explicit) for tag, change in changes if change is not None]
