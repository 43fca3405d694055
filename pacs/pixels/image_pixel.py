"""The Image Pixel module (PS3.3 C.7.6.3) of a header, checked before anything is allocated by it."""

from __future__ import annotations

from pydicom import Dataset

from pacs.pixels import attributes
from pacs.pixels.errors import refuse
from pacs.pixels.layout import MAX_SAMPLES, SAMPLES, Layout


def read(ds: Dataset) -> Layout:
    """Read and check a header's layout.

    Raises CannotDecode where an attribute is missing, contradicts another or asks for more than the caps.
    """
    rows, columns = _required(ds, "Rows"), _required(ds, "Columns")
    if not (0 < rows <= 65535 and 0 < columns <= 65535):
        raise refuse("its header gives it no size.")
    photometric = attributes.text(ds, "PhotometricInterpretation").replace("_COLOR", " COLOR")
    samples = attributes.integer(ds, "SamplesPerPixel") or SAMPLES.get(photometric, 1)
    # A header without a photometric interpretation is shown as its samples suggest.
    photometric = photometric or {1: "MONOCHROME2", 3: "RGB"}.get(samples, "")
    if photometric not in SAMPLES:
        raise refuse("its colour space is not one that this server knows.")
    if samples != SAMPLES[photometric]:
        raise refuse("the number of its samples contradicts its colour space.")
    if rows * columns * samples > MAX_SAMPLES:
        raise refuse("it is larger than this server decodes in one piece.")
    allocated = _required(ds, "BitsAllocated")
    representation = attributes.integer(ds, "PixelRepresentation")
    # Float and double pixel data come without Pixel Representation and Bits Stored (PS3.3 C.7.6.24, C.7.6.25).
    floating = allocated in (32, 64) and representation is None and attributes.integer(ds, "BitsStored") is None
    if allocated not in (1, 8, 16, 32, 64):
        raise refuse("its header gives an impossible number of bits for a sample.")
    stored = attributes.integer(ds, "BitsStored", allocated) or 0
    if not 0 < stored <= allocated:
        raise refuse("its header gives more or fewer bits for a sample than there are.")
    high = attributes.integer(ds, "HighBit", stored - 1)
    return Layout(
        rows=rows,
        columns=columns,
        samples=samples,
        bits_allocated=allocated,
        bits_stored=stored,
        # A high bit outside the sample is a slip of the writer: the usual place is assumed.
        high_bit=high if high is not None and stored - 1 <= high < allocated else stored - 1,
        signed=representation == 1 and allocated > 1,
        floating=floating,
        planar=samples > 1 and attributes.integer(ds, "PlanarConfiguration", 0) == 1,
        photometric=photometric,
    )


def _required(ds: Dataset, keyword: str) -> int:
    found = attributes.integer(ds, keyword)
    if found is None:
        raise refuse(f"its header has no readable {keyword}.")
    return found
