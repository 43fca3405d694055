"""Documents as patients send them, made here: harmless, and in every kind that is taken or refused."""

from __future__ import annotations

import base64
import io
import warnings
from typing import Any

from PIL import Image, ImageDraw

#: A photo of 64 x 48 dots as an iPhone has it (HEVC, made with pillow-heif): turned by 90 degrees, with the maker's
#: name "ZqPhone" and a place on earth in its Exif. Upright it is 48 x 64, red at the upper right, blue at the lower
#: left.
HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAchtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAADRpbG9jAAAA"
    "AERAAAIAAQAAAAAB7AABAAAAAAAAAGYAAgAAAAACUgABAAAAAAAAAKoAAAA4aWluZgAAAAAAAgAAABVpbmZlAgAAAAABAABodmMxAAAAABVpbmZl"
    "AgAAAQACAABFeGlmAAAAAA5waXRtAAAAAAABAAABB2lwcnAAAADmaXBjbwAAAHZodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH/"
    "/wNwAAADAJAAAAMAAAMAHroCQGEAAQAqQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbq5Ka5uAhoMCAAAAMDIAAAAwAhYgABAAZEAcFzwIkAAAATY29s"
    "cm5jbHgAAQANAAaAAAAAFGlzcGUAAAAAAAAAQAAAAEAAAAAoY2xhcAAAAEAAAAABAAAAMAAAAAEAAAAAAAAAAv////AAAAACAAAAEHBpeGkAAAAA"
    "AwgICAAAAAlpcm90AwAAABlpcG1hAAAAAAAAAAEAAQaBAgMFhIYAAAAaaXJlZgAAAAAAAAAOY2RzYwACAAEAAQAAARhtZGF0AAAAYigBr1iHqCbt"
    "P/zc//1lZDmQ58cLH2mrk0E/fBdl2pr1vGjfbiLzpBloqJGNzegGDEf/xQckQ1/+k8ZbSOxREb6sVrWFwK+xylSG8hALRwlLmxbH555j+fHPFWUF"
    "XL7dzFwcAAAABkV4aWYAAE1NACoAAAAIAAMBDwACAAAACAAAADIBEgADAAAAAQAGAACIJQAEAAAAAQAAADoAAAAAWnFQaG9uZQAABAABAAIAAAAC"
    "TgAAAAACAAUAAAADAAAAcAADAAIAAAACRQAAAAAEAAUAAAADAAAAiAAAAAAAAAA0AAAAAQAAAB8AAAABAAAADAAAAAEAAAANAAAAAQAAABgAAAAB"
    "AAAAEgAAAAE="
)


def pdf(*pages: str, extra: bytes = b"", catalog: bytes = b"", trailer: bytes = b"") -> bytes:
    """A PDF of A4 pages with a line of text each. `extra`: further objects, from number 100 on."""
    kids = b" ".join(b"%d 0 R" % (10 + 2 * at) for at in range(len(pages)))
    objects = {
        1: b"<< /Type /Catalog /Pages 2 0 R %s >>" % catalog,
        2: b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, len(pages)),
        3: b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    }
    for at, text in enumerate(pages):
        drawn = b"BT /F1 24 Tf 72 700 Td (%s) Tj ET" % text.encode("latin-1")
        objects[10 + 2 * at] = (
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R "
            b"/Resources << /Font << /F1 3 0 R >> >> >>" % (11 + 2 * at)
        )
        objects[11 + 2 * at] = b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawn), drawn)
    out = bytearray(b"%PDF-1.7\n")
    places = {}
    for number, body in objects.items():
        places[number] = len(out)
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    out += extra
    start = len(out)
    out += b"xref\n0 1\n0000000000 65535 f \n"
    for number, place in places.items():
        out += b"%d 1\n%010d 00000 n \n" % (number, place)
    out += b"trailer\n<< /Size 200 /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF\n" % (trailer, start)
    return bytes(out)


def scripted() -> bytes:
    """A PDF that would run JavaScript when it is opened, go to an address, and has a file in it. All are harmless."""
    action = (
        b"/OpenAction << /S /JavaScript /JS (app.alert\\('Zqrun'\\)) /Next << /S /URI /URI (http://192.0.2.1/) >> >>"
    )
    names = b"/Names << /EmbeddedFiles << /Names [(a.txt) << /Type /Filespec /F (a.txt) /EF << /F 100 0 R >> >>] >> >>"
    file = b"100 0 obj\n<< /Type /EmbeddedFile /Length 5 >>\nstream\nZqemb\nendstream\nendobj\n"
    return pdf("Report", catalog=action + b" " + names, extra=file)


def locked() -> bytes:
    """A PDF that asks for a password."""
    keys = b"<< /Filter /Standard /V 1 /R 2 /P -4 /O (%s) /U (%s) >>" % (b"o" * 32, b"u" * 32)
    return pdf("Report", trailer=b"/Encrypt " + keys + b" /ID [(abcd) (abcd)]")


def photo(kind: str = "JPEG", size: tuple[int, int] = (300, 200), *, turned: int = 0, **options: Any) -> bytes:
    """A photo, dark at the left and red at its upper left corner; `turned`: Orientation of its Exif, with a place."""
    picture = Image.new("RGB", size, (230, 230, 230))
    drawn = ImageDraw.Draw(picture)
    drawn.rectangle((0, 0, size[0] // 4, size[1]), fill=(20, 20, 20))
    drawn.rectangle((0, 0, size[0] // 4, size[1] // 4), fill=(200, 20, 20))
    if turned:
        exif = Image.Exif()
        exif[0x0112], exif[0x010F] = turned, "ZqPhone"
        exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 18.0)})
        options["exif"] = exif.tobytes()
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        picture.save(out, kind, **options)
    return out.getvalue()


def scan(pages: int, size: tuple[int, int] = (400, 500)) -> bytes:
    """A TIFF of black and white pages, as scanners and fax machines make them."""
    made = [Image.new("1", size, 1) for _ in range(pages)]
    for picture in made:
        ImageDraw.Draw(picture).text((20, 20), "Zqscan", fill=0)
    out = io.BytesIO()
    made[0].save(out, "TIFF", save_all=True, append_images=made[1:], compression="group4")
    return out.getvalue()
