"""What a header must say of frames that were written anew (PS3.5 8.2, PS3.3 C.7.6.1.1.5 and C.7.6.3)."""

from __future__ import annotations

from pydicom import Dataset

from pacs.part10 import EXPLICIT_LITTLE_ENDIAN
from pacs.pixels import codestream, layout

_JPEG2000 = frozenset(f"1.2.840.10008.1.2.4.{number}" for number in (90, 91, 92, 93, 201, 202, 203))
_JPEG = frozenset(f"1.2.840.10008.1.2.4.{number}" for number in (50, 51))
#: Lossy syntaxes and the Lossy Image Compression Method of each (PS3.3 C.7.6.1.1.5.1).
_LOSSY = {
    "1.2.840.10008.1.2.4.50": "ISO_10918_1",
    "1.2.840.10008.1.2.4.51": "ISO_10918_1",
    "1.2.840.10008.1.2.4.81": "ISO_14495_1",
    "1.2.840.10008.1.2.4.91": "ISO_15444_1",
    "1.2.840.10008.1.2.4.203": "ISO_15444_15",
    "1.2.840.10008.1.2.4.112": "ISO_18181_1",
}


def described(frame: bytes, ds: Dataset, target: str) -> dict[int, tuple[str, bytes] | None]:
    """The elements that change, by tag: VR and value, or None where one goes.

    `frame` is the first in the `target` syntax, `ds` the header that its source had.
    """
    form = layout.read(ds)
    changes: dict[int, tuple[str, bytes] | None] = {}
    if form.samples == 3:
        changes[0x00280004] = ("CS", _photometric(frame, target).encode())
        changes[0x00280006] = ("US", b"\0\0")
    if target in _LOSSY:
        before = form.count * form.bits_allocated / 8
        methods = _values(ds, "LossyImageCompressionMethod")
        ratios = _values(ds, "LossyImageCompressionRatio")
        changes[0x00282110] = ("CS", b"01")
        changes[0x00282112] = ("DS", "\\".join([*ratios, f"{before / max(len(frame), 1):.2f}"]).encode())
        changes[0x00282114] = ("CS", "\\".join([*methods, _LOSSY[target]]).encode())
    return changes


def _values(ds: Dataset, keyword: str) -> list[str]:
    found = ds.get(keyword)
    return [str(value) for value in ([found] if isinstance(found, str | float | int) else found or [])]


def _photometric(frame: bytes, target: str) -> str:
    """The colours of a frame of three samples, as the codestream has them."""
    if target == EXPLICIT_LITTLE_ENDIAN:
        return "RGB"
    if target in _JPEG2000:
        # ISO/IEC 15444-1 A.6.1: whether components are transformed, and by which wavelet.
        cod = frame.find(b"\xff\x52")
        if cod < 0 or len(frame) < cod + 14 or not frame[cod + 8]:
            return "RGB"
        return "YBR_RCT" if frame[cod + 13] else "YBR_ICT"
    if target in _JPEG and not codestream.jpeg(frame).rgb:
        sof = next((place for place in (frame.find(b"\xff" + bytes([m])) for m in (0xC0, 0xC1)) if place > 0), -1)
        return "YBR_FULL" if sof > 0 and frame[sof + 11 : sof + 12] == b"\x11" else "YBR_FULL_422"
    return "RGB"
