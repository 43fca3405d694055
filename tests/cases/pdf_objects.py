"""What stands in a PDF file once its streams are unpacked: objects stand in compressed ones, too."""

from __future__ import annotations

import re
import zlib


def streams(pdf: bytes) -> list[bytes]:
    """The bytes of each stream, unpacked where it is packed."""
    found = []
    for one in re.finditer(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL):
        try:
            found.append(zlib.decompress(one[1]))
        except zlib.error:
            found.append(one[1])
    return found


def unpacked(pdf: bytes) -> bytes:
    """The file and all its streams, for a search."""
    return b"\n".join([pdf, *streams(pdf)])
