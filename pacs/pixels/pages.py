"""Documents of strangers as pictures of their pages: PDFs, photos and scans, read by a process that may die.

What a file is, its content tells, never its name or what a client says of it. The pages are what people look at: a
document itself is only kept, and given back to be saved.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from overread.kit.errors import Unprocessable
from overread.kit.language import Phrase, gettext
from pacs.pixels import codestream, workers
from pacs.pixels.errors import CannotDecode
from pacs.pixels.layout import Layout

_T = TypeVar("_T")

#: Bytes of one file, its pages, and seconds that all of them may take.
MOST_BYTES, MOST_PAGES, MOST_SECONDS = 32 << 20, 60, 120.0
#: Dots of a page's longer side (`pacs.pixels.page_worker`), and bytes of the pictures of all pages.
MOST_SIDE, MOST_MADE = 3600, 96 << 20
_POOL = workers.Pool(module="pacs.pixels.page_worker")
_MOST_ANSWER = 1 << 10
#: Two pages of this size are in the worker at a time: as it was read, and as it is written.
_FORM = Layout(MOST_SIDE, MOST_SIDE, 3, 8, 8, 7, False, False, False, "RGB")


class Kind(StrEnum):
    """What can be read, by its media type."""

    PDF = "application/pdf"
    JPEG = "image/jpeg"
    PNG = "image/png"
    HEIC = "image/heic"
    TIFF = "image/tiff"


#: Brands of files whose picture is HEVC (ISO/IEC 23008-12 B.4.1).
_HEVC = frozenset((b"heic", b"heix", b"heim", b"heis"))
_ASIDE = Phrase(
    "Open it, print it to a new PDF (“Print”, then “Save as PDF”) and add that one, or photograph its pages."
)
_WHY: Mapping[str, str] = {
    "empty": Phrase("It is empty. Look where it came from, and choose it again."),
    "kind": Phrase(
        "It is neither a PDF nor a photo or scan (JPEG, PNG, HEIC, TIFF). Save it as a PDF, or photograph its pages."
    ),
    "dicom": Phrase("It holds medical images (DICOM), which go with the images and not with the documents."),
    "locked": Phrase("It is locked with a password."),
    "form": Phrase("It is a form that only its own program can show."),
    "broken": Phrase("It can’t be read: it is damaged, or not complete."),
    "slow": Phrase("It takes too long to read."),
    "large": Phrase("Its picture is too large: 120 megapixels at most. Take it again with a smaller one."),
    "heavy": Phrase("Its pages are too large together. Divide it into several files."),
}
#: Of these the document may be good, and only this file of it is not.
_PRINTED = frozenset(("locked", "form", "broken", "slow"))


class NotReadable(Unprocessable):
    """A file that is no document, or can't be shown as one; its sentence says why, and what to do."""

    title = Phrase("The document can’t be read")


@dataclass(frozen=True, slots=True)
class Page:
    """A page as a baseline JPEG of three components, its colour halved across."""

    jpeg: bytes
    rows: int
    columns: int


def kind_of(data: bytes) -> Kind:
    """What a file's first bytes say that it is. Raises NotReadable for all that is not taken."""
    if not data:
        raise _refuse("empty")
    if data.startswith(b"\xff\xd8\xff"):
        return Kind.JPEG
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return Kind.PNG
    if data.startswith((b"II*\0", b"MM\0*")):
        return Kind.TIFF
    if data[4:8] == b"ftyp":
        box = data[8 : min(int.from_bytes(data[:4]), 256)]
        if _HEVC.intersection(box[at : at + 4] for at in range(0, len(box), 4)):
            return Kind.HEIC
    # Some writers begin with a byte order mark or an empty line; whatever else stands first makes it another kind.
    if data[:64].lstrip(b"\xef\xbb\xbf\r\n\t ").startswith(b"%PDF-"):
        return Kind.PDF
    raise _refuse("dicom" if data[128:132] == b"DICM" else "kind")


def pages(kind: Kind, data: bytes) -> list[Page]:
    """Every page of a document, in order.

    Raises NotReadable with a sentence that says what to do, Unavailable where no worker can be had.
    """
    if len(data) > MOST_BYTES:
        raise NotReadable(
            f"a document of {len(data)} bytes",
            safe=gettext(
                "It is too large: %(megabytes)s megabytes at most. Divide it, or save it smaller.",
                megabytes=MOST_BYTES >> 20,
            ),
        )
    until = time.monotonic() + MOST_SECONDS
    number = _counted(kind, data)
    if number > MOST_PAGES:
        raise NotReadable(
            f"a document of {number} pages",
            safe=gettext("It has too many pages: %(pages)s at most. Divide it into several files.", pages=MOST_PAGES),
        )
    made: list[Page] = []
    for at in range(number):
        if time.monotonic() > until:
            raise _refuse("slow")
        made.append(_page(kind, data, at))
        if sum(len(page.jpeg) for page in made) > MOST_MADE:
            raise _refuse("heavy")
    return made


def _counted(kind: Kind, data: bytes) -> int:
    said = _asked(lambda: _POOL.call({"op": "count", "kind": kind}, _FORM, data, limit=_MOST_ANSWER))
    try:
        number = json.loads(said)
    except ValueError as garbled:
        raise _refuse("broken") from garbled
    if type(number) is not int or number < 1:
        raise _refuse("broken")
    return number


def _page(kind: Kind, data: bytes, number: int) -> Page:
    most = MOST_SIDE * MOST_SIDE * 3
    head = {"op": "page", "kind": kind, "number": number}
    jpeg = bytes(_asked(lambda: _POOL.call(head, _FORM, data, limit=most)))
    # The worker may have been taken over: what it made is looked at like a stranger's.
    described = _asked(lambda: codestream.jpeg(jpeg))
    if described.samples != 3 or not 0 < max(described.rows, described.columns) <= MOST_SIDE:
        raise _refuse("broken")
    return Page(jpeg, described.rows, described.columns)


def _asked(ask: Callable[[], _T]) -> _T:
    try:
        return ask()
    except CannotDecode as error:
        said = str(error)
        raise _refuse(said if said in _WHY else "slow" if "too long" in said else "broken") from error


def _refuse(why: str) -> NotReadable:
    sentence = f"{_WHY[why]} {_ASIDE}" if why in _PRINTED else str(_WHY[why])
    return NotReadable(f"a document: {why}", safe=sentence)
