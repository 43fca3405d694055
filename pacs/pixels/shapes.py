"""Graphic objects as lines: what PS3.3 C.10.5.1.2 and C.10.5.1.3 mean by their types.

A `place` turns a point of the object's own units into a point of the picture.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pydicom import Dataset

from pacs.pixels import attributes

Point = tuple[float, float]
Line = list[Point]
Place = Callable[[float, float], Point]

_CIRCLE = [(math.cos(step * math.pi / 36), math.sin(step * math.pi / 36)) for step in range(73)]
#: Straight pieces of a curve between two of its points.
_PIECES = 8
#: Ticks of one ruler.
_MAX_TICKS = 200


@dataclass(slots=True)
class Shape:
    """Lines in the picture, whether the first of them bounds an area, and labels: where, what, and Pillow's anchor."""

    lines: list[Line] = field(default_factory=list)
    area: bool = False
    labels: list[tuple[Point, str, str]] = field(default_factory=list)


def simple(kind: str, points: Line, unit: float) -> Shape:
    """Give a simple object's shape from its points in the picture; `unit` is the usual width of a line."""
    if kind == "POINT":
        return Shape([_around(point, (2 * unit, 0), (0, 2 * unit)) for point in points])
    if kind == "POLYLINE" and len(points) >= 2:
        return Shape([points], area=len(points) >= 3)
    if kind == "INTERPOLATED" and len(points) >= 2:
        return Shape([_curve(points)], area=len(points) >= 3)
    if kind == "CIRCLE" and len(points) == 2:
        radius = math.dist(*points)
        return Shape([_around(points[0], (radius, 0), (0, radius))], area=True)
    if kind == "ELLIPSE" and len(points) == 4:
        # The ends of one axis, then of the other.
        (ax, ay), (bx, by), (cx, cy), (dx, dy) = points
        middle = ((ax + bx) / 2, (ay + by) / 2)
        return Shape([_around(middle, ((bx - ax) / 2, (by - ay) / 2), ((dx - cx) / 2, (dy - cy) / 2))], area=True)
    return Shape()


def compound(item: Dataset, points: Line, place: Place, size: tuple[int, int], unit: float) -> Shape:
    """Give a compound graphic's shape from its points in its own units; nothing for private types."""
    kind = attributes.text(item, "CompoundGraphicType")
    turn = _turn(item)

    def seen(line: Sequence[Point]) -> Line:
        return [place(*turn(*point)) for point in line]

    if kind in ("RECTANGLE", "ELLIPSE") and len(points) == 2:
        (left, top), (right, bottom) = points
        if kind == "RECTANGLE":
            corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
            return Shape([seen(corners)], area=True)
        middle = ((left + right) / 2, (top + bottom) / 2)
        return Shape([seen(_around(middle, ((right - left) / 2, 0), (0, (bottom - top) / 2)))], area=True)
    if kind == "MULTILINE":
        return Shape([seen(points[start : start + 2]) for start in range(0, len(points) - 1, 2)])
    gap = max(attributes.number(item, "GapLength") or 0.0, 0.0)
    if kind == "CROSSHAIR" and len(points) == 1:
        (x, y), reach = points[0], (attributes.number(item, "DiameterOfVisibility") or 0.0) / 2
        arms = [((x, y), (x + reach * dx, y + reach * dy)) for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1))]
        return Shape([seen(piece) for arm in arms for piece in _cut(*arm, (x, y), gap)])
    if len(points) != 2 or points[0] == points[1]:
        return Shape()
    start, end = points
    if kind in ("INFINITELINE", "CUTLINE"):
        if kind == "INFINITELINE":
            start, end = _prolonged(start, end, 4 * max(size))
        centre = attributes.numbers(item, "RotationPoint")
        at = (centre[0], centre[1]) if len(centre) == 2 else ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        return Shape([seen(piece) for piece in _cut(start, end, at, gap)])
    first, last = seen((start, end))
    if kind == "ARROW":
        return Shape([[first, last], _head(first, last, 10 * unit)])
    if kind in ("RULER", "AXIS", "RANGELINE"):
        return _ruler(item, first, last, 5 * unit)
    return Shape()


