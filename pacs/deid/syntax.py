"""The transfer syntax that tells how a result is really encoded, and a reason to look where that can't be told.

A header can be written anew in any encoding; pixels come out as they went in. So their label stays theirs, unless it is
certain that they are bare samples in little endian.
"""

from __future__ import annotations

from pacs.dicom.elements import Element
from pacs.dicom.part10 import Parsed, valid_uid
from pacs.dicom.transfer_syntaxes import EXPLICIT_BIG_ENDIAN, NATIVE, TABLE

_UNKNOWN = "Its transfer syntax is none of the standard's, so nobody can say how the pixels are encoded."
_ELSEWHERE = "Its transfer syntax has pixels elsewhere, so nobody can say what the pixel data in it is."
_TURNED = "It is in little endian, its transfer syntax says big: nobody can say which of them its pixels are in."
_NOT_COMPRESSED = "The pixel data is not compressed, as its transfer syntax says that it is."


def label(parsed: Parsed, pixel: Element | None, expected: int) -> tuple[str, list[str]]:
    """Give the transfer syntax of the result, and reasons to withhold it.

    `expected`: the bytes that native pixels need, 0 where that can't be told. Frames need the codec's own syntax, even
    if the header around them is in implicit VR against the standard (PS3.5 A.4).
    """
    syntax = parsed.meta.transfer_syntax
    plain = parsed.plain_syntax
    row = TABLE.get(syntax)
    if syntax == EXPLICIT_BIG_ENDIAN and parsed.is_original_bytes and pixel is not None:
        return plain, [_TURNED]
    if not parsed.is_original_bytes or syntax in NATIVE:
        return plain, []
    if pixel is None:
        return (syntax if row is not None and parsed.explicit else plain), []
    if row is None:
        return (syntax if valid_uid(syntax) else plain), [_UNKNOWN]
    if pixel.fragments is None and row.encapsulated:
        # Bare samples of exactly the right number are what they look like, whatever the label is.
        return plain, ([] if expected and 0 <= pixel.length - expected < 2 else [_NOT_COMPRESSED])
    return syntax, ([] if row.encapsulated else [_ELSEWHERE])
