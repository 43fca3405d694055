"""CIELab values of annotations and shutters as RGB (PS3.3 C.10.7.1.1)."""

from __future__ import annotations

from pydicom import Dataset

from pacs.pixels import attributes

RGB = tuple[int, int, int]

# The white point D50, to which CIELab values are relative, and from XYZ under it to linear sRGB (IEC 61966-2-1).
_WHITE = (0.9642, 1.0, 0.8249)
_TO_SRGB = ((3.13386, -1.61687, -0.49061), (-0.97877, 1.91614, 0.03345), (0.07195, -0.22899, 1.40524))


def colour(ds: Dataset, keyword: str) -> RGB | None:
    """Give an element's colour, L, a and b of 16 bits each, in sRGB; None where there is none."""
    found = attributes.numbers(ds, keyword)
    if len(found) != 3 or not all(0 <= number <= 65535 for number in found):
        return None
    # C.10.7.1.1: 0 to 65535 stands for 0 to 100, and for -128 to 127 with 8080H for 0.
    lightness = found[0] / 65535 * 100
    a, b = (number / 257 - 128 for number in found[1:])
    middle = (lightness + 16) / 116
    xyz = [
        _cube(part) * white for part, white in zip((middle + a / 500, middle, middle - b / 200), _WHITE, strict=True)
    ]
    red, green, blue = (_gamma(sum(k * x for k, x in zip(row, xyz, strict=True))) for row in _TO_SRGB)
    return red, green, blue


def grey(p_value: float) -> RGB:
    """Give a P-Value of 16 bits as RGB."""
    level = min(max(int(p_value), 0), 65535) >> 8
    return level, level, level


def _cube(part: float) -> float:
    return part**3 if part > 6 / 29 else 3 * (6 / 29) ** 2 * (part - 4 / 29)


def _gamma(linear: float) -> int:
    linear = min(max(linear, 0.0), 1.0)
    return round(255 * (12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055))
