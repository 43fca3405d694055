"""Graphic annotations: the lines and texts that a presentation state lays over an image (PS3.3 C.10.5)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from PIL import Image, ImageDraw
from pydicom import Dataset

from pacs.pixels import attributes
from pacs.pixels.annotate import drawable, font

Point = tuple[float, float]

_YELLOW, _RIM = (255, 221, 64), (0, 0, 0)
#: Points, objects and letters that are drawn at most: a state is no picture book.
_MAX_POINTS, _MAX_OBJECTS, _MAX_TEXT = 10_000, 1_000, 1_000

_CIRCLE = [(math.cos(step * math.pi / 36), math.sin(step * math.pi / 36)) for step in range(72)]


def draw(picture: Image.Image, layers: Sequence[Dataset], place: Callable[[float, float], Point]) -> Image.Image:
    """Give the picture in RGB with the annotations drawn; unchanged where there are none.

    `place` turns a point of the image into a point of the picture. Damaged objects are passed over.
    """
    graphics = [one for layer in layers for one in attributes.items(layer, "GraphicObjectSequence")][:_MAX_OBJECTS]
    texts = [one for layer in layers for one in attributes.items(layer, "TextObjectSequence")][:_MAX_OBJECTS]
    if not graphics and not texts:
        return picture
    out = picture.convert("RGB")
    pen = ImageDraw.Draw(out)
    width = max(round(min(out.size) / 400), 1)
    for one in graphics:
        _graphic(pen, one, _placed(one, "GraphicData", "GraphicAnnotationUnits", place, out.size), width)
    for one in texts:
        _text(pen, one, place, out.size)
    return out


def _placed(
    item: Dataset, keyword: str, units: str, place: Callable[[float, float], Point], size: tuple[int, int]
) -> list[Point]:
    """Give points (column, row) in the picture; DISPLAY units are shares of it (C.10.5.1.2)."""
    flat = attributes.numbers(item, keyword)[: 2 * _MAX_POINTS]
    pairs = zip(flat[::2], flat[1::2], strict=False)
    if attributes.text(item, units) == "DISPLAY":
        found = [(x * size[0], y * size[1]) for x, y in pairs]
    else:
        found = [place(x, y) for x, y in pairs]
    # Far outside nothing can be seen, and the pen would count pixels there.
    most = 8 * max(size)
    return [(min(max(x, -most), most), min(max(y, -most), most)) for x, y in found]


def _graphic(pen: ImageDraw.ImageDraw, item: Dataset, points: list[Point], width: int) -> None:
    kind = attributes.text(item, "GraphicType")
    filled = attributes.text(item, "GraphicFilled") == "Y"
    if kind == "POINT":
        for x, y in points:
            pen.ellipse((x - 2 * width, y - 2 * width, x + 2 * width, y + 2 * width), outline=_YELLOW, width=width)
    elif kind in ("POLYLINE", "INTERPOLATED") and len(points) >= 2:
        # Interpolated curves are drawn through their points by straight lines: they pass through each.
        if filled and len(points) >= 3:
            pen.polygon(points, outline=_YELLOW, fill=_YELLOW)
        pen.line(points, fill=_YELLOW, width=width, joint="curve")
    elif kind == "CIRCLE" and len(points) == 2:
        (x, y), (there_x, there_y) = points
        radius = ((x - there_x) ** 2 + (y - there_y) ** 2) ** 0.5
        _around(pen, (x, y), (radius, 0), (0, radius), width, filled)
    elif kind == "ELLIPSE" and len(points) == 4:
        # The ends of one axis, then of the other.
        (ax, ay), (bx, by), (cx, cy), (dx, dy) = points
        middle = ((ax + bx) / 2, (ay + by) / 2)
        _around(pen, middle, ((bx - ax) / 2, (by - ay) / 2), ((dx - cx) / 2, (dy - cy) / 2), width, filled)


def _around(pen: ImageDraw.ImageDraw, middle: Point, major: Point, minor: Point, width: int, filled: bool) -> None:
    """Draw the ellipse, rotated or not, that has these half axes."""
    line = [
        (middle[0] + major[0] * cos + minor[0] * sin, middle[1] + major[1] * cos + minor[1] * sin)
        for cos, sin in _CIRCLE
    ]
    if filled:
        pen.polygon(line, fill=_YELLOW)
    pen.line([*line, line[0]], fill=_YELLOW, width=width, joint="curve")


def _text(
    pen: ImageDraw.ImageDraw, item: Dataset, place: Callable[[float, float], Point], size: tuple[int, int]
) -> None:
    written = attributes.phrase(item, "UnformattedTextValue")[:_MAX_TEXT]
    shown = "\n".join("".join(map(drawable, line)) for line in written.splitlines())
    used = font(max(min(size) / 36, 9))
    box = [
        point
        for corner in ("TopLeft", "BottomRight")
        for point in _placed(item, f"BoundingBox{corner}HandCorner", "BoundingBoxAnnotationUnits", place, size)
    ]
    anchor = _placed(item, "AnchorPoint", "AnchorPointAnnotationUnits", place, size)
    if len(box) == 2:
        corner = (min(box[0][0], box[1][0]), min(box[0][1], box[1][1]))
        if anchor and attributes.text(item, "AnchorPointVisibility") == "Y":
            pen.line([corner, anchor[0]], fill=_YELLOW, width=1)
    elif anchor:
        corner = anchor[0]
    else:
        return
    pen.multiline_text(corner, shown, fill=_YELLOW, font=used, stroke_width=1, stroke_fill=_RIM)
