"""When two files are one object: the same data set in any encoding is, one that differs anywhere is not."""

from __future__ import annotations

import copy
import zlib
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID

from overread.kit.errors import Unavailable
from overread.kit.local_blobs import LocalBlobStore
from pacs.dicom import part10
from pacs.dicom import transfer_syntaxes as ts
from pacs.dicom.part10 import write_meta
from pacs.dicom.transfer_syntaxes import DEFLATED_EXPLICIT_LITTLE_ENDIAN, EXPLICIT_BIG_ENDIAN
from pacs.pixels import encode, recompress
from pacs.pixels.layout import Layout
from pacs.store import same_pixels
from pacs.store.same_object import same_content, same_object
from tests.pacs.corpus import files, sources
from tests.pacs.datasets import datasets

IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
SC = "1.2.840.10008.5.1.4.1.1.7"
LOSSLESS = (ts.RLE, ts.JPEG_LS, ts.JPEG_2000, *sorted(ts.LOSSLESS_JPEG), *sorted(ts.HTJ2K))
LOSSLESS += (ts.JPEG_XL, ts.DEFLATED_FRAMES)
FAST = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def same(one: bytes, other: bytes) -> bool:
    """The answer, which must not depend on the order."""
    answer = same_content(one, other)
    assert same_content(other, one) is answer
    return answer


def file(ds: Dataset, syntax: str = EXPLICIT, *, preamble: bytes = bytes(128), padding: bytes = b"") -> bytes:
    """A file as pydicom writes the data set's values; `syntax` one without compression."""
    out = DicomBytesIO()
    out.is_implicit_VR, out.is_little_endian = syntax == IMPLICIT, syntax != EXPLICIT_BIG_ENDIAN
    if syntax == EXPLICIT_BIG_ENDIAN:
        ds = turned(ds)
    charsets = {"ISO_IR 192": "utf8", "ISO_IR 100": "latin_1"}
    write_dataset(out, ds, charsets.get(str(ds.get("SpecificCharacterSet", "")), "iso8859"))
    data = bytes(out.getvalue()) + padding
    if syntax == DEFLATED_EXPLICIT_LITTLE_ENDIAN:
        packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        data = packer.compress(data) + packer.flush()
    return preamble + write_meta(SC, "2.25.1", syntax)[128:] + data


def turned(ds: Dataset) -> Dataset:
    """The data set with the words of its bytes turned around, which pydicom leaves as they are."""
    out = copy.deepcopy(ds)
    for one in out:
        if one.VR == "SQ":
            one.value = Sequence([turned(item) for item in one.value])
        elif one.VR in ("OW", "OV"):
            one.value = np.frombuffer(one.value, "<u2" if one.VR == "OW" else "<u8").byteswap().tobytes()
    return out


def reshaped(draw: st.DrawFn, ds: Dataset) -> Dataset:
    """The same content with other lengths of sequences and items."""
    out = copy.deepcopy(ds)
    for element in out:
        if element.VR == "SQ":
            element.is_undefined_length = draw(st.booleans())
            element.value = Sequence([reshaped(draw, item) for item in element.value])
            for item in element.value:
                item.is_undefined_length_sequence_item = draw(st.booleans())
    return out


@st.composite
def written(draw: st.DrawFn, ds: Dataset) -> bytes:
    """The data set in some container."""
    syntax = draw(st.sampled_from((IMPLICIT, EXPLICIT, EXPLICIT_BIG_ENDIAN, DEFLATED_EXPLICIT_LITTLE_ENDIAN)))
    out = reshaped(draw, ds)
    if draw(st.booleans()) and syntax != EXPLICIT_BIG_ENDIAN:
        out.add_new(0x00080000, "UL", draw(st.integers(0, 2**31)))  # a group length, right or wrong
    if draw(st.booleans()) and syntax != EXPLICIT_BIG_ENDIAN:
        out.add_new(0xFFFCFFFC, "OB", bytes(draw(st.integers(0, 8)) * 2))
    return file(out, syntax, preamble=draw(st.binary(min_size=128, max_size=128)))


