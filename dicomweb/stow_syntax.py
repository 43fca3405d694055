"""Which transfer syntax a bulk part's media type stands for (PS3.18 8.7.3.3.2, Table 8.7.3-5)."""

from __future__ import annotations

from collections.abc import Sequence

from pydicom.uid import UID

from dicomweb.media import OCTETS, MediaRange
from dicomweb.stow_dataset import BadDataset
from overread.kit.errors import OverreadError
from pacs.frames import VIDEO_SYNTAXES
from pacs.part10 import EXPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN
from pacs.pixels import codestream

_4 = "1.2.840.10008.1.2.4."
_RLE = "1.2.840.10008.1.2.5"
_BASELINE, _EXTENDED, _LOSSLESS = _4 + "50", _4 + "51", _4 + "70"
_MPEG2 = tuple(f"{_4}{number}{more}" for number in (100, 101) for more in ("", ".1"))
_MPEG4 = tuple(f"{_4}{number}{more}" for number in range(102, 107) for more in ("", ".1"))
#: The transfer syntaxes of a media type, the one that it means without a parameter first.
_SYNTAXES: dict[str, tuple[str, ...]] = {
    "image/jpeg": (_LOSSLESS, _BASELINE, _EXTENDED, _4 + "57"),
    "image/dicom-rle": (_RLE,),
    "image/x-dicom-rle": (_RLE,),
    "image/jls": (_4 + "80", _4 + "81"),
    "image/x-jls": (_4 + "80", _4 + "81"),
    "image/jp2": (_4 + "90", _4 + "91"),
    "image/jpx": (_4 + "92", _4 + "93"),
    "image/jph": (_4 + "201", _4 + "202", _4 + "203"),
    "image/jphc": (_4 + "201", _4 + "202", _4 + "203"),
    "image/jxl": (_4 + "110", _4 + "111", _4 + "112"),
    "video/mpeg": _MPEG2,
    "video/mpeg2": _MPEG2,
    "video/mp4": _MPEG4,
    "video/h265": (_4 + "107", _4 + "108"),
}
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
    if syntax is not None and syntax not in VIDEO_SYNTAXES and len(kinds) != frames:
        raise BadDataset(f"Compressed Pixel Data needs a part for each of its {frames} frames; there are {len(kinds)}.")
    return syntax


def _syntax(kind: MediaRange, first: memoryview) -> str | None:
    asked = kind.transfer_syntax
    if kind.type == OCTETS:
        if asked is None or asked in _NATIVE:
            return None
        if asked != _RLE and not (asked.startswith(_4) and UID(asked).is_transfer_syntax):
            raise BadDataset("The transfer syntax of the Pixel Data's part can't be stored from separate bulk data.")
        return asked
    known = _SYNTAXES.get(kind.type)
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
        return _LOSSLESS
    return _BASELINE if header.precision == 8 else _EXTENDED
