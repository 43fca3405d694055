"""Headers and frames made here, and frames of the corpus's real files."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.dataset import FileDataset
from pydicom.encaps import generate_frames

LITTLE = "1.2.840.10008.1.2.1"
BIG = "1.2.840.10008.1.2.2"


def header(rows: int = 4, columns: int = 6, bits: int = 16, **values: Any) -> Dataset:
    """A grey image's header; keywords add to it or replace, None takes away."""
    ds = Dataset()
    attributes = {
        "Rows": rows,
        "Columns": columns,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": bits,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": 0,
    } | values
    for keyword, value in attributes.items():
        if value is not None:
            setattr(ds, keyword, value)
    return ds


def colour(rows: int, columns: int, photometric: str = "RGB", **values: Any) -> Dataset:
    return header(
        rows,
        columns,
        8,
        **({"SamplesPerPixel": 3, "PhotometricInterpretation": photometric, "PlanarConfiguration": 0} | values),
    )


def ramp(rows: int, columns: int, dtype: str = "<u2", samples: int = 1) -> NDArray[Any]:
    """A smooth image that every codec takes, all values different along a row."""
    flat = np.add.outer(np.arange(rows) * 3, np.arange(columns) * 5) % 250
    return (flat if samples == 1 else np.stack([flat, flat // 2, 249 - flat], axis=-1)).astype(dtype)


def rle(image: NDArray[Any]) -> bytes:
    """An RLE Lossless frame (PS3.5 G), made without looking at the decoder's way of reading it."""
    planes = [image] if image.ndim == 2 else [image[..., sample] for sample in range(image.shape[2])]
    segments = []
    for plane in planes:
        words = plane.astype(plane.dtype.newbyteorder(">")).tobytes()
        for byte in range(image.dtype.itemsize):
            packed = bytes(imagecodecs.packbits_encode(words[byte :: image.dtype.itemsize]))
            segments.append(packed + bytes(len(packed) % 2))
    offsets = [64]
    for segment in segments[:-1]:
        offsets.append(offsets[-1] + len(segment))
    return struct.pack("<16I", len(segments), *offsets, *[0] * (15 - len(offsets))) + b"".join(segments)


def read(path: Path) -> FileDataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return dcmread(path, force=True)


def frames(ds: Dataset, transfer_syntax: str) -> Iterator[tuple[bytes, int]]:
    """The frames of a file that pydicom read, each with the bit at which it begins."""
    keyword = next(name for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData") if name in ds)
    data, count = ds[keyword].value, int(ds.get("NumberOfFrames") or 1)
    if transfer_syntax.startswith(("1.2.840.10008.1.2.4.", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.8.")):
        for frame in generate_frames(data, number_of_frames=count):
            yield frame, 0
        return
    bits = ds.Rows * ds.Columns * ds.SamplesPerPixel * ds.BitsAllocated
    if ds.PhotometricInterpretation == "YBR_FULL_422" and len(data) // count < bits // 8:
        bits = bits * 2 // 3
    if transfer_syntax == BIG and ds.BitsAllocated == 8 and ds[keyword].VR == "OW":
        data = np.frombuffer(data, ">u2").astype("<u2").tobytes()
    for index in range(count):
        yield data[index * bits // 8 : ((index + 1) * bits + 7) // 8], index * bits % 8
