"""Pixels are handed out under the transfer syntax that they are in, or somebody has to look, and the label stays."""

from __future__ import annotations

from io import BytesIO
from struct import pack

import pydicom
import pytest

from pacs.deid.header import deidentify
from pacs.dicom.part10 import parse, write_meta
from tests.pacs.deid.compressed import FRAMES, J2K, JPEG, deflated, given, item
from tests.pacs.deid.planted import BIG, CT, DEFLATED, EXPLICIT, IMPLICIT, SOP, dataset, skeleton
from tests.pacs.deid.test_rows import SECRET

GE, PRIVATE, PAPYRUS, JPIP, RETIRED = (
    "1.2.840.113619.5.2",
    "1.2.3.4.5.6",
    "1.2.840.10008.1.20",
    "1.2.840.10008.1.2.4.94",
    "1.2.840.10008.1.2.4.60",
)
PIXELS = bytes(range(32))


def file(syntax: str, header: str, pixels: bytes | None, *, fragments: bool = False, told: int = 32) -> bytes:
    """A file of that label whose data set is encoded as `header` says; `told` bytes are what its frame needs."""
    elements = [e for e in skeleton() if e.tag != 0x7FE00010]
    if told != 32:
        elements = [e._replace(value=pack("<H", told // 8)) if e.tag == 0x00280010 else e for e in elements]
    tail = b""
    if pixels is not None:
        value = item(b"") + item(pixels) + pack("<HHI", 0xFFFE, 0xE0DD, 0) if fragments else pixels
        length = 0xFFFFFFFF if fragments else len(pixels)
        explicit = pack("<HH2sHI", 0x7FE0, 0x0010, b"OB" if fragments else b"OW", 0, length)
        tail = (pack("<HHI", 0x7FE0, 0x0010, length) if header == IMPLICIT else explicit) + value
    body = dataset(elements, header) + tail
    return write_meta(CT, SOP, syntax) + (deflated(body) if syntax == DEFLATED else body)


#: Label, header's encoding, whether there are fragments, bytes that the frame needs: label of the result, held or not.
CASES: list[tuple[str, str, bool, int, str, bool]] = [
    (IMPLICIT, IMPLICIT, False, 32, IMPLICIT, False),
    (IMPLICIT, EXPLICIT, False, 32, EXPLICIT, False),
    (EXPLICIT, IMPLICIT, False, 32, IMPLICIT, False),
    (EXPLICIT, EXPLICIT, False, 32, EXPLICIT, False),
    (DEFLATED, EXPLICIT, False, 32, EXPLICIT, False),
    (DEFLATED, IMPLICIT, False, 32, IMPLICIT, False),
    (BIG, EXPLICIT, False, 32, EXPLICIT, True),
    (IMPLICIT, IMPLICIT, True, 32, IMPLICIT, True),
    (EXPLICIT, EXPLICIT, True, 32, EXPLICIT, True),
    *(
        (syntax, header, fragments, 32, syntax, True)
        for syntax in (PRIVATE, RETIRED, PAPYRUS, JPIP)
        for header in (IMPLICIT, EXPLICIT)
        for fragments in (False, True)
        if fragments or syntax != RETIRED
    ),
    (GE, EXPLICIT, True, 32, GE, True),
    (GE, IMPLICIT, True, 32, GE, True),
    # Compressed by its label, bare by its bytes: believed where they are just as many as bare samples have.
    (JPEG, EXPLICIT, False, 32, EXPLICIT, False),
    (RETIRED, EXPLICIT, False, 32, EXPLICIT, False),
    (JPEG, IMPLICIT, False, 32, IMPLICIT, False),
    (JPEG, EXPLICIT, False, 24, EXPLICIT, True),
    (JPEG, IMPLICIT, False, 40, IMPLICIT, True),
    ("not a UID", IMPLICIT, False, 32, IMPLICIT, True),
    ("not a UID", EXPLICIT, False, 32, EXPLICIT, True),
]


@pytest.mark.parametrize(("syntax", "header", "fragments", "told", "label", "held"), CASES)
def test_the_label_is_what_the_bytes_are(
    syntax: str, header: str, fragments: bool, told: int, label: str, held: bool
) -> None:
    source = file(syntax, header, PIXELS, fragments=fragments, told=told)
    result = deidentify(parse(source), secret=SECRET)
    assert (result.transfer_syntax, bool(result.review_reasons)) == (label, held)
    whole = given(result, source)
    again = parse(whole)
    assert again.meta.transfer_syntax == label
    assert again.explicit == (header == EXPLICIT)
    assert PIXELS[:24] in whole


@pytest.mark.parametrize("header", [IMPLICIT, EXPLICIT])
@pytest.mark.parametrize("syntax", [PRIVATE, GE, PAPYRUS, JPIP, J2K])
def test_without_pixels_the_label_is_the_header_s(syntax: str, header: str) -> None:
    source = file(syntax, header, None)
    result = deidentify(parse(source), secret=SECRET)
    known = syntax not in (PRIVATE, GE)
    assert result.transfer_syntax == (syntax if known and header == EXPLICIT else header)
    assert result.review_reasons == []


@pytest.mark.parametrize("syntax", [J2K, JPEG])
def test_frames_keep_their_codec_s_label_in_an_implicit_header(syntax: str) -> None:
    source = file(syntax, IMPLICIT, FRAMES[syntax], fragments=True)
    result = deidentify(parse(source), secret=SECRET)
    assert result.transfer_syntax == syntax


def test_ge_s_big_endian_pixels_are_turned_round() -> None:
    """Written as DCMTK knows it: Implicit VR Little Endian, the words of the pixels alone in big endian."""
    swapped = b"".join(PIXELS[at : at + 2][::-1] for at in range(0, 32, 2))
    source = file(GE, IMPLICIT, swapped)
    parsed = parse(source)
    assert not parsed.is_original_bytes
    result = deidentify(parsed, secret=SECRET)
    assert (result.transfer_syntax, result.review_reasons) == (IMPLICIT, [])
    ds = pydicom.dcmread(BytesIO(given(result, source)))
    assert ds.PixelData == PIXELS
    assert ds.file_meta.TransferSyntaxUID == IMPLICIT


def test_ge_s_pixels_of_other_widths_wait_for_a_person() -> None:
    elements = [e._replace(value=b"\x08\0") if e.tag == 0x00280100 else e for e in skeleton()]
    source = write_meta(CT, SOP, GE) + dataset(elements, IMPLICIT)
    result = deidentify(parse(source), secret=SECRET)
    assert result.transfer_syntax == GE
    assert result.review_reasons
