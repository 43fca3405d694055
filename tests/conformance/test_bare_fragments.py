"""Bare samples in fragments, with or without deflation (PS3.5 A.4.11, A.4.13): padding is no part of any frame."""

from __future__ import annotations

from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.filebase import DicomBytesIO
from pydicom.uid import UID
from starlette.testclient import TestClient

from pacs.dicom import transfer_syntaxes as ts
from pacs.pixels import encode
from tests.conformance.rendered_objects import LITTLE, image, parts, path, store
from tests.dicomweb import conftest as web

bearer, client = web.bearer, web.client

_DICOM = 'multipart/related; type="application/dicom"'
_OCTETS = f'multipart/related; type="application/octet-stream"; transfer-syntax={LITTLE}'
SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"


def in_fragments(ds: Dataset, frames: list[bytes], syntax: str) -> Dataset:
    packed = [encode.deflate(one) for one in frames] if syntax == ts.DEFLATED_FRAMES else frames
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    ds.PixelData = encapsulate(packed)
    ds["PixelData"].is_undefined_length = True
    return ds


def given(client: TestClient, ds: Dataset, syntax: str = "") -> Any:
    accept = f"{_DICOM}; transfer-syntax={syntax}" if syntax else _DICOM
    [(_, body)] = parts(client.get(path(ds), headers={"Accept": accept}))
    return pydicom.dcmread(DicomBytesIO(body))


@pytest.mark.parametrize("syntax", [ts.ENCAPSULATED_UNCOMPRESSED, ts.DEFLATED_FRAMES])
@pytest.mark.parametrize("pixels", [
    np.arange(189, dtype=np.uint8).reshape(3, 9, 7),
    np.arange(63, dtype=np.uint8).reshape(9, 7),
    np.arange(4 * 63, dtype=np.uint16).reshape(4, 9, 7),
    np.arange(105, dtype=np.uint8).reshape(5, 7, 3),
], ids=["frames of odd length", "one of odd length", "words", "colours"])  # fmt: skip
def test_frames_are_the_same_as_native_ones(client: TestClient, syntax: str, pixels: NDArray[Any]) -> None:
    ds = image(pixels)
    frames = [one.tobytes() for one in (pixels if "NumberOfFrames" in ds else pixels[None])]
    store(client, in_fragments(ds, frames, syntax))
    for number, frame in enumerate(frames, 1):
        [(_, body)] = parts(client.get(f"{path(ds)}/frames/{number}", headers={"Accept": _OCTETS}))
        assert body == frame
    whole = b"".join(frames)
    for asked in ("", LITTLE):
        native = given(client, ds, asked)
        assert native.file_meta.TransferSyntaxUID == LITTLE
        assert native.PixelData == whole + bytes(len(whole) % 2)
    np.testing.assert_array_equal(given(client, ds, ts.JPEG_LS).pixel_array, pixels)


@pytest.mark.parametrize("syntax", [ts.ENCAPSULATED_UNCOMPRESSED, ts.DEFLATED_FRAMES, ts.RLE])
@pytest.mark.parametrize(("frames", "rows", "columns"), [(5, 3, 5), (3, 4, 4), (2, 7, 5), (9, 1, 1), (1, 5, 5)])
def test_single_bits_follow_one_another_without_a_gap(
    client: TestClient, syntax: str, frames: int, rows: int, columns: int
) -> None:
    bits = np.random.default_rng(frames).integers(0, 2, (frames, rows, columns)).astype(np.uint8)
    ds = image(bits, SEGMENTATION, "SEG", BitsAllocated=1, BitsStored=1, HighBit=0)
    packed = [np.packbits(one.reshape(-1), bitorder="little").tobytes() for one in bits]
    if syntax == ts.RLE:
        # PS3.5 G: one segment of literals.
        head = (1).to_bytes(4, "little") + (64).to_bytes(4, "little") + bytes(56)
        coded = [head + bytes([len(one) - 1]) + one for one in packed]
    else:
        coded = packed
    store(client, in_fragments(ds, coded, syntax))
    native = given(client, ds)
    assert native.file_meta.TransferSyntaxUID == LITTLE
    expected = np.packbits(bits.reshape(-1), bitorder="little").tobytes()
    assert native.PixelData == expected + bytes(len(expected) % 2)
    for number, frame in enumerate(packed, 1):
        [(_, body)] = parts(client.get(f"{path(ds)}/frames/{number}", headers={"Accept": _OCTETS}))
        assert body == frame


def test_a_frame_that_is_cut_off_is_said_to_be(client: TestClient) -> None:
    ds = image(np.zeros((2, 9, 7), np.uint8))
    store(client, in_fragments(ds, [bytes(63), bytes(60)], ts.ENCAPSULATED_UNCOMPRESSED))
    answer = client.get(f"{path(ds)}/frames/1", headers={"Accept": _OCTETS})
    assert (answer.status_code, "bytes" in answer.json()["detail"]) == (422, True)
