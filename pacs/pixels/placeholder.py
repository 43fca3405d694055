"""A small neutral picture for what has no pixels: a structured report, a PDF, a waveform (PS3.18 10.4.1.1.5)."""

from __future__ import annotations

from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

from pacs.pixels.picture import MAX_SIDE, MediaType, encode

_GROUND, _PAGE, _LINE, _INK = (38, 42, 48), (226, 229, 233), (176, 182, 190), (60, 66, 74)


@lru_cache(maxsize=128)
def placeholder(label: str, *, size: int = 256, media_type: MediaType = "image/jpeg") -> bytes:
    """Draw a sheet of paper that bears a label of up to 8 characters, a modality's code; `size` pixels square.

    Letters that the built-in font has not are left out: the label is a code (CS), not a text.
    """
    size = min(max(size, 16), MAX_SIDE)
    unit = size / 16
    picture = Image.new("RGB", (size, size), _GROUND)
    pen = ImageDraw.Draw(picture)
    left, top, right, bottom, fold = 4 * unit, 2 * unit, 12 * unit, 14 * unit, 2.5 * unit
    pen.polygon([(left, top), (right - fold, top), (right, top + fold), (right, bottom), (left, bottom)], fill=_PAGE)
    pen.polygon([(right - fold, top), (right, top + fold), (right - fold, top + fold)], fill=_LINE)
    for row in (10.5, 11.5, 12.5):
        pen.rectangle((left + unit, row * unit, right - unit, row * unit + unit / 3), fill=_LINE)
    shown = "".join(letter for letter in label.upper() if letter.isascii() and letter.isprintable())[:8] or "?"
    font = ImageFont.load_default(unit * min(3.2, 11.5 / len(shown)))
    pen.text((size / 2, 7.5 * unit), shown, fill=_INK, font=font, anchor="mm")
    return encode(picture, media_type, quality=85)