@st.composite
def contents(draw: st.DrawFn) -> Dataset:
    """A data set of what every encoding can hold, in UTF-8."""
    ds = draw(datasets())
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID, ds.SOPInstanceUID = SC, "2.25.1"
    return ds


@FAST
@given(data=st.data())
def test_a_data_set_is_the_same_in_every_container(data: st.DataObject) -> None:
    ds = data.draw(contents())
    assert same(data.draw(written(ds)), data.draw(written(ds)))


def levels(ds: Dataset) -> list[Dataset]:
    """A data set and all of its items."""
    return [ds, *(inner for e in ds if e.VR == "SQ" for item in e.value for inner in levels(item))]


@FAST
@given(data=st.data())
def test_one_attribute_that_differs_anywhere_makes_another_object(data: st.DataObject) -> None:
    ds = data.draw(contents())
    other = copy.deepcopy(ds)
    level = data.draw(st.sampled_from(levels(other)))
    how = data.draw(st.sampled_from(("added", "removed", "changed", "emptied")))
    present = [e.tag for e in level if e.keyword != "SpecificCharacterSet" and not e.tag.is_private]
    if how == "added" or not present:
        level.RescaleType = "HU"
    else:
        tag = data.draw(st.sampled_from(present))
        if how == "removed":
            del level[tag]
        elif how == "emptied" and not level[tag].is_empty:
            level[tag] = DataElement(tag, level[tag].VR, [] if level[tag].VR == "SQ" else None)
        else:
            level[tag] = changed(level[tag])
    assert not same(data.draw(written(ds)), data.draw(written(other)))


def changed(element: DataElement) -> DataElement:
    """Another value of the same VR."""
    new: dict[str, Any] = {
        "SQ": [Dataset(), Dataset(), Dataset(), Dataset()],
        "UI": "1.2.3",
        "DS": "0.4375",
        "IS": "-77",
        "AT": 0x00100011,
        "OB": b"\x05\x06",
        "OV": bytes(range(1, 9)),
        "DA": "18991231",
        "TM": "235959.5",
        "DT": "18991231235959.5",
        "AS": "099Y",
        "UR": "https://example.org/changed",
        **dict.fromkeys(("OD", "OF", "OL", "OW"), bytes(range(1, 9))),
    }
    if element.VR in ("FD", "FL"):
        return DataElement(element.tag, element.VR, [0.625, 0.25])
    if element.VR in ("US", "UL", "SS", "SL", "UV", "SV"):
        return DataElement(element.tag, element.VR, [7, 7, 9, 7, 7, 7])
    return DataElement(element.tag, element.VR, new.get(element.VR, "CHANGED X"))


@pytest.mark.parametrize(
    ("tag", "vr", "one", "other", "equal"),
    [
        (0x00101030, "DS", b"1.50", b"1.5 ", True),
        (0x00101030, "DS", b"1.50", b"1.51", False),
        (0x00101030, "DS", b"NaN ", b"nan ", False),
        (0x00101030, "DS", b" 1e1", b"10", True),
        (0x00200013, "IS", b"+7", b"7 ", True),
        (0x00200013, "IS", b"1_0 ", b"10", False),
        (0x00080060, "CS", b"CT", b" CT ", True),
        (0x00080060, "CS", b"CT", b"MR", False),
        (0x00080060, "CS", b"CT", b"ct", False),
        (0x00100010, "PN", b"Doe^Jane", b"Doe^Jane^^ ", True),
        (0x00100010, "PN", b"Doe^Jane", b"Doe^^Jane ", False),
        (0x00100010, "PN", b"Doe^Jane", b"Doe^Jane=X", False),
        (0x00104000, "LT", b"a\\b ", b"a\\b", True),
        (0x00104000, "LT", b" a", b"a ", False),
        (0x00081030, "LO", b"a\\ b", b"a \\b ", True),
        (0x00081030, "LO", b"a\\b ", b"a\\\\b", False),
        (0x00080018, "UI", b"1.2\0", b"1.2", True),
        (0x00282000, "OB", b"\1\2\3", b"\1\2\3\0", True),
        (0x00282000, "OB", b"\1\2\3\0", b"\1\2\3\0\0\0", False),
        (0x00189087, "FD", bytes(8), bytes(7) + b"\x80", False),
        (0x00280010, "US", b"\1\0", b"\1\0\1\0", False),
    ],
)
def test_padding_and_ways_to_write_a_value_are_its_encoding(
    tag: int, vr: str, one: bytes, other: bytes, equal: bool
) -> None:
    assert same(element(tag, vr, one), element(tag, vr, other)) is equal


