"""Where pixels may show a person's name: reasons to let someone look before anyone else does (PS3.15 E.3.1).

Burned In Annotation NO is a hint of the sender, not a proof; on the kinds of image that are usually written on it
counts for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pacs.dicom import sop_classes, tags
from pacs.dicom.dictionary import PIXEL_DATA
from pacs.dicom.elements import Element, ints, text
from pacs.dicom.frames import pixel_element
from pacs.dicom.part10 import Parsed
from pacs.dicom.transfer_syntaxes import VIDEO

#: Modalities whose devices write into the picture, or whose pictures were made outside of a device.
_WRITTEN_ON = frozenset(("US", "IVUS", "BDUS", "ES", "XC", "OT", "SC", "DOC", "GM", "SMR", "OSS", "HC"))
#: Modalities of one channel: a colour picture of theirs is a screen, a fusion or a report.
_GREY = frozenset(("CT", "MR", "PT", "NM", "CR", "DX", "MG", "XA", "RF"))

#: What a later edition adds below them is video, too.
_VIDEO = tuple(VIDEO)

_SCREENS = ("SCREEN SAVE", "SCREENSAVE", "SCREEN_SAVE", "SCREEN CAPTURE", "SNAPSHOT")
_REPORTS = ("DOSE REPORT", "DOSE_REPORT", "DOSE INFO", "DOSEREPORT", "PATIENT PROTOCOL", "CSA REPORT", "EXAM SUMMARY")

#: So many bytes behind the last frame are padding that is cut off; more may be frames that no one counted.
LARGEST_EXCESS = 65536

#: Overlay Bits Allocated (60xx,0100) of every overlay group.
_OVERLAY_BITS = frozenset(0x60000100 + (group << 16) for group in range(0, 256, 2))

#: The elements of a data set's root by tag.
Index = Mapping[int, Element]


def risk(parsed: Parsed, index: Index | None = None) -> list[str]:
    """Give the reasons why an instance's pixels or documents may show text; an empty list means clean.

    Only the header is read; `index` has the root's elements by tag, if they are at hand. High bits of the pixels
    are `high_bits`'s subject, metadata inside of compressed frames `pacs.deid.codestream`'s.
    """
    buf = parsed.buf
    wanted = index if index is not None else {element[0]: element for element in parsed.elements}
    get = wanted.get
    sop_class = text(buf, get(tags.SOPClassUID)) or parsed.meta.sop_class_uid
    reasons: list[str] = []
    if sop_class.startswith(sop_classes.DOCUMENTS) or tags.EncapsulatedDocument in wanted:
        reasons.append("It is an encapsulated document, which can't be cleaned by rule.")
    if sop_class.startswith(sop_classes.AUDIO):
        reasons.append("It is a voice recording.")
    if not (PIXEL_DATA in wanted or tags.FloatPixelData in wanted or tags.DoubleFloatPixelData in wanted):
        return reasons
    modality = text(buf, get(tags.Modality)).upper()
    if text(buf, get(tags.BurnedInAnnotation)).upper() == "YES":
        reasons.append("Burned In Annotation is YES.")
    if text(buf, get(tags.RecognizableVisualFeatures)).upper() == "YES":
        reasons.append("Recognizable Visual Features is YES.")
    kinds = text(buf, get(tags.ImageType)).upper().split("\\")
    if text(buf, get(tags.SpecimenLabelInImage)).upper() == "YES" or (
        modality == "SM" and ("LABEL" in kinds or "OVERVIEW" in kinds)
    ):
        reasons.append("The label of a slide is in the picture.")
    if modality in _WRITTEN_ON or sop_class in sop_classes.ULTRASOUND:
        # Only a modality of the list is repeated: another file's text is no one's to read here.
        reasons.append(f"Pictures of modality {modality if modality in _WRITTEN_ON else 'US'} are usually written on.")
    if sop_class == sop_classes.SECONDARY_CAPTURE or sop_class.startswith(sop_classes.SECONDARY_CAPTURE + "."):
        reasons.append("It is a secondary capture.")
    if (
        tags.ConversionType in wanted
        or tags.DateOfSecondaryCapture in wanted
        or tags.SecondaryCaptureDeviceManufacturer in wanted
    ):
        reasons.append("It was converted from film, video, a screen or a picture (Conversion Type).")
    said = " ".join(text(buf, get(tag)) for tag in (tags.ImageType, tags.SeriesDescription, tags.ProtocolName)).upper()
    if any(word in said for word in _SCREENS):
        reasons.append("It is a saved screen.")
    if any(word in said for word in _REPORTS):
        reasons.append("It is a report in pictures.")
    channels = ints(buf, get(tags.SamplesPerPixel))
    photometric = text(buf, get(tags.PhotometricInterpretation)).upper()
    if modality in _GREY and ((channels and channels[0] > 1) or photometric in ("RGB", "PALETTE COLOR")):
        reasons.append(f"It is a colour picture of modality {modality}.")
    if parsed.meta.transfer_syntax.startswith(_VIDEO) or sop_class in sop_classes.VIDEO:
        reasons.append("It is a video, whose frames can't be cleaned one by one.")
    if _overlay_in_pixels(parsed, wanted):
        reasons.append("An overlay is kept in unused bits of the pixels, which the copy has empty: its marks are lost.")
    expected, pixel = expected_length(parsed, wanted), pixel_element(parsed)
    if expected and pixel is not None and pixel.fragments is None and pixel.length - expected > LARGEST_EXCESS:
        reasons.append("The pixel data is longer than its frames.")
    return reasons


def _overlay_in_pixels(parsed: Parsed, index: Index) -> bool:
    """Tell whether an overlay group has bits of its own in the pixel cells (PS3.5 8.1.2, retired) and no data."""
    return any(
        tag + 0x2F00 not in index and ints(parsed.buf, index[tag]) not in ([], [0], [1])
        for tag in index.keys() & _OVERLAY_BITS
    )


def expected_length(parsed: Parsed, index: Index) -> int:
    """Give the bytes that native Pixel Data needs for its frames (PS3.5 8.1.1), 0 where that can't be told."""
    buf = parsed.buf
    numbers: dict[int, int] = {}
    for tag in (tags.SamplesPerPixel, tags.NumberOfFrames, tags.Rows, tags.Columns, tags.BitsAllocated):
        values = ints(buf, index.get(tag))
        if values:
            numbers[tag] = values[0]
    photometric = text(buf, index.get(tags.PhotometricInterpretation)).upper()
    bits = numbers.get(tags.BitsAllocated, 0)
    cells = numbers.get(tags.Rows, 0) * numbers.get(tags.Columns, 0) * max(1, numbers.get(tags.NumberOfFrames, 1))
    samples = numbers.get(tags.SamplesPerPixel, 1)
    if samples > 4 or bits > 64:
        return 0
    length = (cells * samples * bits + 7) // 8
    # Chrominance that is halved (PS3.3 C.7.6.3.1.2) some writers store in full.
    pixel = index.get(PIXEL_DATA)
    halved = samples == 3 and "42" in photometric and pixel is not None and pixel.length < length
    if halved:
        return 0 if "420" in photometric else length // 3 * 2
    return length


