"""JPEG in the shape of JPEG XL and back, to the bit (PS3.5 8.2.15; ISO/IEC 18181-2 annex A): nothing is decoded."""

from __future__ import annotations

import imagecodecs

from pacs.dicom.transfer_syntaxes import BASELINE, JPEG_XL_RECOMPRESSION
from pacs.pixels import codecs
from pacs.pixels.errors import CannotDecode, refuse
from pacs.pixels.layout import Layout


def can(form: Layout, source: str, target: str) -> bool:
    """Tell whether frames go from the one transfer syntax to the other without being decoded.

    Lossless and 12 bit JPEG are no part of it: the codec knows the baseline process alone.
    """
    return form.bits_allocated == 8 and {source, target} == {BASELINE, JPEG_XL_RECOMPRESSION}


def recompressed(frame: bytes, form: Layout, target: str) -> bytes:
    """Give the frame in the other form. Raises CannotDecode where it is not what its transfer syntax says."""
    try:
        if target == JPEG_XL_RECOMPRESSION:
            codecs.check_jpeg(frame, form)
            return bytes(imagecodecs.jpegxl_encode_jpeg(frame, numthreads=1))
        codecs.check_jpeg_xl(frame, form)
        return bytes(imagecodecs.jpegxl_decode_jpeg(frame, numthreads=1))
    except CannotDecode:
        raise
    except Exception as failed:
        # Of a stranger's bytes, all of the codec's exceptions mean the same.
        raise refuse("there is no JPEG in it that could be given as it was.") from failed
