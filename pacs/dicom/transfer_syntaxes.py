"""Every transfer syntax of the standard (PS3.6 A): how its frames lie, which codec reads them, what the web calls them.

The one table of them. Whatever takes, gives, decodes or names transfer syntaxes asks it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Frames(Enum):
    """What the pixel data holds."""

    #: Samples, in one value or with a fragment a frame.
    BARE = auto()
    #: Codestreams.
    COMPRESSED = auto()
    #: One stream, not frames (PS3.5 A.4.5 to A.4.7, A.4.10 to A.4.13).
    VIDEO = auto()
    #: Nothing that is read here: pixels are elsewhere (JPIP), sound, or a process that no codec knows.
    OTHER = auto()


@dataclass(frozen=True, slots=True)
class TransferSyntax:
    """A row of the table."""

    uid: str
    frames: Frames
    #: Of `pacs.pixels.codecs`.
    codec: str = ""
    #: Whether frames are parted into fragments (PS3.5 A.4).
    encapsulated: bool = True
    #: Whether a picture's process may have taken something away.
    lossy: bool = False
    #: The media types of pixel data, the standard's first (PS3.18 Table 8.7.3-5).
    types: tuple[str, ...] = ()
    #: Whether the whole data set is deflated.
    deflated: bool = False


_ROOT = "1.2.840.10008.1.2"
IMPLICIT_LITTLE_ENDIAN = _ROOT
EXPLICIT_LITTLE_ENDIAN = f"{_ROOT}.1"
ENCAPSULATED_UNCOMPRESSED = f"{_ROOT}.1.98"
DEFLATED_EXPLICIT_LITTLE_ENDIAN = f"{_ROOT}.1.99"
EXPLICIT_BIG_ENDIAN = f"{_ROOT}.2"
RLE = f"{_ROOT}.5"
DEFLATED_FRAMES = f"{_ROOT}.8.1"
#: JPEG's process 1, 2 and 4, and 14, with any predictor and with the first.
BASELINE, EXTENDED, LOSSLESS_JPEG = f"{_ROOT}.4.50", f"{_ROOT}.4.51", frozenset((f"{_ROOT}.4.57", f"{_ROOT}.4.70"))
#: Processes that no library reads.
RETIRED_JPEG = frozenset(f"{_ROOT}.4.{number}" for number in (52, 54, 56, *range(58, 67)))
JPEG_LS, JPEG_LS_NEAR = f"{_ROOT}.4.80", f"{_ROOT}.4.81"
JPEG_2000, JPEG_2000_LOSSY = f"{_ROOT}.4.90", f"{_ROOT}.4.91"
HTJ2K = frozenset(f"{_ROOT}.4.{number}" for number in (201, 202, 203))
#: Lossless; a JPEG in another form, as which it is decoded, its colours turned to RGB; and lossy.
JPEG_XL, JPEG_XL_RECOMPRESSION, JPEG_XL_LOSSY = (f"{_ROOT}.4.{number}" for number in (110, 111, 112))

#: GE's own, of the nineties: a data set in Implicit VR Little Endian whose pixels alone are in big endian.
GE_BIG_ENDIAN_PIXELS = "1.2.840.113619.5.2"

#: SMPTE ST 2110: what is streamed elsewhere.
STREAMED = frozenset(f"{_ROOT}.7.{number}" for number in (1, 2, 3))

# `image/jph` is not in the standard's table; viewers ask for HTJ2K by that name too.
_HTJ2K = ("image/jphc", "image/jph")
# `video/mpeg` is the registered name (RFC 2046 4.4); clients (dicomweb-client) ask for frames by the other.
_MPEG2 = ("video/mpeg", "video/mpeg2")


def _compressed(number: int, codec: str, *types: str, lossy: bool = False) -> TransferSyntax:
    return TransferSyntax(f"{_ROOT}.4.{number}", Frames.COMPRESSED, codec, lossy=lossy, types=types)


def _videos(*numbers: int, types: tuple[str, ...], fragmentable: bool = True) -> list[TransferSyntax]:
    ends = ("", ".1") if fragmentable else ("",)
    uids = [f"{_ROOT}.4.{number}{end}" for number in numbers for end in ends]
    return [TransferSyntax(uid, Frames.VIDEO, lossy=True, types=types) for uid in uids]


# Of the syntaxes of a media type the first is what the type alone stands for.
_ROWS = [
    TransferSyntax(IMPLICIT_LITTLE_ENDIAN, Frames.BARE, encapsulated=False),
    TransferSyntax(EXPLICIT_LITTLE_ENDIAN, Frames.BARE, encapsulated=False),
    TransferSyntax(ENCAPSULATED_UNCOMPRESSED, Frames.BARE),
    TransferSyntax(DEFLATED_EXPLICIT_LITTLE_ENDIAN, Frames.BARE, encapsulated=False, deflated=True),
    TransferSyntax(EXPLICIT_BIG_ENDIAN, Frames.BARE, encapsulated=False),
    TransferSyntax(DEFLATED_FRAMES, Frames.BARE),
    _compressed(70, "jpeg", "image/jpeg"),
    _compressed(50, "jpeg", "image/jpeg", lossy=True),
    _compressed(51, "jpeg", "image/jpeg", lossy=True),
    _compressed(57, "jpeg", "image/jpeg"),
    # Retired processes.
    _compressed(53, "jpeg", lossy=True),
    _compressed(55, "jpeg", lossy=True),
    *(TransferSyntax(uid, Frames.OTHER, lossy=uid[-2:] not in ("58", "65", "66")) for uid in sorted(RETIRED_JPEG)),
    TransferSyntax(RLE, Frames.COMPRESSED, "rle", types=("image/dicom-rle",)),
    _compressed(80, "jpegls", "image/jls"),
    _compressed(81, "jpegls", "image/jls", lossy=True),
    _compressed(90, "jpeg2000", "image/jp2"),
    _compressed(91, "jpeg2000", "image/jp2", lossy=True),
    _compressed(92, "jpeg2000", "image/jpx"),
    _compressed(93, "jpeg2000", "image/jpx", lossy=True),
    TransferSyntax(f"{_ROOT}.4.94", Frames.OTHER, encapsulated=False),
    TransferSyntax(f"{_ROOT}.4.95", Frames.OTHER, encapsulated=False, deflated=True),
    *_videos(101, 100, types=_MPEG2),
    *_videos(102, 103, 104, 105, 106, types=("video/mp4",)),
    *_videos(107, 108, types=("video/H265",), fragmentable=False),
    _compressed(110, "jpegxl", "image/jxl"),
    # It gives the JPEG back as it was, which may have lost something before.
    _compressed(111, "jpegxl", "image/jxl", lossy=True),
    _compressed(112, "jpegxl", "image/jxl", lossy=True),
    _compressed(201, "jpeg2000", *_HTJ2K),
    _compressed(202, "jpeg2000", *_HTJ2K),
    _compressed(203, "jpeg2000", *_HTJ2K, lossy=True),
    TransferSyntax(f"{_ROOT}.4.204", Frames.OTHER, encapsulated=False),
    TransferSyntax(f"{_ROOT}.4.205", Frames.OTHER, encapsulated=False, deflated=True),
    *(TransferSyntax(uid, Frames.OTHER, encapsulated=False) for uid in sorted(STREAMED)),
    # Papyrus 3, retired: implicit, as the first.
    TransferSyntax("1.2.840.10008.1.20", Frames.OTHER, encapsulated=False),
]

#: By UID, every transfer syntax of the standard whose data sets are encoded as PS3.5 says; the two that are not are
#: retired (RFC 2557 MIME, XML). All doors take all of them.
TABLE: dict[str, TransferSyntax] = {row.uid: row for row in _ROWS}

#: Frames are samples and nothing else, in whatever order, deflated or not.
BARE = frozenset(row.uid for row in _ROWS if row.frames is Frames.BARE)
#: Bare samples as they lie in memory; Deflated Explicit VR is deflated as a data set, not by frame.
IN_MEMORY = BARE - {EXPLICIT_BIG_ENDIAN, DEFLATED_FRAMES}
#: Frames are bare samples in one value, in the file or once it is inflated.
NATIVE = frozenset(uid for uid in BARE if not TABLE[uid].encapsulated)
#: The codec of each syntax that has one.
CODECS = {row.uid: row.codec for row in _ROWS if row.codec}
#: No browser plays them, and no library here decodes them: whoever wants to see them needs a program of their own.
UNSHOWN = frozenset(row.uid for row in _ROWS if row.types == _MPEG2 or row.frames is Frames.OTHER)
VIDEO = frozenset(row.uid for row in _ROWS if row.frames is Frames.VIDEO)
DEFLATED = frozenset(row.uid for row in _ROWS if row.deflated)
LOSSY = frozenset(row.uid for row in _ROWS if row.lossy)
#: The transfer syntaxes of a media type of compressed pixel data, the one that it means without a parameter first.
#: Media types are compared in small letters.
TYPES: dict[str, tuple[str, ...]] = {
    name.lower(): tuple(row.uid for row in _ROWS if name in row.types)
    for name in dict.fromkeys(name for row in _ROWS for name in row.types)
}