def element(tag: int, vr: str, value: bytes, *more: bytes) -> bytes:
    """A file with one element, whose bytes are as they are given."""
    return write_meta(SC, "2.25.1", EXPLICIT) + header(tag, vr, value) + b"".join(more)


def header(tag: int, vr: str, value: bytes) -> bytes:
    start = (tag >> 16).to_bytes(2, "little") + (tag & 0xFFFF).to_bytes(2, "little") + vr.encode()
    if vr in ("OB", "OW", "UN", "SQ", "UT", "UC", "UR"):
        return start + bytes(2) + len(value).to_bytes(4, "little") + value
    return start + len(value).to_bytes(2, "little") + value


def implicit(*elements: tuple[int, bytes]) -> bytes:
    body = b"".join(
        (tag >> 16).to_bytes(2, "little") + (tag & 0xFFFF).to_bytes(2, "little") + len(v).to_bytes(4, "little") + v
        for tag, v in elements
    )
    return write_meta(SC, "2.25.1", IMPLICIT) + body


CHARSET, NAME, COMMENT = 0x00080005, 0x00100010, 0x00104000


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ((b"ISO_IR 100", "Müller".encode("latin-1")), (b"ISO_IR 192", "Müller".encode()), True),
        ((b"ISO_IR 100", "Müller".encode("latin-1")), (b"ISO_IR 192", "Möller".encode()), False),
        ((b"ISO_IR 144", "Люкceмбypг".encode("iso8859_5")), (b"ISO_IR 192", "Люкceмбypг".encode()), True),
        ((b"", b"Buc"), (b"ISO_IR 192", b"Buc"), True),
        # Nobody knows what is meant by bytes that are in no repertoire which was named.
        ((b"", "Müller".encode("latin-1")), (b"ISO_IR 192", "Müller".encode()), False),
        ((b"ISO_IR 100", "Müller".encode("latin-1")), (b"ISO_IR 144", "Müller".encode("latin-1")), False),
        ((b"ISO_IR 192", b"M\xfcller"), (b"ISO_IR 192", b"M\xf6ller"), False),
        ((b"ISO_IR 192", b"M\xfcller"), (b"ISO_IR 192", b"M\xfcller "), True),
        ((b"NO SUCH SET", b"Buc"), (b"ISO_IR 192", b"Buc"), False),
        ((b"NO SUCH SET", b"Buc"), (b"NO SUCH SET ", b"Buc "), True),
        (
            (b"\\ISO 2022 IR 87", b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B"),
            (b"ISO_IR 192", "Yamada^Tarou=山田^太郎".encode()),
            True,
        ),
        ((b"\\ISO 2022 IR 87", b"A\x1b!x"), (b"\\ISO 2022 IR 87", b"Ax"), False),
    ],
)
def test_text_is_the_same_in_another_repertoire(
    one: tuple[bytes, bytes], other: tuple[bytes, bytes], equal: bool
) -> None:
    a, b = (element(CHARSET, "CS", charset, header(NAME, "PN", value)) for charset, value in (one, other))
    assert same(a, b) is equal


