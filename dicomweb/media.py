"""Media types: what a client accepts, and which of what we can make it gets (PS3.18 8.7; RFC 9110 12.4, 12.5.1)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from overread.kit.errors import BadInput, NotAcceptable

DICOM = "application/dicom"
DICOM_JSON = "application/dicom+json"
DICOM_XML = "application/dicom+xml"
OCTETS = "application/octet-stream"
MULTIPART = "multipart/related"
JPEG, PNG, GIF = "image/jpeg", "image/png", "image/gif"

_MAX_HEADER = 8192
_PARAMETER = re.compile(r';\s*([^\s=;,"]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^\s;,]*)')


@dataclass(frozen=True, slots=True)
class MediaRange:
    """One member of an Accept header; `type` is of the part where the range is multipart/related."""

    type: str
    multipart: bool = False
    quality: float = 1.0
    parameters: dict[str, str] = field(default_factory=dict)

    @property
    def transfer_syntax(self) -> str | None:
        """The transfer syntax that is asked for (PS3.18 8.7.3.5), `*` for any, None where it isn't said."""
        return self.parameters.get("transfer-syntax")


def split(header: str) -> list[str]:
    """The members of a comma-separated header, commas within quotes spared."""
    return [part.strip() for part in re.findall(r'(?:[^,"]|"(?:[^"\\]|\\.)*")+', header) if part.strip()]


def parse(text: str) -> MediaRange:
    """One media type or range with its parameters. Raises BadInput."""
    name = text.split(";", 1)[0].strip().lower()
    if name != "*" and not re.fullmatch(r"[\w.+*-]+/[\w.+*-]+", name):
        raise BadInput(f"not a media type: {text[:80]!r}", safe="A media type in the Accept header can't be read.")
    parameters = {key.lower(): _unquote(value) for key, value in _PARAMETER.findall(text)}
    try:
        quality = min(1.0, max(0.0, float(parameters.pop("q", "1"))))
    except ValueError:
        quality = 1.0
    multipart = name == MULTIPART
    inner = parameters.pop("type", "*/*").lower() if multipart else ("*/*" if name == "*" else name)
    return MediaRange(inner, multipart, quality, parameters)


def accepted(header: str | None, query: str | None) -> list[MediaRange]:
    """What a request accepts, best first; the `accept` query parameter goes before the header (PS3.18 8.3.3.1)."""
    text = query or header or "*/*"
    if len(text) > _MAX_HEADER:
        raise BadInput("giant Accept header", safe="The Accept header is too long.")
    ranges = [parse(member) for member in split(text)]
    return sorted((r for r in ranges if r.quality > 0), key=lambda r: -r.quality)


def choose(ranges: Sequence[MediaRange], offers: Sequence[MediaRange], what: str) -> tuple[MediaRange, MediaRange]:
    """The best range and the first offer that fits it. Raises NotAcceptable, which names what there is."""
    for wanted in ranges:
        for offer in offers:
            if _fits(wanted, offer):
                return wanted, offer
    names = ", ".join(f'multipart/related; type="{o.type}"' if o.multipart else o.type for o in offers)
    raise NotAcceptable(f"{what} in none of the accepted types", safe=f"{what} can be had as {names}.")


def _fits(wanted: MediaRange, offer: MediaRange) -> bool:
    if wanted.multipart != offer.multipart and wanted.type != "*/*":
        return False
    if wanted.type not in ("*/*", offer.type):
        family, _, kind = wanted.type.partition("/")
        if kind != "*" or not offer.type.startswith(family + "/"):
            return False
    syntax, has = wanted.transfer_syntax, offer.transfer_syntax
    return syntax in (None, "*") or has is None or syntax == has


def _unquote(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') and len(value) > 1 else value
