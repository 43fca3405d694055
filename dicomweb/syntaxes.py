"""Transfer syntaxes and media types of instances and of pixel data (PS3.18 8.7.3, Tables 8.7.3-2 to 8.7.3-5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from dicomweb.media import DICOM, OCTETS, MediaRange
from pacs.dicom.transfer_syntaxes import EXPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN, LOSSY, NATIVE, TYPES

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
    return syntax not in LOSSY


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
    for alike in equals(ranges):
        found = [
            one for wanted in alike if (one := _answer(ranges, wanted, own, targets, single, packings)) is not None
        ]
        # Equal weights are no order (RFC 9110 12.4.2): what is stored goes before what would have to be made.
        yield from sorted(found, key=lambda one: one.syntax != own)


def equals(ranges: Sequence[MediaRange]) -> Iterator[list[MediaRange]]:
    """Ranges, which are sorted by their weights, in groups of the same one; those of weight 0 are left out."""
    for (_, quality), alike in groupby(ranges, key=lambda one: (one.fallback, one.quality)):
        if quality > 0:
            yield list(alike)


def _answer(
    ranges: Sequence[MediaRange],
    wanted: MediaRange,
    own: str,
    targets: Targets,
    single: Callable[[str], bool],
    packings: Sequence[bool],
) -> Answer | None:
    for multipart in packings:
        if wanted.multipart != multipart and (wanted.multipart or wanted.type != "*/*"):
            continue
        for name, syntax in _pixels(wanted, own, targets):
            if (multipart or single(syntax)) and not _excluded(ranges, wanted, name):
                return Answer(name, multipart, syntax)
    return None


def _pixels(wanted: MediaRange, own: str, targets: Targets) -> Iterator[tuple[str, str]]:
    """The media types and transfer syntaxes that a range lets in, best first."""
    asked = wanted.transfer_syntax
    if asked == IMPLICIT_LITTLE_ENDIAN:
        asked = EXPLICIT_LITTLE_ENDIAN  # the same frames
    if wanted.type in ("*/*", "application/*", OCTETS):
        if asked in ("*", own) or (asked is None and wanted.type != OCTETS):
            yield OCTETS, own
        elif asked is None:
            plain = own != EXPLICIT_LITTLE_ENDIAN and lossless(own) and EXPLICIT_LITTLE_ENDIAN in targets()
            yield OCTETS, EXPLICIT_LITTLE_ENDIAN if plain else own
        elif asked in targets():
            yield OCTETS, asked
        return
    family, _, kind = wanted.type.partition("/")
    names = [name for name in TYPES if name == wanted.type or (kind == "*" and name.startswith(family + "/"))]
    if asked not in (None, "*"):
        if asked == own or asked in targets():
            yield from ((name, asked) for name in names if asked in TYPES[name])
        return
    yield from ((name, own) for name in names if own in TYPES[name])
    # Of a type its default; of any, one that loses nothing before one that does.
    made = [(name, next((syntax for syntax in TYPES[name] if syntax in targets()), None)) for name in names]
    yield from sorted(((name, one) for name, one in made if one is not None), key=lambda pair: pair[1] in LOSSY)


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