def test_an_item_has_the_repertoire_of_what_surrounds_it() -> None:
    def nested(charset: bytes, inner: bytes, value: bytes) -> bytes:
        item = (header(CHARSET, "CS", inner) if inner else b"") + header(0x00080104, "LO", value)
        item = b"\xfe\xff\x00\xe0" + len(item).to_bytes(4, "little") + item
        return element(CHARSET, "CS", charset, header(0x00081032, "SQ", item))

    first = nested(b"ISO_IR 100", b"", "Schädel".encode("latin-1"))
    assert same(first, nested(b"ISO_IR 192", b"", "Schädel".encode()))
    assert same(first, nested(b"ISO_IR 192", b"ISO_IR 100", "Schädel".encode("latin-1")))
    assert not same(first, nested(b"ISO_IR 192", b"", b"Schadel"))


def test_what_only_one_encoding_names_is_read_by_that_name() -> None:
    creator = b"SOMEBODY 1.0"
    private = header(0x00990010, "LO", creator)
    texts = element(CHARSET, "CS", b"ISO_IR 100", private, header(0x00991001, "LO", b"text"))
    plain = implicit((CHARSET, b"ISO_IR 100"), (0x00990010, creator), (0x00991001, b"text"))
    assert same(texts, plain)
    assert not same(texts, implicit((CHARSET, b"ISO_IR 100"), (0x00990010, creator), (0x00991001, b"test")))
    unknown = element(CHARSET, "CS", b"ISO_IR 100", private, header(0x00991001, "UN", b"text"))
    assert same(texts, unknown)
    assert same(plain, unknown)
    # Letters that are no VR tell nothing of the value: who reads the one can't read the other.
    nonsense = element(CHARSET, "CS", b"ISO_IR 100", private, header(0x00991001, "QQ", b"text"))
    assert same(nonsense, nonsense)
    assert not same(texts, nonsense)
    assert not same(plain, nonsense)
    assert not same(unknown, nonsense)
    # Called by two names, it is two values.
    numbers = element(CHARSET, "CS", b"ISO_IR 100", private, header(0x00991001, "US", b"text"))
    assert not same(texts, numbers)
    # Bytes that nobody named may be text, and then another one in another repertoire.
    high = implicit((CHARSET, b"ISO_IR 100"), (0x00990010, creator), (0x00991001, b"t\xe4xt"))
    assert not same(high, implicit((CHARSET, b"ISO_IR 144"), (0x00990010, creator), (0x00991001, b"t\xe4xt")))


@pytest.mark.parametrize("undefined", [False, True])
def test_a_private_sequence_is_one_without_its_name_too(undefined: bool) -> None:
    inner = Dataset()
    inner.CodeValue, inner.CodeMeaning = "1", "one"
    ds = Dataset()
    ds.Modality = "OT"
    block = ds.private_block(0x0099, "SOMEBODY 1.0", create=True)
    block.add_new(0x02, "SQ", Sequence([inner, inner]))
    plain = copy.deepcopy(ds)
    ds[0x0099, 0x1002].is_undefined_length = undefined
    for item in ds[0x0099, 0x1002].value:
        item.is_undefined_length_sequence_item = undefined
    assert same(file(ds), file(plain, IMPLICIT))
    plain[0x0099, 0x1002].value[1].CodeMeaning = "two"
    assert not same(file(ds), file(plain, IMPLICIT))


# --- pixels ---------------------------------------------------------------------------------------------------------


def form_of(ds: Dataset) -> Layout:
    return Layout(
        ds.Rows,
        ds.Columns,
        ds.SamplesPerPixel,
        ds.BitsAllocated,
        ds.BitsStored,
        ds.HighBit,
        bool(ds.PixelRepresentation),
        False,
        False,
        ds.PhotometricInterpretation,
    )


def image(pixels: NDArray[Any], bits: int, photometric: str = "MONOCHROME2") -> Dataset:
    """Header and native pixels of (frames, rows, columns[, 3])."""
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = SC, "2.25.1"
    ds.PatientID = "P1"
    ds.SamplesPerPixel = 3 if pixels.ndim == 4 else 1
    ds.PhotometricInterpretation = photometric
    if ds.SamplesPerPixel == 3:
        ds.PlanarConfiguration = 0
    ds.NumberOfFrames, ds.Rows, ds.Columns = pixels.shape[:3]
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = pixels.dtype.itemsize * 8, bits, bits - 1
    ds.PixelRepresentation = int(pixels.dtype.kind == "i")
    raw = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    ds.add_new(0x7FE00010, "OW" if bits > 8 else "OB", raw + bytes(len(raw) % 2))
    return ds


