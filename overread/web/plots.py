"""Bars as the template `plots.html` draws them: an SVG of the server's own, with no script and no style in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

#: Of the drawing's coordinates: bars stand between `_TOP` and `_FOOT`, each in a place `_PLACE` wide.
WIDTH, HEIGHT = 432, 170
_TOP, _FOOT, _PLACE, _BAR = 24, 140, 36, 22
#: The highest bar of a plot is one of these times a power of ten, so that plots of different days look alike.
_STEPS = (1, 2, 5, 10)


def bars(
    title: str, points: Sequence[tuple[str, float | None]], *, unit: str = "", top: float | None = None
) -> dict[str, Any]:
    """A plot of up to twelve values with their labels; None leaves a gap. `top`: the value of the highest bar there
    can be, else one that is round and not below any.
    """
    highest = top or _round_up(max((value for _, value in points if value is not None), default=0))
    drawn = []
    for number, (label, value) in enumerate(points):
        height = round((_FOOT - _TOP) * min(value, highest) / highest, 1) if value else 0.0
        drawn.append(
            {
                "label": label,
                "text": "" if value is None else f"{value:g}",
                "x": number * _PLACE + (_PLACE - _BAR) // 2,
                "middle": number * _PLACE + _PLACE // 2,
                "y": round(_FOOT - height, 1),
                "width": _BAR,
                "height": height,
            }
        )
    return {
        "title": title,
        "unit": unit,
        "bars": drawn,
        "width": WIDTH,
        "height": HEIGHT,
        "foot": _FOOT,
        "empty": all(value is None for _, value in points),
    }


def _round_up(value: float) -> float:
    scale = 1.0
    while value > 10 * scale:
        scale *= 10
    return next(step * scale for step in _STEPS if value <= step * scale)
