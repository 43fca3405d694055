"""The process that meets strangers' documents: `python -m pacs.pixels.page_worker`, started by `pacs.pixels.pages`.

It is confined like the decoding worker (docs/decisions/0019, 0045). Its PDFium has neither JavaScript nor XFA in it;
nothing that a document names (a link, an attached file, a font of the system) is followed or opened. What comes out is
a picture of each page and no word beside it: no comment, no Exif, no colour profile.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import numpy as np
import pi_heif
import pypdfium2
from PIL import Image, ImageOps
from pypdfium2 import raw

from pacs.pixels.confine import confine
from pacs.pixels.errors import CannotDecode
from pacs.pixels.layout import Layout
from pacs.pixels.worker import limit, serve

#: Dots per inch of a page, and the most dots of a side: an A4 page has 2339, small print is read at ease.
DPI, MOST_SIDE = 200, 3600
#: Dots of a photo or scan as it comes: what telephones make, and a sheet of A3 at 600 dots per inch.
MOST_DOTS = 120_000_000
#: Pages of a scan are counted no further.
_MOST_COUNTED = 1000
_QUALITY = 90
_FORMATS = {
    "image/jpeg": ("JPEG", "MPO"),
    "image/png": ("PNG",),
    "image/heic": ("HEIF",),
    "image/tiff": ("TIFF",),
}
_PDF = "application/pdf"


def count(head: dict[str, Any], _form: Layout, data: bytes) -> bytes:
    """Answer {"op": "count", "kind"}: how many pages there are, as JSON."""
    if head["kind"] == _PDF:
        with _pdf(data) as document:
            return json.dumps(len(document)).encode()
    with _picture(head["kind"], data) as picture:
        pages = 1
        if head["kind"] == "image/tiff":
            while pages <= _MOST_COUNTED and _has(picture, pages):
                pages += 1
        return json.dumps(pages).encode()


def page(head: dict[str, Any], _form: Layout, data: bytes) -> bytes:
    """Answer {"op": "page", "kind", "number"}: that page, counted from 0, as baseline JPEG of three components."""
    if head["kind"] == _PDF:
        return _jpeg(_drawn(data, head["number"]))
    with _picture(head["kind"], data) as picture:
        if head["number"] and not _has(picture, head["number"]):
            raise CannotDecode("broken")
        if picture.width * picture.height > MOST_DOTS:
            raise CannotDecode("large")
        # A JPEG is read no larger than it is wanted: a large one costs no more than a small one.
        picture.draft("RGB", (MOST_SIDE, MOST_SIDE))
        shaded = _shaded(ImageOps.exif_transpose(picture))
        shaded.thumbnail((MOST_SIDE, MOST_SIDE))
        return _jpeg(_opaque(shaded))


def _drawn(data: bytes, number: int) -> Image.Image:
    """A page of a PDF, with what was written into its forms."""
    with _pdf(data) as document:
        drawn = document[number]
        wide, high = drawn.get_size()
        scale = min(DPI / 72, MOST_SIDE / max(wide, high, 1))
        picture: Image.Image = drawn.render(scale=scale, fill_color=(255, 255, 255, 255)).to_pil()
        return picture.convert("RGB")


@contextmanager
def _pdf(data: bytes) -> Iterator[pypdfium2.PdfDocument]:
    with _mistrusted():
        try:
            document = pypdfium2.PdfDocument(data)
        except pypdfium2.PdfiumError as error:
            # PDFium keeps the code of an earlier document; where one is locked its trailer says so (ISO 32000-2 7.6).
            locked = error.err_code in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY) and b"/Encrypt" in data
            raise CannotDecode("locked" if locked else "broken") from error
        try:
            # What such a form shows is drawn by a program inside of it, which is not run: the page says "Please wait".
            if document.get_formtype() == raw.FORMTYPE_XFA_FULL:
                raise CannotDecode("form")
            document.init_forms()
            if not len(document):
                raise CannotDecode("broken")
            yield document
        finally:
            document.close()


@contextmanager
def _picture(kind: str, data: bytes) -> Iterator[Image.Image]:
    # By the one reader that belongs to the kind: Pillow guesses nothing.
    with _mistrusted(), Image.open(BytesIO(data), formats=_FORMATS[kind]) as picture:
        yield picture


@contextmanager
def _mistrusted() -> Iterator[None]:
    """Whatever a library says of a document means that it can't be read; only what is told apart goes on as it is."""
    try:
        yield
    except (CannotDecode, MemoryError):
        raise
    except Exception as error:
        raise CannotDecode("broken") from error


def _has(picture: Image.Image, number: int) -> bool:
    try:
        picture.seek(number)
    except EOFError:
        return False
    return True


def _shaded(picture: Image.Image) -> Image.Image:
    """The picture in shades of eight bits, which can be made smaller without losing thin lines."""
    if picture.mode.startswith(("I", "F")):
        levels = np.asarray(picture, np.float64)
        top = 65535 if levels.max(initial=0) > 255 else 255
        return Image.fromarray((np.clip(levels, 0, top) * 255 / top).astype(np.uint8))
    if picture.mode in ("1", "P"):
        return picture.convert("RGBA" if picture.has_transparency_data else "RGB" if picture.mode == "P" else "L")
    return picture


def _opaque(picture: Image.Image) -> Image.Image:
    """The picture in RGB; what is transparent lies on white."""
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    over = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", over.size, "white"), over).convert("RGB")


def _jpeg(picture: Image.Image) -> bytes:
    # Pillow writes a comment that it has read.
    picture.info = {}
    out = BytesIO()
    # Colour halved across, as Photometric Interpretation YBR_FULL_422 says (PS3.5 8.2.1).
    picture.save(out, "JPEG", quality=_QUALITY, subsampling="4:2:2")
    return out.getvalue()


OPERATIONS: dict[str, Callable[[dict[str, Any], Layout, bytes], bytes]] = {"count": count, "page": page}


def _load() -> None:
    """What is loaded late would be loaded in vain: from here on no file can be opened."""
    Image.init()
    with pypdfium2.PdfDocument.new() as document:
        document.new_page(72, 72).render(scale=1).to_pil()
    for kind in ("PNG", "TIFF"):
        out = BytesIO()
        Image.new("RGB", (8, 8)).save(out, kind)
        _jpeg(_opaque(ImageOps.exif_transpose(Image.open(out))))


def main() -> None:
    """Serve the socket that is file 0."""
    limit()
    pi_heif.register_heif_opener()
    Image.MAX_IMAGE_PIXELS = None  # `page` asks before anything is decoded, and has a sentence for it
    _load()
    confine()
    with socket.socket(fileno=0) as sock:
        serve(sock, OPERATIONS)


if __name__ == "__main__":
    main()