def compressed(ds: Dataset, pixels: NDArray[Any], syntax: str, **header: Any) -> bytes:
    """The image with its frames compressed, as the standard wants its header to describe them (PS3.3 C.7.6.3.1.2)."""
    form = form_of(ds)
    ybr = ds.PhotometricInterpretation == "YBR_FULL"
    frames = [encode.frame(np.ascontiguousarray(frame), form, syntax, ybr=ybr) for frame in pixels]
    out = copy.deepcopy(ds)
    if form.samples == 3 and not ybr and syntax in {ts.JPEG_2000, *ts.HTJ2K}:
        out.PhotometricInterpretation = "YBR_RCT"
    for keyword, value in header.items():
        setattr(out, keyword, value)
    return with_frames(out, frames, syntax)


def with_frames(ds: Dataset, frames: list[bytes], syntax: str, **how: Any) -> bytes:
    """The data set with these compressed frames for its pixels."""
    out = copy.deepcopy(ds)
    out["PixelData"] = DataElement(0x7FE00010, "OB", encapsulate(frames, **how))
    out["PixelData"].is_undefined_length = True
    return write_meta(SC, "2.25.1", syntax) + file(out)[len(write_meta(SC, "2.25.1", EXPLICIT)) :]


@st.composite
def pictures(draw: st.DrawFn) -> tuple[Dataset, NDArray[Any]]:
    frames, rows, columns = draw(st.integers(1, 3)), draw(st.integers(1, 9)), draw(st.integers(1, 9))
    kind, bits, colour = draw(
        st.sampled_from(((np.uint8, 8, False), (np.uint8, 8, True), (np.uint16, 12, False), (np.int16, 16, False)))
    )
    shape = (frames, rows, columns, 3) if colour else (frames, rows, columns)
    seed = draw(st.integers(0, 2**32 - 1))
    low, high = (-(1 << 15), 1 << 15) if kind is np.int16 else (0, 1 << bits)
    pixels = np.random.default_rng(seed).integers(low, high, shape).astype(kind)
    return image(pixels, bits, "RGB" if colour else "MONOCHROME2"), pixels


@st.composite
def pictured(draw: st.DrawFn, ds: Dataset, pixels: NDArray[Any]) -> bytes:
    fitting = [syntax for syntax in LOSSLESS if encode.can(form_of(ds), syntax)]
    native = [IMPLICIT, EXPLICIT, EXPLICIT_BIG_ENDIAN, DEFLATED_EXPLICIT_LITTLE_ENDIAN]
    syntax = draw(st.sampled_from(native + fitting))
    return file(ds, syntax) if syntax in native else compressed(ds, pixels, syntax)


@FAST
@given(data=st.data())
def test_a_picture_is_the_same_in_every_lossless_encoding(data: st.DataObject) -> None:
    ds, pixels = data.draw(pictures())
    assert same(data.draw(pictured(ds, pixels)), data.draw(pictured(ds, pixels)))


@FAST
@given(data=st.data())
def test_one_pixel_that_differs_makes_another_object(data: st.DataObject) -> None:
    ds, pixels = data.draw(pictures())
    place = tuple(data.draw(st.integers(0, size - 1)) for size in pixels.shape)
    other = pixels.copy()
    other[place] ^= 1 << data.draw(st.integers(0, ds.BitsStored - 2))
    changed_ds = image(other, ds.BitsStored, ds.PhotometricInterpretation)
    assert not same(data.draw(pictured(ds, pixels)), data.draw(pictured(changed_ds, other)))


def grey(frames: int = 1, seed: int = 7) -> tuple[Dataset, NDArray[Any]]:
    pixels = np.random.default_rng(seed).integers(0, 256, (frames, 8, 8)).astype(np.uint8)
    return image(pixels, 8), pixels


