"""Random data sets, and pydicom's writing of them, for the property tests of the byte readers."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import dcmwrite, write_dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID

_codes = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", min_size=1, max_size=16)
_latin = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters="\\^="), max_size=40)
# pydicom warns of texts whose UTF-8 is longer than the characters that the VR allows, so they are short
_unicode = st.text(st.characters(codec="utf-8", exclude_categories=["C"], exclude_characters="\\^= "), max_size=15)
_uids = st.integers(1, 10**30).map(lambda number: f"2.25.{number}")

#: Keywords with values that pydicom writes and reads back as they are.
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "ImageType": st.lists(_codes, min_size=2, max_size=4),
    "StudyDate": st.dates().map(lambda day: f"{day.year:04d}{day.month:02d}{day.day:02d}"),
    "StudyTime": st.times().map(lambda time: f"{time.hour:02d}{time.minute:02d}{time.second:02d}"),
    "AccessionNumber": _unicode.map(lambda value: value[:4].strip()),
    "Modality": _codes,
    "StudyDescription": _unicode.map(str.strip),
    "PatientName": st.lists(_unicode.filter(bool), min_size=1, max_size=3).map("=".join),
    "OtherPatientIDs": st.lists(_unicode.map(str.strip).filter(bool), min_size=1, max_size=3),
    "PatientComments": _unicode.map(str.strip),
    "ImageComments": _latin.map(str.strip),
    "PatientWeight": st.integers(0, 300).map(str),
    "ReferencedFrameNumber": st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=4),
    "ImagePositionPatient": st.lists(st.integers(-999, 999).map(lambda n: f"{n / 8:.3f}"), min_size=3, max_size=3),
    "StudyInstanceUID": _uids,
    "FrameIncrementPointer": st.lists(st.integers(0x00080000, 0x0008FFFF), min_size=1, max_size=3),
    "DiffusionBValue": st.floats(allow_nan=False, allow_infinity=False),
    "RecommendedDisplayFrameRateInFloat": st.floats(width=32, allow_nan=False, allow_infinity=False),
    "SimpleFrameList": st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=5),
    "ReferencePixelX0": st.integers(-(2**31), 2**31 - 1),
    "TagAngleSecondAxis": st.integers(-(2**15), 2**15 - 1),
    "Rows": st.integers(0, 65535),
    "ICCProfile": st.binary(max_size=40).map(lambda data: data + b"\0" * (len(data) % 2)),
    "ExtendedOffsetTable": st.lists(st.integers(0, 2**63), max_size=3).map(
        lambda offsets: b"".join(offset.to_bytes(8, "little") for offset in offsets)
    ),
    "RetrieveURL": st.just("https://example.org/a?b=c"),
    "LongCodeValue": _unicode.map(str.strip),
}
_SEQUENCES = ("ReferencedSeriesSequence", "RequestAttributesSequence", "ProcedureCodeSequence")


@st.composite
def datasets(draw: st.DrawFn, depth: int = 2) -> Dataset:
    """A data set with elements of every VR, private ones, and nested sequences of both kinds of lengths."""
    ds = Dataset()
    for keyword in draw(st.lists(st.sampled_from(sorted(VALUES)), unique=True, max_size=12)):
        setattr(ds, keyword, draw(VALUES[keyword]))
    if draw(st.booleans()):
        block = ds.private_block(0x0099, "OVERREAD TEST", create=True)
        block.add_new(0x01, "UN", draw(st.binary(max_size=8)) + b"\x01\x02")
    if depth:
        for keyword in draw(st.lists(st.sampled_from(_SEQUENCES), unique=True, max_size=2)):
            items = draw(st.lists(datasets(depth=depth - 1), max_size=3))
            for item in items:
                item.is_undefined_length_sequence_item = draw(st.booleans())
            setattr(ds, keyword, Sequence(items))
            ds[keyword].is_undefined_length = draw(st.booleans())
    return ds


def encode(ds: Dataset, *, implicit: bool, little: bool = True) -> bytes:
    """The bytes of a data set alone, without preamble and file meta information, in UTF-8."""
    ds.SpecificCharacterSet = "ISO_IR 192"
    out = DicomBytesIO()
    out.is_implicit_VR, out.is_little_endian = implicit, little
    write_dataset(out, ds, "utf8")
    return bytes(out.getvalue())


def file_bytes(ds: Dataset, syntax: str = "1.2.840.10008.1.2.1") -> bytes:
    """A whole file, as pydicom writes it."""
    ds.ensure_file_meta()
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = UID("1.2.840.10008.5.1.4.1.1.7")
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = UID("2.25.1")
    out = BytesIO()
    dcmwrite(out, ds, enforce_file_format=True)
    return out.getvalue()