def high_bits(parsed: Parsed) -> int:
    """OR all cells of native unsigned pixels and give the bits outside of Bits Stored that are set in any.

    It reads every pixel, so it is for a background job. 0 for signed, compressed, float or 1-bit pixels.
    """
    found = _cells(parsed)
    if found is None or found[2]:
        return 0
    cells, used, _ = found
    top = (1 << 8 * cells.dtype.itemsize) - 1
    return int(np.bitwise_or.reduce(cells)) & ~used & top if len(cells) else 0


def odd_signs(parsed: Parsed) -> bool:
    """Tell whether unused bits of native signed pixels hold anything but zeros or the sign (PS3.5 8.1.1).

    They can't be cleared as those of unsigned pixels: many readers take the sign from them.
    """
    found = _cells(parsed)
    if found is None or not found[2]:
        return False
    cells, used, _ = found
    above = ((1 << 8 * cells.dtype.itemsize) - 1) & ~(used | (used & -used) - 1)
    below = (used & -used) - 1
    together = int(np.bitwise_or.reduce(cells)) if above | below and len(cells) else 0
    if not together & (above | below):
        return False
    if together & below:
        return True
    # Most writers repeat the sign.
    shift, signed = above.bit_count(), cells.view(f"<i{cells.dtype.itemsize}")
    if ((signed << shift) >> shift == signed).all():
        return False
    negative = (cells & cells.dtype.type(used & ~(used >> 1))) != 0
    rest = cells & cells.dtype.type(above)
    return bool(((rest != 0) & ~(negative & (rest == above))).any())


def _cells(parsed: Parsed) -> tuple[NDArray[Any], int, bool] | None:
    """Give native pixel cells without a sign, the mask of the bits that are stored, and whether they are signed."""
    values: dict[int, int] = {}
    pixel: Element | None = None
    for element in parsed.elements:
        if element.tag in (tags.BitsAllocated, tags.BitsStored, tags.HighBit, tags.PixelRepresentation):
            found = ints(parsed.buf, element)
            if found:
                values[element.tag] = found[0]
        elif element.tag == PIXEL_DATA:
            pixel = element
    allocated, stored = values.get(tags.BitsAllocated, 0), values.get(tags.BitsStored, 0)
    kinds = {8: np.uint8, 16: np.uint16, 32: np.uint32}
    if pixel is None or pixel.fragments is not None or allocated not in kinds or not 0 < stored <= allocated:
        return None
    cells = np.frombuffer(
        parsed.buf,
        dtype=np.dtype(kinds[allocated]).newbyteorder("<"),
        count=pixel.length * 8 // allocated,
        offset=pixel.start,
    )
    high = min(values.get(tags.HighBit, stored - 1), allocated - 1)
    return cells, ((1 << stored) - 1) << max(0, high - stored + 1), bool(values.get(tags.PixelRepresentation))