def test_a_lossy_encoding_is_other_content() -> None:
    ds, pixels = grey()
    lossy = compressed(ds, pixels, ts.BASELINE)
    assert not same(file(ds), lossy)
    # That it says so is a difference already, whatever the pixels are.
    flat = np.full((1, 8, 8), 77, np.uint8)
    ds = image(flat, 8)
    assert same(file(ds), compressed(ds, flat, ts.RLE))
    assert not same(file(ds), compressed(ds, flat, ts.RLE, LossyImageCompression="01"))


def test_the_same_lossy_stream_decoded_is_the_same_picture() -> None:
    ds, pixels = grey()
    lossy = compressed(ds, pixels, ts.BASELINE)
    decoded = dcmread(BytesIO(lossy)).pixel_array[None]
    assert same(lossy, file(image(decoded, 8)))


def test_a_jpeg_in_the_shape_of_jpeg_xl_is_the_same_jpeg() -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (1, 16, 16, 3)).astype(np.uint8)
    ds = image(pixels, 8, "RGB")
    jpeg = encode.frame(pixels[0], form_of(ds), ts.BASELINE)
    other = encode.frame(255 - pixels[0], form_of(ds), ts.BASELINE)

    xl = recompress.recompressed(jpeg, form_of(ds), ts.JPEG_XL_RECOMPRESSION)

    def put(frame: bytes, syntax: str) -> bytes:
        out = copy.deepcopy(ds)
        out.PhotometricInterpretation = "YBR_FULL_422"
        return with_frames(out, [frame], syntax)

    assert same(put(jpeg, ts.BASELINE), put(xl, ts.JPEG_XL_RECOMPRESSION))
    assert not same(put(other, ts.BASELINE), put(xl, ts.JPEG_XL_RECOMPRESSION))


def test_colours_by_plane_are_the_same_colours_and_another_colour_space_is_not() -> None:
    pixels = np.random.default_rng(5).integers(0, 256, (2, 6, 4, 3)).astype(np.uint8)
    ds = image(pixels, 8, "RGB")
    planes = image(pixels, 8, "RGB")
    planes.PlanarConfiguration = 1
    planes.PixelData = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)).tobytes()
    assert same(file(ds), file(planes))
    called = copy.deepcopy(ds)
    called.PlanarConfiguration = 1
    assert not same(file(ds), file(called))
    ybr = copy.deepcopy(ds)
    ybr.PhotometricInterpretation = "YBR_FULL"
    assert not same(file(ds), file(ybr))
    assert same(file(ybr), compressed(ybr, pixels, ts.RLE))
    assert not same(file(ds), compressed(ybr, pixels, ts.RLE))


def test_white_for_black_is_another_picture() -> None:
    ds, pixels = grey()
    inverse = copy.deepcopy(ds)
    inverse.PhotometricInterpretation = "MONOCHROME1"
    assert not same(file(ds), file(inverse))
    assert not same(file(ds), compressed(inverse, pixels, ts.RLE))


def test_frames_that_are_more_fewer_or_in_another_order_are_other_content() -> None:
    ds, pixels = grey(3)
    assert same(file(ds), compressed(ds, pixels, ts.RLE))
    assert not same(file(ds), compressed(ds, pixels[::-1], ts.RLE))
    assert not same(file(ds), compressed(ds, pixels[:2], ts.RLE))
    assert not same(file(ds), file(image(pixels[:2], 8)))


def test_frames_in_other_fragments_and_other_offset_tables_are_the_same() -> None:
    ds, pixels = grey(2)
    frames = [encode.frame(np.ascontiguousarray(frame), form_of(ds), ts.RLE) for frame in pixels]
    first = with_frames(ds, frames, ts.RLE, has_bot=True)
    assert same(first, with_frames(ds, frames, ts.RLE, has_bot=False))
    assert same(first, with_frames(ds, frames, ts.RLE, has_bot=True, fragments_per_frame=2))
    extended = copy.deepcopy(ds)
    extended.ExtendedOffsetTable, extended.ExtendedOffsetTableLengths = b"\0" * 16, b"\1" * 16
    assert same(first, with_frames(extended, frames, ts.RLE, has_bot=False))


