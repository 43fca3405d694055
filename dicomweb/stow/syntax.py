"""Which transfer syntax a bulk part's media type stands for (PS3.18 8.7.3.3.2, Table 8.7.3-5)."""

from __future__ import annotations

from collections.abc import Sequence

from dicomweb.media import OCTETS, MediaRange
from dicomweb.stow.dataset import BadDataset
from overread.kit.errors import OverreadError
from pacs.dicom.transfer_syntaxes import (
    BASELINE,
    EXPLICIT_LITTLE_ENDIAN,
    EXTENDED,
    IMPLICIT_LITTLE_ENDIAN,
    TABLE,
    TYPES,
    VIDEO,
    Frames,
)
from pacs.pixels import codestream

#: Other names of media types (registered ones, and those of older editions).
_ALIASES = {"image/x-dicom-rle": "image/dicom-rle", "image/x-jls": "image/jls"}
_NATIVE = (EXPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN)


def syntax_of(kinds: Sequence[MediaRange], first: memoryview, frames: int) -> str | None:
    """The transfer syntax of Pixel Data whose parts have these media types; None where they are not compressed.

    `first` is the first part's content: a JPEG without a parameter says itself which of its kinds it is.
    Raises BadDataset where type and parameter contradict each other, or the parts are not a frame each.
    """
    found = {_syntax(kind, first) for kind in kinds}
    if len(found) != 1:
        raise BadDataset("The parts of the Pixel Data differ in their transfer syntax.")
    (syntax,) = found
    if syntax is not None and syntax not in VIDEO and len(kinds) != frames:
        raise BadDataset(f"Compressed Pixel Data needs a part for each of its {frames} frames; there are {len(kinds)}.")
    return syntax


def _syntax(kind: MediaRange, first: memoryview) -> str | None:
    asked = kind.transfer_syntax
    if kind.type == OCTETS:
        if asked is None or asked in _NATIVE:
            return None
        row = TABLE.get(asked)
        if row is None or not row.encapsulated or row.frames is Frames.BARE:
            raise BadDataset("The transfer syntax of the Pixel Data's part can't be stored from separate bulk data.")
        return asked
    known = TYPES.get(_ALIASES.get(kind.type, kind.type))
    if known is None:
        raise BadDataset("The media type of the Pixel Data's part stands for no transfer syntax.")
    if asked is not None and asked not in known:
        raise BadDataset("The transfer syntax of the Pixel Data's part is none that its media type has.")
    return asked or (_jpeg(first) if kind.type == "image/jpeg" else known[0])


def _jpeg(frame: memoryview) -> str:
    """The transfer syntax of a JPEG frame, by its frame header."""
    try:
        header = codestream.jpeg(bytes(frame[:262_144]))
    except OverreadError as error:
        raise BadDataset("The Pixel Data's part is image/jpeg and holds no JPEG.") from error
    if header.lossless:
        return TYPES["image/jpeg"][0]
    return BASELINE if header.precision == 8 else EXTENDED
