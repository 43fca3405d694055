"""Media types: what a client accepts, and which of what we can make it gets (PS3.18 8.7; RFC 9110 12.4, 12.5.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from starlette.requests import Request

from overread.kit.errors import BadInput, NotAcceptable
from overread.kit.language import gettext

DICOM = "application/dicom"
DICOM_JSON = "application/dicom+json"
DICOM_XML = "application/dicom+xml"
OCTETS = "application/octet-stream"
ZIP = "application/zip"
MULTIPART = "multipart/related"
JPEG, PNG, GIF, JP2, JXL = "image/jpeg", "image/png", "image/gif", "image/jp2", "image/jxl"

_MAX_HEADER = 8192
#: By its IANA name and by DICOM's (PS3.18 D).
_UTF8 = frozenset(("utf-8", "utf8", "iso_ir 192", "iso_ir192"))
_PARAMETER = re.compile(r';\s*([^\s=;,"]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^\s;,]*)')


@dataclass(frozen=True, slots=True)
class MediaRange:
    """One member of an Accept header; `type` is of the part where the range is multipart/related."""

    type: str
    multipart: bool = False
    quality: float = 1.0
    parameters: dict[str, str] = field(default_factory=dict)
    #: Of the header, while the query says what it accepts: asked only where nothing of that can be had (8.7.8.1).
    fallback: bool = False

    @property
    def transfer_syntax(self) -> str | None:
        """The transfer syntax that is asked for (PS3.18 8.7.3.5), `*` for any, None where it isn't said."""
        return self.parameters.get("transfer-syntax")

    def __str__(self) -> str:
        """As a client would write it."""
        name = f'{MULTIPART}; type="{self.type}"' if self.multipart else self.type
        return f"{name}; transfer-syntax={self.transfer_syntax}" if self.transfer_syntax else name


def split(header: str) -> list[str]:
    """The members of a comma-separated header, commas within quotes spared."""
    return [part.strip() for part in re.findall(r'(?:[^,"]|"(?:[^"\\]|\\.)*")+', header) if part.strip()]


def parse(text: str) -> MediaRange:
    """One media type or range with its parameters. Raises BadInput."""
    name = text.split(";", 1)[0].strip().lower()
    if name != "*" and not re.fullmatch(r"[\w.+*-]+/[\w.+*-]+", name):
        raise BadInput(
            f"not a media type: {text[:80]!r}", safe=gettext("A media type in the Accept header can't be read.")
        )
    parameters = {key.lower(): _unquote(value) for key, value in _PARAMETER.findall(text)}
    try:
        quality = min(1.0, max(0.0, float(parameters.pop("q", "1"))))
    except ValueError:
        quality = 1.0
    multipart = name == MULTIPART
    inner = parameters.pop("type", "*/*").lower() if multipart else ("*/*" if name == "*" else name)
    return MediaRange(inner, multipart, quality, parameters)


def accepted(header: str | None, query: str | None) -> list[MediaRange]:
    """What a request accepts, best first; those of the `accept` query parameter go before the header's (8.7.8.1).

    Ranges of quality 0 are the last of theirs: they say what is not wanted. Members that can't be read are ignored
    (8.7.7), unless nothing else is there: then BadInput.
    """
    if not query:
        return _ranges(header or "*/*")
    # A plus sign that nobody escaped reads as a space in a query (application/dicom json).
    asked = _ranges(re.sub(r"(?<=\w) (?=\w)", "+", query))
    return asked + [replace(one, fallback=True) for one in _ranges(header)] if header else asked


def _ranges(text: str) -> list[MediaRange]:
    if len(text) > _MAX_HEADER:
        raise BadInput("giant Accept header", safe=gettext("The Accept header is too long."))
    ranges: list[MediaRange] = []
    unreadable: BadInput | None = None
    for member in split(text):
        try:
            ranges.append(parse(member))
        except BadInput as error:
            unreadable = error
    if not ranges and unreadable is not None:
        raise unreadable
    return sorted(ranges, key=lambda r: -r.quality)


