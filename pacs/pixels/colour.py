"""YBR to RGB (PS3.3 C.7.6.3.1.2)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Rows give R, G, B from (Y, Cb - half, Cr - half).
_FULL = np.array([[1, 0, 1.402], [1, -0.114 * 1.772 / 0.587, -0.299 * 1.402 / 0.587], [1, 1.772, 0]])
# The retired YBR_PARTIAL: Y in 16..235, Cb and Cr in 16..240 of 8 bits.
_PARTIAL = np.array([[1.1644, 0, 1.5960], [1.1644, -0.3917, -0.8130], [1.1644, 2.0173, 0]])


def to_rgb(ybr: NDArray[Any], bits: int, *, partial: bool = False) -> NDArray[Any]:
    """Turn (rows, columns, 3) unsigned samples of that many bits from YBR_FULL or YBR_PARTIAL into RGB."""
    if ybr.dtype == np.uint8 and bits == 8 and not partial:
        height, width = ybr.shape[:2]
        # Pillow's tables are exact to one level and ten times faster than the product below.
        return np.asarray(Image.frombuffer("YCbCr", (width, height), ybr.tobytes()).convert("RGB"))
    half, top = 1 << (bits - 1), (1 << bits) - 1
    offset = np.array([16 << bits >> 8 if partial else 0, half, half], np.float32)
    out = (ybr.astype(np.float32) - offset) @ (_PARTIAL if partial else _FULL).T.astype(np.float32)
    rgb: NDArray[Any] = np.clip(np.rint(out), 0, top).astype(ybr.dtype)
    return rgb


def widen_422(frame: NDArray[Any], rows: int, columns: int) -> NDArray[Any]:
    """Spread uncompressed 4:2:2 samples, Y Y Cb Cr for each two pixels, to (rows, columns, 3)."""
    pairs = frame.reshape(rows, columns // 2, 4)
    out = np.empty((rows, columns, 3), frame.dtype)
    out[:, 0::2, 0], out[:, 1::2, 0] = pairs[..., 0], pairs[..., 1]
    out[:, :, 1], out[:, :, 2] = np.repeat(pairs[..., 2], 2, axis=1), np.repeat(pairs[..., 3], 2, axis=1)
    return out
