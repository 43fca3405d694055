"""Graphic annotations: the lines and texts that a presentation state lays over an image (PS3.3 C.10.5)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from PIL import Image, ImageDraw
from pydicom import Dataset

from pacs.pixels import attributes, layers, shapes
from pacs.pixels.annotate import drawable, font
from pacs.pixels.area import Fit
from pacs.pixels.lab import RGB
from pacs.pixels.layers import Layer, Style
from pacs.pixels.shapes import Line, Point, Shape

_RIM = (0, 0, 0)
#: Points, objects and letters that are drawn at most: a state is no picture book.
_MAX_POINTS, _MAX_OBJECTS, _MAX_TEXT = 20_000, 1_000, 1_000


class Pen:
    """Draws upon an RGB picture that `fit` made of an image."""

    def __init__(self, picture: Image.Image, fit: Fit) -> None:
        self._pen = ImageDraw.Draw(picture, "RGBA")
        self._size = picture.size
        self._fit = fit
        self._unit = max(round(min(picture.size) / 400), 1)
        self._objects, self._points = _MAX_OBJECTS, _MAX_POINTS

    def annotations(self, items: Sequence[Dataset], layer: Layer) -> None:
        """Draw items of Graphic Annotation Sequence; damaged objects are passed over.

        Compound graphics are also written as simple ones (C.10.5.1.3.1): where they are, those are drawn.
        """
        for item in items:
            graphics = self._some(item, "GraphicObjectSequence")
            texts = self._some(item, "TextObjectSequence")
            drawn = {attributes.integer(one, "CompoundGraphicInstanceID") for one in (*graphics, *texts)}
            for one in graphics:
                points = self._placed(one, "GraphicData", "GraphicAnnotationUnits")
                kind = attributes.text(one, "GraphicType")
                self._shape(one, shapes.simple(kind, points, self._unit), layers.style(one, layer))
            for one in self._some(item, "CompoundGraphicSequence"):
                if attributes.integer(one, "CompoundGraphicInstanceID") not in drawn - {None}:
                    self._compound(one, layer)
            for one in texts:
                self._text(one, layers.style(one, layer).text)

    def _some(self, item: Dataset, keyword: str) -> list[Dataset]:
        found = attributes.items(item, keyword)[: self._objects]
        self._objects -= len(found)
        return found

    def _raw(self, item: Dataset, keyword: str) -> Line:
        flat = attributes.numbers(item, keyword)[: 2 * self._points]
        self._points -= len(flat) // 2
        return list(zip(flat[::2], flat[1::2], strict=False))

    def _placed(self, item: Dataset, keyword: str, units: str) -> Line:
        """Give points (column, row) in the picture; of other units than an image's or a picture's there are none."""
        unit = attributes.text(item, units)
        return [self._seen(*point, unit) for point in self._raw(item, keyword)] if unit != "MATRIX" else []

    def _seen(self, x: float, y: float, unit: str) -> Point:
        """C.10.5, Table C.10-5: PIXEL counts from the image's corner, DISPLAY in shares of the displayed area."""
        x, y = (x * self._size[0], y * self._size[1]) if unit == "DISPLAY" else self._fit.point(x, y)
        # Far outside nothing can be seen, and the pen would count pixels there.
        most = 8 * max(self._size)
        return min(max(x, -most), most), min(max(y, -most), most)

    def _compound(self, item: Dataset, layer: Layer) -> None:
        unit = attributes.text(item, "CompoundGraphicUnits")
        if unit == "MATRIX":
            return
        found = shapes.compound(
            item,
            self._raw(item, "GraphicData"),
            lambda x, y: self._seen(x, y, unit),
            (1, 1) if unit == "DISPLAY" else self._size,
            self._unit,
        )
        style = layers.style(item, layer)
        self._shape(item, found, style)
        for at, label, anchor in found.labels:
            self._write(at, label, style.text, anchor)

    def _shape(self, item: Dataset, shape: Shape, style: Style) -> None:
        if shape.area and attributes.text(item, "GraphicFilled") == "Y":
            self._pen.polygon(shape.lines[0], fill=_with(style.fill, style.fill_opacity))
        width = max(round(self._unit * style.thickness), 1)
        for line in shape.lines:
            pieces = _dashes(line, 4 * width + 4) if style.dashed else [line]
            for piece in pieces:
                self._pen.line(piece, fill=_with(style.line, style.line_opacity), width=width, joint="curve")

    def _text(self, item: Dataset, colour: RGB) -> None:
        box = [
            point
            for corner in ("TopLeft", "BottomRight")
            for point in self._placed(item, f"BoundingBox{corner}HandCorner", "BoundingBoxAnnotationUnits")
        ]
        anchor = self._placed(item, "AnchorPoint", "AnchorPointAnnotationUnits")
        across = "l"
        if len(box) == 2:
            left, right = sorted(x for x, _ in box)
            top, bottom = sorted(y for _, y in box)
            if anchor and attributes.text(item, "AnchorPointVisibility") == "Y":
                (x, y), width = anchor[0], self._unit
                near = (min(max(x, left), right), min(max(y, top), bottom))
                self._pen.line([near, (x, y)], fill=colour, width=width)
            side = attributes.text(item, "BoundingBoxTextHorizontalJustification")
            at, across = {"RIGHT": ((right, top), "r"), "CENTER": (((left + right) / 2, top), "m")}.get(
                side, ((left, top), "l")
            )
        elif anchor:
            at = anchor[0]
        else:
            return
        self._write(at, attributes.phrase(item, "UnformattedTextValue"), colour, f"{across}a")

    def _write(self, at: Point, text: str, colour: RGB, anchor: str) -> None:
        shown = "\n".join("".join(map(drawable, line)) for line in text[:_MAX_TEXT].splitlines())
        used = font(max(min(self._size) / 36, 9))
        align = {"r": "right", "m": "center"}.get(anchor[0], "left")
        left, top, right, bottom = self._pen.multiline_textbbox(at, shown, used, anchor, align=align)
        # A text that would end outside is moved until it can be read, from its beginning.
        x = at[0] + min(0.0, self._size[0] - 2 - right)
        y = at[1] + min(0.0, self._size[1] - 2 - bottom)
        x, y = x + max(0.0, 1 - (left + x - at[0])), y + max(0.0, 1 - (top + y - at[1]))
        self._pen.multiline_text(
            (x, y), shown, fill=colour, font=used, anchor=anchor, align=align, stroke_width=1, stroke_fill=_RIM
        )


def _with(colour: RGB, opacity: float) -> tuple[int, int, int, int]:
    return (*colour, round(255 * opacity))


def _dashes(line: Line, step: float) -> list[Line]:
    """Cut a line into dashes as long as the gaps between them; one that would have very many is left whole."""
    length = sum(math.dist(a, b) for a, b in itertools.pairwise(line))
    if length > 2000 * step:
        return [line]
    out: list[Line] = []
    left, on = step, True
    piece = [line[0]]
    for start, end in itertools.pairwise(line):
        here, rest = start, math.dist(start, end)
        while rest > left:
            share = left / rest
            here = (here[0] + share * (end[0] - here[0]), here[1] + share * (end[1] - here[1]))
            rest -= left
            if on:
                out.append([*piece, here])
            piece, left, on = [here], step, not on
        left -= rest
        piece.append(end)
    return [*out, piece] if on and len(piece) > 1 else out