def _around(middle: Point, major: Point, minor: Point) -> Line:
    """The ellipse, rotated or not, that has these half axes."""
    return [
        (middle[0] + major[0] * cos + minor[0] * sin, middle[1] + major[1] * cos + minor[1] * sin)
        for cos, sin in _CIRCLE
    ]


def _curve(points: Line) -> Line:
    """A smooth line through all points, closed where the last is the first (Catmull and Rom's)."""
    closed = points[0] == points[-1] and len(points) > 3
    before, after = (points[-2], points[1]) if closed else (points[0], points[-1])
    padded = [before, *points, after]
    out = [points[0]]
    for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        for step in range(1, _PIECES + 1):
            t = step / _PIECES
            x, y = (
                0.5 * (2 * q + (r - p) * t + (2 * p - 5 * q + 4 * r - s) * t**2 + (3 * q - p - 3 * r + s) * t**3)
                for p, q, r, s in zip(a, b, c, d, strict=True)
            )
            out.append((x, y))
    return out


def _turn(item: Dataset) -> Place:
    """The rotation of a compound graphic (C.10.5.1.3.2), counterclockwise in degrees."""
    angle = math.radians(attributes.number(item, "RotationAngle") or 0.0)
    centre = attributes.numbers(item, "RotationPoint")
    if not angle or len(centre) != 2:
        return lambda x, y: (x, y)
    cos, sin = math.cos(angle), math.sin(angle)

    def turn(x: float, y: float) -> Point:
        x, y = x - centre[0], y - centre[1]
        return centre[0] + x * cos + y * sin, centre[1] - x * sin + y * cos

    return turn


def _prolonged(start: Point, end: Point, by: float) -> tuple[Point, Point]:
    dx, dy = _direction(start, end)
    return (start[0] - by * dx, start[1] - by * dy), (end[0] + by * dx, end[1] + by * dy)


def _cut(start: Point, end: Point, at: Point, gap: float) -> list[Line]:
    """The line's pieces on both sides of a gap around a point upon it."""
    length = math.dist(start, end)
    if not length:
        return []
    dx, dy = _direction(start, end)
    middle = (at[0] - start[0]) * dx + (at[1] - start[1]) * dy
    low, high = middle - gap / 2, middle + gap / 2
    if gap == 0 or high < 0 or low > length:
        return [[start, end]]
    pieces = [(0.0, low), (high, length)]
    return [
        [(start[0] + a * dx, start[1] + a * dy), (start[0] + b * dx, start[1] + b * dy)] for a, b in pieces if b > a
    ]


def _head(start: Point, tip: Point, size: float) -> Line:
    dx, dy = _direction(start, tip)
    back = (tip[0] - size * dx, tip[1] - size * dy)
    return [(back[0] - size / 2 * dy, back[1] + size / 2 * dx), tip, (back[0] + size / 2 * dy, back[1] - size / 2 * dx)]


def _ruler(item: Dataset, first: Point, last: Point, half: float) -> Shape:
    """A line with ticks across it, at both ends where none are named."""
    dx, dy = _direction(first, last)
    ticks = [
        (attributes.number(tick, "TickPosition") or 0.0, attributes.phrase(tick, "TickLabel"))
        for tick in attributes.items(item, "MajorTicksSequence")[:_MAX_TICKS]
    ]
    out = Shape([[first, last]])
    # Labels stand beside the ticks, and no tick goes through them.
    anchor = ("lm" if dy > 0 else "rm") if abs(dy) > abs(dx) else ("md" if dx > 0 else "ma")
    for share, label in ticks or [(0.0, ""), (1.0, "")]:
        x, y = first[0] + share * (last[0] - first[0]), first[1] + share * (last[1] - first[1])
        out.lines.append([(x - half * dy, y + half * dx), (x + half * dy, y - half * dx)])
        if label:
            out.labels.append(((x + 2 * half * dy, y - 2 * half * dx), label, anchor))
    return out


def _direction(start: Point, end: Point) -> Point:
    length = math.dist(start, end) or 1.0
    return (end[0] - start[0]) / length, (end[1] - start[1]) / length