def test_overlays_within_the_pixels_bits_count() -> None:
    pixels = np.random.default_rng(1).integers(0, 4096, (1, 8, 8)).astype(np.uint16)
    ds = image(pixels, 12)
    assert same(file(ds), compressed(ds, pixels, ts.RLE))
    ds.add_new(0x60000100, "US", 16)
    ds.add_new(0x60000102, "US", 12)
    with_overlay = image(pixels | 0x1000, 12)
    with_overlay.add_new(0x60000100, "US", 16)
    with_overlay.add_new(0x60000102, "US", 12)
    assert not same(file(with_overlay), file(ds))
    assert not same(file(with_overlay), compressed(with_overlay, pixels, ts.RLE))
    assert not same(file(with_overlay), compressed(with_overlay, pixels, ts.JPEG_2000))
    assert same(file(with_overlay), compressed(with_overlay, pixels | 0x1000, ts.RLE))


def test_single_bits_are_compared_though_frames_begin_within_a_byte() -> None:
    bits = np.random.default_rng(2).integers(0, 2, (3, 5, 5)).astype(np.uint8)
    ds = image(bits, 8)
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 1, 1, 0
    packed = np.packbits(bits.ravel(), bitorder="little").tobytes()
    ds.PixelData = packed + bytes(len(packed) % 2)
    form = form_of(ds)
    frames = [encode.frame(np.ascontiguousarray(frame), form, ts.RLE) for frame in bits]
    rle = with_frames(ds, frames, ts.RLE)
    assert same(file(ds), rle)
    ds.PixelData = bytes((ds.PixelData[0] ^ 1,)) + ds.PixelData[1:]
    assert not same(file(ds), rle)


def test_an_icon_is_compared_as_a_picture_of_its_own() -> None:
    ds, pixels = grey()
    icon, _ = grey(seed=9)
    ds.IconImageSequence = [icon]
    other = compressed(ds, pixels, ts.RLE)
    assert same(file(ds), other)
    changed_ds = copy.deepcopy(ds)
    changed_ds.IconImageSequence[0].PixelData = bytes(64)
    assert not same(file(changed_ds), other)
    assert not same(file(changed_ds), file(ds))


# --- what can't be decided ------------------------------------------------------------------------------------------


def test_damaged_frames_are_the_same_only_byte_for_byte() -> None:
    ds, pixels = grey(2)
    rle = compressed(ds, pixels, ts.RLE)
    broken = rle[:-40] + bytes(32) + rle[-8:]
    assert not same(rle, broken)
    assert not same(file(ds), broken)
    assert same(broken, b"\1" * 128 + broken[128:])


def test_a_comparison_decodes_only_so_much(monkeypatch: pytest.MonkeyPatch) -> None:
    ds, pixels = grey(4)
    one, other = file(ds), compressed(ds, pixels, ts.RLE)
    assert same(one, other)
    monkeypatch.setattr(same_pixels, "MAX_DECODED", 3 * (64 << 10))
    assert not same(one, other)
    # What is nested counts as well.
    icon, small = grey()
    outer = image(pixels[:2], 8)
    outer.IconImageSequence = [icon, icon]
    item = with_frames(icon, [encode.frame(small[0], form_of(icon), ts.RLE)], ts.RLE)
    packed = compressed(outer, pixels[:2], ts.RLE)
    nested = dcmread(BytesIO(packed))
    nested.IconImageSequence = [dcmread(BytesIO(item)), dcmread(BytesIO(item))]
    for inner in nested.IconImageSequence:
        inner["PixelData"].is_undefined_length = True
    four = write_meta(SC, "2.25.1", ts.RLE) + file(nested)[len(write_meta(SC, "2.25.1", EXPLICIT)) :]
    assert not same(file(outer), four)
    monkeypatch.setattr(same_pixels, "MAX_DECODED", 4 * (64 << 10))
    assert same(file(outer), four)
    monkeypatch.undo()
    monkeypatch.setattr(same_pixels, "PATIENCE", -1.0)
    assert not same(one, other)


