"""One frame's bytes to stored values (PS3.5 8 and annex A.4), strangers' codestreams in a process of their own."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from pacs.dicom import transfer_syntaxes as ts
from pacs.pixels import image_pixel, stored, workers
from pacs.pixels.cache import Cache
from pacs.pixels.layout import Layout

Array = NDArray[Any]

#: Frames that were decoded or transcoded a moment ago, by the content that they were made of.
FRAMES: Cache[Any] = Cache(24 << 20)


def decode_frame(ds: Dataset, frame: bytes, transfer_syntax: str, *, bit_offset: int = 0) -> Array:
    """Decode one frame.

    `ds` is the header (little endian; pixel data is not looked at), `frame` exactly one frame: a whole
    codestream, or bare samples (words in big endian for Explicit VR Big Endian, bytes as in OB). Where Bits
    Allocated is 1, a native frame may begin inside a byte: `bit_offset` says at which bit, from the least.

    Gives stored values, before any modality transformation, cleaned of unused bits: (rows, columns) for grey
    and palette indices, (rows, columns, 3) in RGB for colour, in the smallest type of Bits Allocated bits,
    signed by Pixel Representation; float32 or float64 for float pixel data. Not to be written to.
    Raises CannotDecode; Unavailable where the decoding process was ended from outside.
    """
    form = image_pixel.read(ds)
    if transfer_syntax not in ts.CODECS:
        return stored.values(form, frame, transfer_syntax, bit_offset=bit_offset)
    found: Array = FRAMES.get(
        (workers.digest(frame), form, transfer_syntax), lambda: _apart(form, frame, transfer_syntax), lambda a: a.nbytes
    )
    return found


def _apart(form: Layout, frame: bytes, transfer_syntax: str) -> Array:
    kind, size = form.dtype, form.count * form.dtype.itemsize
    body = workers.POOL.call({"op": "decode", "syntax": transfer_syntax}, form, frame, exactly=size)
    found = np.frombuffer(body, kind).reshape(form.shape)
    found.flags.writeable = False
    return found
