"""Texts burned onto a picture: who it is of, and how it was made (PS3.18 8.3.5.1.1).

They come from the header that is given, a view's where a view is seen: what it does not hold can't be shown.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from functools import lru_cache
from typing import Literal

from PIL import Image, ImageDraw, ImageFont
from pydicom import Dataset

from pacs.pixels import attributes

Keyword = Literal["patient", "technique"]

_MAX_LINE = 64

#: Latin letters that do not come apart into one of ASCII and an accent.
_LATIN = {
    "ß": "ss",
    "æ": "ae",
    "Æ": "AE",
    "œ": "oe",
    "Œ": "OE",
    "ø": "o",
    "Ø": "O",
    "đ": "d",
    "Đ": "D",
    "ð": "d",
    "Ð": "D",
    "ł": "l",
    "Ł": "L",
    "þ": "th",
    "Þ": "Th",
    "ı": "i",
    "–": "-",
    "—": "-",
    "’": "'",
    "·": ".",
}


def burn(picture: Image.Image, ds: Dataset, keywords: Collection[Keyword], frame_index: int = 0) -> Image.Image:
    """Give the picture with the patient's texts at the top left and the technique's at the bottom left."""
    out = picture.copy()
    pen = ImageDraw.Draw(out)
    size = max(min(out.width, out.height) / 36, 9)
    used = font(size)
    edge = size / 2
    if "patient" in keywords:
        _write(pen, (edge, edge), "la", patient(ds), used)
    if "technique" in keywords:
        _write(pen, (edge, out.height - edge), "ld", technique(ds, frame_index), used)
    return out


def patient(ds: Dataset) -> list[str]:
    """The lines that say who it is: name, identifier, birth date, sex and age."""
    name = attributes.phrase(ds, "PatientName").split("=", 1)[0]
    family, *rest = (part.strip() for part in name.split("^"))
    given = " ".join(part for part in rest if part)
    lines = [f"{family}, {given}" if family and given else family or given]
    lines.append(_labelled("ID", attributes.phrase(ds, "PatientID")))
    born = _labelled("born", _date(attributes.phrase(ds, "PatientBirthDate")))
    lines.append(" ".join(part for part in (born, attributes.phrase(ds, "PatientSex"), _age(ds)) if part))
    return [line for line in lines if line]


def technique(ds: Dataset, frame_index: int = 0) -> list[str]:
    """The lines that say how the image was made: when, of what, and with which settings."""
    lines = [
        _date(attributes.phrase(ds, "StudyDate")),
        " ".join(filter(None, (attributes.phrase(ds, "Modality"), attributes.phrase(ds, "SeriesDescription")))),
        " ".join(
            filter(None, (attributes.phrase(ds, k) for k in ("BodyPartExamined", "ImageLaterality", "ViewPosition")))
        ),
        "  ".join(
            f"{label} {found:g}{unit}".strip()
            for keyword, label, unit in (
                ("KVP", "", " kV"),
                ("XRayTubeCurrent", "", " mA"),
                ("RepetitionTime", "TR", ""),
                ("EchoTime", "TE", ""),
                ("SliceThickness", "", " mm"),
            )
            if (found := attributes.number(ds, keyword)) is not None
        ).strip(),
        _place(ds, frame_index),
    ]
    return [line for line in lines if line]


def _place(ds: Dataset, frame_index: int) -> str:
    """Which image of the series, and which frame of how many."""
    series, image = attributes.phrase(ds, "SeriesNumber"), attributes.phrase(ds, "InstanceNumber")
    frames = attributes.integer(ds, "NumberOfFrames") or 1
    parts = (_labelled("Se", series), _labelled("Im", image), f"Fr {frame_index + 1}/{frames}" if frames > 1 else "")
    return "  ".join(part for part in parts if part)


def _labelled(label: str, text: str) -> str:
    return f"{label} {text}" if text else ""


def _date(text: str) -> str:
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}" if len(text) == 8 and text.isdigit() else ""


def _age(ds: Dataset) -> str:
    return attributes.phrase(ds, "PatientAge").lstrip("0").lower()


def _write(
    pen: ImageDraw.ImageDraw, at: tuple[float, float], anchor: str, lines: list[str], used: ImageFont.FreeTypeFont
) -> None:
    shown = "\n".join("".join(map(drawable, line[:_MAX_LINE])) for line in lines)
    # White with a dark rim is read on bone and on air.
    bright, dark = (255, 0) if pen.im.mode == "L" else ((255, 255, 255), (0, 0, 0))
    rim = max(round(used.size / 12), 1)
    pen.multiline_text(at, shown, fill=bright, font=used, anchor=anchor, stroke_width=rim, stroke_fill=dark)


@lru_cache(maxsize=16)
def font(size: float) -> ImageFont.FreeTypeFont:
    """Give the built-in font, `size` pixels high."""
    found = ImageFont.load_default(size)
    assert isinstance(found, ImageFont.FreeTypeFont)
    return found


@lru_cache(maxsize=4096)
def drawable(letter: str) -> str:
    """Give the letter as the built-in font can draw it: without its accents, or a question mark where it has none."""
    if letter.isascii():
        return letter if letter.isprintable() else " "
    if letter in _LATIN:
        return _LATIN[letter]
    plain = unicodedata.normalize("NFKD", letter)[0]
    return plain if plain.isascii() and plain.isprintable() else "?"