def test_nothing_is_decoded_where_the_caller_does_not_want_it() -> None:
    ds, pixels = grey()
    one, other = file(ds), compressed(ds, pixels, ts.RLE)
    assert same_content(one, other)
    assert not same_content(one, other, decode=False)
    assert same_content(one, file(ds, IMPLICIT), decode=False)


def test_who_has_to_wait_too_long_for_another_comparison_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    ds, pixels = grey()
    one, other = file(ds), compressed(ds, pixels, ts.RLE)
    monkeypatch.setattr(same_pixels, "_WAIT", 0.0)
    with same_pixels._in_turn():
        assert same_content(one, file(ds, IMPLICIT))  # nothing to decode, nothing to wait for
        with pytest.raises(Unavailable):
            same_content(one, other)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_bytes_give_an_answer(data: st.DataObject) -> None:
    ds, pixels = grey(2)
    whole = bytearray(compressed(ds, pixels, ts.RLE) if data.draw(st.booleans()) else file(ds, IMPLICIT))
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(128, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    for one in (bytes(whole), cut):
        same(one, file(ds))
        same(one, compressed(ds, pixels, ts.RLE))


def test_sequences_that_nobody_called_so_are_bounded() -> None:
    """Opaque values within opaque values: their depth and their number together are limited."""
    value = b"x"
    for _ in range(80):
        value += b"\0" * (len(value) % 2)
        inner = b"\x99\0\x01\x10" + len(value).to_bytes(4, "little") + value
        value = b"\xfe\xff\x00\xe0" + len(inner).to_bytes(4, "little") + inner
    deep = implicit((0x00080060, b"OT"), (0x00991001, value))
    other = deep.replace(b"x\0", b"y\0")
    assert not same(deep, other)
    flood = b"\xfe\xff\x00\xe0\x08\0\0\0\x99\0\x01\x10\0\0\0\0" * 20_000
    many = [(0x00991000 + n, flood + b"\xfe") for n in range(1, 40)]
    less = [(tag, value[:-1] + b"\xff") for tag, value in many]
    assert not same(implicit((0x00080060, b"OT"), *many), implicit((0x00080060, b"OT"), *less))


def test_a_blob_that_is_missing_is_the_same_as_none(tmp_path: Any) -> None:
    blobs = LocalBlobStore(tmp_path)
    ds, pixels = grey()
    digests = []
    for data in (file(ds), compressed(ds, pixels, ts.RLE), b"", b"no DICOM at all"):
        with blobs.writer() as writer:
            writer.write(data)
            digests.append(writer.keep().digest)
    assert same_object(blobs, digests[0], digests[1])
    assert same_object(blobs, digests[0], digests[0])
    for digest in (digests[2], digests[3], "0" * 64):
        assert not same_object(blobs, digests[0], digest)


@pytest.mark.parametrize("source", sources())
def test_real_files_written_anew_by_pydicom_are_the_same(source: str) -> None:
    compared, wrong = 0, []
    for name, data in files(source):
        if "broken" in name or "fuzz" in name or len(data) > 1 << 20 or compared == 25:
            continue  # of a broken one, pydicom writes what it could make of it
        try:
            part10.parse(data)
            ds = dcmread(BytesIO(data))
            implicit_vr = ds.file_meta.TransferSyntaxUID == IMPLICIT
            if ds.file_meta.TransferSyntaxUID not in (IMPLICIT, EXPLICIT) or ds.original_encoding[0] != implicit_vr:
                continue
            other = BytesIO()
            ds.file_meta.TransferSyntaxUID = UID(EXPLICIT if implicit_vr else IMPLICIT)
            ds.save_as(other, implicit_vr=not implicit_vr, little_endian=True)
            if dcmread(BytesIO(data)) != dcmread(BytesIO(other.getvalue())):
                continue  # pydicom says itself that it wrote something else
        except Exception:  # noqa: BLE001  pydicom raises what it likes
            continue
        compared += 1
        if not same(data, other.getvalue()):
            wrong.append(name)
    assert wrong == []
