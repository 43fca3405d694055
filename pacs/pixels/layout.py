"""How one frame's samples lie: what decoders and encoders know of a header.

This module and those that `pacs.pixels.worker` imports do without pydicom: the worker stays small.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

#: The most samples of one frame: 128 Mi, a radiograph of 11,500 x 11,500 or a colour tile of 6,600 x 6,600.
MAX_SAMPLES = 128 << 20

#: Samples per pixel by photometric interpretation (PS3.3 C.7.6.3.1.2); CMYK, HSV and ARGB are retired.
SAMPLES = {
    "MONOCHROME1": 1,
    "MONOCHROME2": 1,
    "PALETTE COLOR": 1,
    "RGB": 3,
    "YBR_FULL": 3,
    "YBR_FULL_422": 3,
    "YBR_PARTIAL_422": 3,
    "YBR_PARTIAL_420": 3,
    "YBR_ICT": 3,
    "YBR_RCT": 3,
    "XYB": 3,
}


@dataclass(frozen=True, slots=True)
class Layout:
    """How one frame's samples lie: everything that a codec may need to know of a header."""

    rows: int
    columns: int
    samples: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    floating: bool
    planar: bool
    photometric: str

    @property
    def count(self) -> int:
        """Samples of one frame."""
        return self.rows * self.columns * self.samples

    @property
    def shape(self) -> tuple[int, ...]:
        """The decoded array's shape: (rows, columns) or (rows, columns, 3)."""
        return (self.rows, self.columns) if self.samples == 1 else (self.rows, self.columns, self.samples)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The decoded array's type, little endian; single bits become bytes."""
        kind = "f" if self.floating else "i" if self.signed else "u"
        return np.dtype(f"<{kind}{max(self.bits_allocated // 8, 1)}")
