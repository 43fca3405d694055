"""Documents of strangers as pictures of their pages: each kind that is taken, and each that is not."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pacs.pixels import codestream, pages
from pacs.pixels.pages import MOST_PAGES, MOST_SIDE, Kind, NotReadable, Page, kind_of
from tests.fakes import papers


def read(data: bytes) -> list[Page]:
    return pages.pages(kind_of(data), data)


def seen(page: Page) -> Image.Image:
    return Image.open(io.BytesIO(page.jpeg)).convert("RGB")


def refused(data: bytes) -> str:
    with pytest.raises(NotReadable) as told:
        read(data)
    return told.value.safe


@pytest.mark.parametrize(
    ("data", "kind", "count"),
    [
        (papers.pdf("One", "Two", "Three"), Kind.PDF, 3),
        (b"\xef\xbb\xbf\r\n" + papers.pdf("One"), Kind.PDF, 1),
        (papers.photo("JPEG"), Kind.JPEG, 1),
        (papers.photo("PNG"), Kind.PNG, 1),
        (papers.HEIC, Kind.HEIC, 1),
        (papers.scan(3), Kind.TIFF, 3),
    ],
    ids=["pdf", "pdf with a byte order mark", "jpeg", "png", "heic", "tiff"],
)
def test_every_kind_becomes_pages(data: bytes, kind: Kind, count: int) -> None:
    assert kind_of(data) is kind
    found = read(data)
    assert len(found) == count
    for page in found:
        head = codestream.jpeg(page.jpeg)
        # Baseline, three components, colour halved across: what the objects' headers say (PS3.5 8.2.1).
        assert (head.rows, head.columns, head.samples, head.precision) == (page.rows, page.columns, 3, 8)
        assert head.sequential
        assert head.sampling == (2, 1)


def shades(grey: Image.Image) -> tuple[int, int]:
    """The darkest and the brightest shade."""
    values = np.asarray(grey)
    return int(values.min()), int(values.max())


def test_a_page_is_large_enough_to_be_read() -> None:
    [page] = read(papers.pdf("Report"))
    assert (page.columns, page.rows) == (1653, 2339)
    grey = seen(page).convert("L")
    assert shades(grey) == (0, 255)
    # The words stand where the page has them, and nowhere else.
    assert shades(grey.crop((190, 300, 500, 420)))[0] < 50
    assert shades(grey.crop((0, 600, 1653, 2339)))[0] > 200


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_photo_stands_upright(orientation: int) -> None:
    [page] = read(papers.photo(turned=orientation))
    assert (page.columns, page.rows) == ((300, 200) if orientation in (1, 3) else (200, 300))
    corner = {1: (10, 10), 3: (290, 190), 6: (190, 10), 8: (10, 290)}[orientation]
    red, green, _ = seen(page).getpixel(corner)  # type: ignore[misc]
    assert red > 150 > 80 > green


def test_a_heic_photo_stands_upright() -> None:
    [page] = read(papers.HEIC)
    assert (page.columns, page.rows) == (48, 64)
    picture = seen(page)
    assert picture.getpixel((40, 3)) == pytest.approx((200, 30, 30), abs=20)
    assert picture.getpixel((3, 60)) == pytest.approx((30, 30, 200), abs=20)


@pytest.mark.parametrize(
    "data",
    [
        papers.HEIC,
        papers.photo(turned=6),
        papers.photo("PNG", turned=1),
        papers.photo("JPEG", comment=b"ZqPhone at home"),
        papers.photo("TIFF", description="ZqPhone at home"),
    ],
    ids=["heic", "jpeg", "png", "comment", "tiff"],
)
def test_nothing_but_the_picture_is_left(data: bytes) -> None:
    assert b"ZqPhone" in data
    [page] = read(data)
    assert b"ZqPhone" not in page.jpeg
    assert b"Exif" not in page.jpeg
    picture = Image.open(io.BytesIO(page.jpeg))
    assert not picture.getexif()
    assert set(picture.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16", "CMYK"])
def test_every_sort_of_colour_is_read(mode: str) -> None:
    out = io.BytesIO()
    dark: dict[str, Any] = {
        "1": 0,
        "L": 20,
        "LA": (20, 255),
        "P": 0,
        "RGBA": (20, 20, 20, 255),
        "I;16": 5000,
        "CMYK": (0, 0, 0, 235),
    }
    Image.new(mode, (64, 48), dark[mode]).save(out, "TIFF" if mode == "CMYK" else "PNG")
    [page] = read(out.getvalue())
    assert max(seen(page).getpixel((30, 20))) < 40  # type: ignore[arg-type]


def test_what_is_transparent_is_white() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (64, 48), (0, 0, 0, 0)).save(out, "PNG")
    [page] = read(out.getvalue())
    assert min(seen(page).getpixel((30, 20))) > 240  # type: ignore[arg-type]


def test_thin_lines_of_a_fax_are_left() -> None:
    picture = Image.new("1", (7200, 1000), 1)
    for column in range(0, 7200, 40):
        picture.paste(0, (column + 1, 0, column + 2, 1000))
    out = io.BytesIO()
    picture.save(out, "TIFF", compression="group4")
    [page] = read(out.getvalue())
    line = seen(page).convert("L").crop((0, 100, MOST_SIDE, 101)).tobytes()
    assert sum(shade < 200 for shade in line) >= 150


def test_a_photo_of_many_dots_is_made_smaller() -> None:
    [page] = read(papers.photo(size=(9000, 6000)))
    assert (page.columns, page.rows) == (MOST_SIDE, 2400)


def test_forms_of_a_pdf_show_what_was_written_into_them() -> None:
    look = b"BT /F1 24 Tf 5 10 Td (Filled) Tj ET"
    form = (
        b"100 0 obj\n<< /Type /Annot /Subtype /Widget /FT /Tx /T (a) /V (Filled) /Rect [72 500 400 540] /F 4 "
        b"/AP << /N 101 0 R >> /DA (/F1 24 Tf) >>\nendobj\n"
        b"101 0 obj\n<< /Type /XObject /Subtype /Form /BBox [0 0 328 40]"
        b" /Resources << /Font << /F1 3 0 R >> >> /Length %d >>\nstream\n%s\nendstream\nendobj\n" % (len(look), look)
    )
    data = papers.pdf("Form", catalog=b"/AcroForm << /Fields [100 0 R] >>", extra=form)
    data = data.replace(b"/Contents 11 0 R ", b"/Contents 11 0 R /Annots [100 0 R] ")
    [page] = read(data)
    where = (200, 2339 - 1500, 1100, 2339 - 1389)
    assert shades(seen(page).convert("L").crop(where))[0] < 100


def test_scripts_links_and_files_of_a_pdf_do_nothing() -> None:
    [page] = read(papers.scripted())
    assert b"Zq" not in page.jpeg
    assert shades(seen(page).convert("L"))[0] < 50


def test_a_locked_pdf_says_what_to_do() -> None:
    said = refused(papers.locked())
    assert said.startswith("It is locked with a password. Open it, print it to a new PDF")


def test_a_form_of_another_program_is_told() -> None:
    data = papers.pdf(
        "Please wait", catalog=b"/AcroForm << /Fields [] /XFA [(template) 100 0 R] >> /NeedsRendering true"
    )
    assert refused(data).startswith("It is a form that only its own program can show.")


@pytest.mark.parametrize(
    "data",
    [
        b"%PDF-1.7\nnothing of the sort",
        papers.photo("JPEG")[:500],
        papers.photo("PNG")[:400],
        papers.HEIC[:600],
        papers.scan(1)[:40],
        papers.pdf(),
    ],
    ids=["pdf", "jpeg", "png", "heic", "tiff", "no page"],
)
def test_what_is_damaged_is_told(data: bytes) -> None:
    said = refused(data)
    assert said.startswith("It can’t be read")
    assert "photograph its pages" in said


@pytest.mark.parametrize(
    "data",
    [
        b"PK\x03\x04" + bytes(100),
        b"GIF89a" + bytes(100),
        b"<html><script>alert(1)</script>%PDF-1.7</html>",
        bytes(4) + b"ftypavif" + bytes(100),
        b"MZ" + papers.pdf("One"),
        b"just words",
    ],
    ids=["zip", "gif", "html with a pdf in it", "avif", "program with a pdf in it", "text"],
)
def test_what_is_no_document_is_told(data: bytes) -> None:
    assert refused(data).startswith("It is neither a PDF nor a photo or scan")


def test_an_empty_file_and_an_image_of_medicine_are_told() -> None:
    assert refused(b"").startswith("It is empty.")
    assert "go with the images" in refused(bytes(128) + b"DICM" + bytes(100))


def test_a_file_is_what_it_begins_with() -> None:
    # A photo that a PDF follows is a photo: nothing else of it is read, or kept.
    [page] = read(papers.photo() + papers.pdf("Hidden"))
    assert (page.columns, page.rows) == (300, 200)


def test_giants_are_refused_before_they_are_decoded() -> None:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0))
    said = refused(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b""))
    assert said.startswith("Its picture is too large: 120 megapixels at most.")


def test_a_giant_page_is_drawn_small() -> None:
    data = papers.pdf("Poster").replace(b"[0 0 595 842]", b"[0 0 14400 7200]")
    [page] = read(data)
    assert (page.columns, page.rows) == (MOST_SIDE, MOST_SIDE // 2)


def test_too_many_pages_and_bytes_are_refused() -> None:
    assert refused(papers.scan(MOST_PAGES + 1, (8, 8))) == (
        "It has too many pages: 60 at most. Divide it into several files."
    )
    assert refused(papers.photo() + bytes(pages.MOST_BYTES)).startswith("It is too large: 32 megabytes at most.")
    assert len(read(papers.scan(MOST_PAGES, (8, 8)))) == MOST_PAGES


def test_what_takes_too_long_or_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "MOST_SECONDS", -1.0)
    assert refused(papers.pdf("One")).startswith("It takes too long to read.")
    monkeypatch.undo()
    monkeypatch.setattr(pages, "MOST_MADE", 10)
    assert refused(papers.pdf("One")).startswith("Its pages are too large together.")