def accepts(request: Request) -> list[MediaRange]:
    """What a request accepts, as `accepted` tells. Raises BadInput, for a `charset` that can't be had, too."""
    need_utf8(request)
    header = ", ".join(request.headers.getlist("accept"))
    return accepted(header, request.query_params.get("accept"))


def ranked(ranges: Sequence[MediaRange], offers: Sequence[MediaRange]) -> Iterator[tuple[MediaRange, MediaRange]]:
    """Every acceptable offer with the ranges that let it in, best first.

    An offer's quality is that of the most specific range that fits it (RFC 9110 12.5.1): `image/png;q=0, image/*`
    takes every image but PNG. Ranges that differ in their transfer syntax only are alternatives. Between equals the
    client's order counts, then the offers'. What the header alone takes comes after all that the query does.
    """
    yield from _ranked([one for one in ranges if not one.fallback], offers)
    yield from _ranked([one for one in ranges if one.fallback], offers)


def _ranked(ranges: Sequence[MediaRange], offers: Sequence[MediaRange]) -> Iterator[tuple[MediaRange, MediaRange]]:
    found: list[tuple[float, int, int]] = []
    for number, offer in enumerate(offers):
        fitting = [place for place, wanted in enumerate(ranges) if fits(wanted, offer)]
        closest = max((_specific(ranges[place]) for place in fitting), default=None)
        found += [
            (-ranges[place].quality, place, number)
            for place in fitting
            if _specific(ranges[place]) == closest and ranges[place].quality > 0
        ]
    return ((ranges[place], offers[number]) for _, place, number in sorted(found))


def choose(ranges: Sequence[MediaRange], offers: Sequence[MediaRange], what: str) -> tuple[MediaRange, MediaRange]:
    """The best range and the first offer that fits it. Raises NotAcceptable, which names what there is."""
    for pair in ranked(ranges, offers):
        return pair
    raise refusal(offers, what)


def refusal(offers: Sequence[MediaRange], what: str) -> NotAcceptable:
    """The 406 that names what there is."""
    names = ", ".join(dict.fromkeys(map(str, offers)))
    return NotAcceptable(
        f"{what} in none of the accepted types",
        safe=gettext("%(what)s can be had as %(names)s.", what=what, names=names),
    )


def need_utf8(request: Request) -> None:
    """Refuse a `charset` parameter without the one character set that text is given in (8.3.3.2).

    Other wishes for character sets are no more than that: where none can be had it is the media type's own, UTF-8
    (8.8.5).
    """
    asked = request.query_params.get("charset")
    if asked is None:
        return
    names = [member.split(";")[0].strip().strip('"').lower() for member in split(asked) if not _refused(member)]
    if not _UTF8 & set(names):
        raise BadInput(
            f"text in {asked[:40]!r}", safe=gettext("Text can be had in UTF-8 only: ask with charset=utf-8.")
        )


def _refused(member: str) -> bool:
    return re.search(r";\s*q=0(\.0*)?\s*$", member) is not None


def fits(wanted: MediaRange, offer: MediaRange) -> bool:
    """Whether a range lets an offer in."""
    if wanted.multipart != offer.multipart and wanted.type != "*/*":
        return False
    if wanted.multipart and not offer.multipart:
        return False
    if wanted.type not in ("*/*", offer.type):
        family, _, kind = wanted.type.partition("/")
        if kind != "*" or not offer.type.startswith(family + "/"):
            return False
    syntax, has = wanted.transfer_syntax, offer.transfer_syntax
    return syntax in (None, "*") or has is None or syntax == has


def _specific(wanted: MediaRange) -> tuple[bool, bool, bool]:
    family, _, kind = wanted.type.partition("/")
    return family != "*", kind != "*", wanted.multipart


def _unquote(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') and len(value) > 1 else value
