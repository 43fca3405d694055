"""Graphic layers, and the styles of what is drawn in them (PS3.3 C.10.7, C.10.5)."""

from __future__ import annotations

from dataclasses import dataclass

from pydicom import Dataset

from pacs.pixels import attributes, lab
from pacs.pixels.lab import RGB

#: What is drawn where nobody says in which colour: yellow is read on bone and on air.
DEFAULT: RGB = (255, 221, 64)


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer's name, and the colour that is recommended for it, if any."""

    name: str
    colour: RGB | None = None


@dataclass(frozen=True, slots=True)
class Style:
    """How lines, areas and letters are drawn; opacities count from 0 to 1, thickness in lines of the usual width."""

    line: RGB
    fill: RGB
    text: RGB
    thickness: float = 1.0
    dashed: bool = False
    line_opacity: float = 1.0
    fill_opacity: float = 1.0


def ordered(state: Dataset) -> list[Layer]:
    """Give the state's layers in the order in which they are drawn, the lowest first; those of no order are last."""
    found = []
    for item in attributes.items(state, "GraphicLayerSequence"):
        order = attributes.number(item, "GraphicLayerOrder")
        found.append((order is None, order or 0.0, Layer(attributes.text(item, "GraphicLayer"), _colour(item))))
    return [layer for *_, layer in sorted(found, key=lambda one: one[:2])]


def style(item: Dataset, layer: Layer) -> Style:
    """Give an object's style: its own sequences', else its layer's colour."""
    usual = layer.colour or DEFAULT
    line, fill, text = (
        next(iter(attributes.items(item, f"{kind}StyleSequence")), Dataset()) for kind in ("Line", "Fill", "Text")
    )
    stroke = lab.colour(line, "PatternOnColorCIELabValue") or usual
    return Style(
        line=stroke,
        fill=lab.colour(fill, "PatternOnColorCIELabValue") or stroke,
        text=lab.colour(text, "TextColorCIELabValue") or usual,
        thickness=min(max(attributes.number(line, "LineThickness") or 1.0, 0.5), 20.0),
        dashed=attributes.text(line, "LineDashingStyle") == "DASHED",
        line_opacity=_opacity(line),
        fill_opacity=_opacity(fill),
    )


def _colour(item: Dataset) -> RGB | None:
    if found := lab.colour(item, "GraphicLayerRecommendedDisplayCIELabValue"):
        return found
    # Retired in favour of CIELab, and still written.
    rgb = attributes.numbers(item, "GraphicLayerRecommendedDisplayRGBValue")
    if len(rgb) == 3:
        red, green, blue = (lab.grey(part)[0] for part in rgb)
        return red, green, blue
    grey = attributes.number(item, "GraphicLayerRecommendedDisplayGrayscaleValue")
    return None if grey is None else lab.grey(grey)


def _opacity(item: Dataset) -> float:
    found = attributes.number(item, "PatternOnOpacity")
    return 1.0 if found is None else min(max(found, 0.0), 1.0)
