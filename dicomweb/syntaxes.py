"""Transfer syntaxes and media types of instances and of pixel data (PS3.18 8.7.3, Tables 8.7.3-2 to 8.7.3-5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from dicomweb.media import DICOM, OCTETS, MediaRange
from pacs.part10 import DEFLATED, EXPLICIT_BIG_ENDIAN, EXPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN

#: Syntaxes whose frames are bare samples, in the file or once it is inflated.
NATIVE = frozenset((IMPLICIT_LITTLE_ENDIAN, EXPLICIT_LITTLE_ENDIAN, EXPLICIT_BIG_ENDIAN, *DEFLATED))

_JPEG2000 = "1.2.840.10008.1.2.4."
#: The media types of compressed pixel data, the default syntax of each first (Table 8.7.3-5). `image/jph` is not in the
#: table; viewers ask for HTJ2K by that name too.
TYPES: dict[str, tuple[str, ...]] = {
    "image/jpeg": tuple(f"{_JPEG2000}{n}" for n in (70, 50, 51, 57)),
    "image/dicom-rle": ("1.2.840.10008.1.2.5",),
    "image/jls": tuple(f"{_JPEG2000}{n}" for n in (80, 81)),
    "image/jp2": tuple(f"{_JPEG2000}{n}" for n in (90, 91)),
    "image/jpx": tuple(f"{_JPEG2000}{n}" for n in (92, 93)),
    "image/jphc": tuple(f"{_JPEG2000}{n}" for n in (201, 202, 203)),
    "image/jph": tuple(f"{_JPEG2000}{n}" for n in (201, 202, 203)),
    "image/jxl": tuple(f"{_JPEG2000}{n}" for n in (110, 111, 112)),
    "video/mpeg": tuple(f"{_JPEG2000}{n}" for n in (101, 100, "100.1", "101.1")),
    "video/mp4": tuple(f"{_JPEG2000}{n}" for n in (102, 103, 104, 105, 106, *(f"{m}.1" for m in range(102, 107)))),
    "video/h265": tuple(f"{_JPEG2000}{n}" for n in (107, 108)),
}

#: What has lost something already: it is given as it is where no transfer syntax is asked for (8.7.3).
_LOSSY = frozenset(f"{_JPEG2000}{n}" for n in (50, 51, 53, 55, 81, 91, 93, 111, 112, 203))

#: Gives the transfer syntaxes that can be made of what is stored; asked only where what is stored is not enough.
Targets = Callable[[], frozenset[str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What is given: a media type (of the part, where it is multipart), in a transfer syntax (empty: in none)."""

    type: str
    multipart: bool
    syntax: str

    @property
    def content_type(self) -> str:
        """The Content-Type of the part; it names its transfer syntax, where it has one (8.7.3.5.2)."""
        return f"{self.type}; transfer-syntax={self.syntax}" if self.syntax else self.type


def types_of(syntax: str) -> Iterator[str]:
    """The media types that compressed pixel data of a syntax may have, the standard's first."""
    return (name for name, syntaxes in TYPES.items() if syntax in syntaxes)


def lossless(syntax: str) -> bool:
    """Whether nothing is lost by giving something else than what is stored in this syntax."""
    return syntax not in _LOSSY and not any(name.startswith("video/") for name in types_of(syntax))


def instance_syntax(wanted: MediaRange, stored: str, targets: Targets) -> str | None:
    """The transfer syntax of an instance for a range, None where it can't be had.

    `*`, and a range that names no type, take what is stored; without a parameter it is Explicit VR Little Endian,
    unless only a lossy form is there (8.7.3).
    """
    asked = wanted.transfer_syntax
    if asked in ("*", stored) or (asked is None and wanted.type != DICOM):
        return stored
    if asked is None:
        plain = stored == EXPLICIT_LITTLE_ENDIAN or not lossless(stored)
        return EXPLICIT_LITTLE_ENDIAN if not plain and EXPLICIT_LITTLE_ENDIAN in targets() else stored
    return asked if asked in targets() else None


def pixel_answers(
    ranges: Sequence[MediaRange],
    stored: str,
    targets: Targets,
    single: Callable[[str], bool],
    *,
    single_first: bool = False,
) -> Iterator[Answer]:
    """What may be given of pixel data that is stored in a transfer syntax, best first.

    Native pixels have no syntax of their own here: they are Explicit VR Little Endian, however the file has them.
    `single`: whether one part is enough for them in a transfer syntax, and not only multipart/related.
    """
    own = EXPLICIT_LITTLE_ENDIAN if stored in NATIVE else stored
    packings = (False, True) if single_first else (True, False)
    for wanted in ranges:
        if wanted.quality == 0:
            continue
        for multipart in packings:
            if wanted.multipart != multipart and (wanted.multipart or wanted.type != "*/*"):
                continue
            found = _pixels(wanted, own, targets)
            if found is None or not (multipart or single(found[1])) or _excluded(ranges, wanted, found[0]):
                continue
            yield Answer(found[0], multipart, found[1])
            break


def _pixels(wanted: MediaRange, own: str, targets: Targets) -> tuple[str, str] | None:
    family, _, kind = wanted.type.partition("/")
    asked = wanted.transfer_syntax
    if asked == IMPLICIT_LITTLE_ENDIAN:
        asked = EXPLICIT_LITTLE_ENDIAN  # the same frames
    if wanted.type in ("*/*", "application/*", OCTETS):
        if asked in ("*", own) or (asked is None and wanted.type != OCTETS):
            return OCTETS, own
        if asked is None:
            plain = own != EXPLICIT_LITTLE_ENDIAN and lossless(own) and EXPLICIT_LITTLE_ENDIAN in targets()
            return OCTETS, EXPLICIT_LITTLE_ENDIAN if plain else own
        return (OCTETS, asked) if asked in targets() else None
    if asked not in (None, "*"):
        matching = (
            name for name in types_of(asked) if (kind == "*" and name.startswith(family + "/")) or name == wanted.type
        )
        name = next(matching, None)
        return (name, asked) if name is not None and (asked == own or asked in targets()) else None
    for name in types_of(own):
        if name == wanted.type or (kind == "*" and name.startswith(family + "/")):
            return name, own
    if kind == "*" or wanted.type not in TYPES:
        return None
    made = next((syntax for syntax in TYPES[wanted.type] if syntax in targets()), None)
    return (wanted.type, made) if made is not None else None


def _excluded(ranges: Sequence[MediaRange], by: MediaRange, name: str) -> bool:
    """Whether a range of quality 0 forbids what a broader one let in (RFC 9110 12.5.1)."""
    return any(r.quality == 0 and r.type == name and by.type != name and r.multipart == by.multipart for r in ranges)


def pixel_offers(stored: str, targets: Targets, single: bool) -> list[MediaRange]:
    """What there is, for the sentence of a 406."""
    own = EXPLICIT_LITTLE_ENDIAN if stored in NATIVE else stored
    pairs = [(OCTETS, own), *((name, own) for name in types_of(own))]
    for syntax in sorted(targets() - {own}):
        names = list(types_of(syntax)) or [OCTETS]
        pairs += [(name, syntax) for name in names]
    packings = (True, False) if single else (True,)
    return [MediaRange(n, multipart=m, parameters={"transfer-syntax": s}) for m in packings for n, s in pairs]
