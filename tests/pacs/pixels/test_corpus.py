"""Every frame of the corpus that some other decoder can read, decoded and drawn, compared with that decoder.

The oracle is pydicom with its own plugins. What those can't decode is compared with another codec than ours
(lossless JPEG), or with an uncompressed copy of the same picture (12 bit JPEG).
"""

from __future__ import annotations

import csv
import os
import warnings
from collections.abc import Iterator
from functools import lru_cache
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut
from pydicom.pixels.utils import pixel_array

from pacs.dicom.transfer_syntaxes import BARE, CODECS
from pacs.pixels import window
from pacs.pixels.decode import decode_frame
from pacs.pixels.draw import draw
from pacs.pixels.errors import CannotDecode
from pacs.pixels.render import render
from tests.pacs.pixels.samples import frames, read

#: Frames of one file that are looked at: they only repeat each other.
FRAMES = 2

#: Syntaxes for which pydicom and its plugins have no decoder, or need one that is not installed.
DRAWN_BY_US = {
    "1.2.840.10008.1.2.4.51",
    "1.2.840.10008.1.2.4.53",
    "1.2.840.10008.1.2.4.55",
    "1.2.840.10008.1.2.4.57",
    "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.110",
    "1.2.840.10008.1.2.4.112",
    "1.2.840.10008.1.2.4.201",
    "1.2.840.10008.1.2.4.202",
    "1.2.840.10008.1.2.4.203",
    "1.2.840.10008.1.2.8.1",
}

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")  # real files are not all valid


@lru_cache(maxsize=1)
def _manifest() -> list[dict[str, str]]:
    path = Path(os.environ.get("OVERREAD_CORPUS") or os.devnull) / "manifest.csv"
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _syntaxes() -> list[str]:
    return sorted({row["transfer_syntax"] for row in _manifest()} & (BARE | CODECS.keys()))


def _rows(corpus: Path, syntax: str, *, decoded: bool = True) -> Iterator[tuple[str, Path]]:
    for row in _manifest():
        if row["transfer_syntax"] == syntax and (row["decode"] == "ok") is decoded:
            yield row["path"], corpus / row["path"]


def _oracle(ds: Any, index: int, frame: bytes, syntax: str) -> NDArray[Any] | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return pixel_array(ds, index=index)
        except Exception:  # noqa: BLE001 - pydicom tells by many kinds of errors that it has no decoder
            if syntax not in ("1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70"):
                return None
    try:
        lossless = np.asarray(imagecodecs.jpegsof3_decode(frame))
    except imagecodecs.Jpegsof3Error:  # another JPEG process than the transfer syntax says
        return np.asarray(Image.open(BytesIO(frame)))
    return lossless.view(lossless.dtype.str.replace("u", "i")) if ds.PixelRepresentation else lossless


@pytest.mark.parametrize("syntax", _syntaxes() or [""])
def test_frames_are_the_oracles(corpus: Path, syntax: str) -> None:
    compared = 0
    for name, path in _rows(corpus, syntax):
        ds = read(path)
        for index, (frame, bit_offset) in enumerate(islice(frames(ds, syntax), FRAMES)):
            found = decode_frame(ds, frame, syntax, bit_offset=bit_offset)
            expected = _oracle(ds, index, frame, syntax)
            if expected is None:
                assert syntax in DRAWN_BY_US, name
                continue
            compared += 1
            assert found.shape == expected.shape, name
            # YBR is converted by other arithmetics: a level more or less (PS3.3 gives real factors).
            tolerance = 1 if ds.PhotometricInterpretation.startswith("YBR") else 0
            np.testing.assert_allclose(found.astype(float), expected.astype(float), atol=tolerance, err_msg=name)
    assert compared or syntax in DRAWN_BY_US


@pytest.mark.parametrize("syntax", _syntaxes() or [""])
def test_every_decodable_file_can_be_drawn(corpus: Path, syntax: str) -> None:
    for name, path in _rows(corpus, syntax):
        ds = read(path)
        frame, _ = next(iter(frames(ds, syntax)))
        assert render(ds, frame, syntax)[:3] == b"\xff\xd8\xff", name


@pytest.mark.parametrize("syntax", _syntaxes() or [""])
def test_what_pydicom_can_not_decode_is_a_picture_or_cannot_decode(corpus: Path, syntax: str) -> None:
    for name, path in _rows(corpus, syntax, decoded=False):
        try:
            ds = read(path)
            frame, _ = next(iter(frames(ds, syntax)))
        except Exception:  # noqa: BLE001 - pydicom gives no frame of these: they never come this far
            continue
        try:
            levels = draw(ds, frame, syntax)
        except CannotDecode:
            continue
        assert levels.dtype == np.dtype(np.uint8), name


@pytest.mark.parametrize("syntax", _syntaxes() or [""])
def test_windows_are_pydicoms(corpus: Path, syntax: str) -> None:
    for name, path in _rows(corpus, syntax):
        ds = read(path)
        frame, _ = next(iter(frames(ds, syntax)))
        stored = decode_frame(ds, frame, syntax)
        chosen = window.voi(ds)
        grouped = "SharedFunctionalGroupsSequence" in ds or "PerFrameFunctionalGroupsSequence" in ds
        if stored.ndim == 3 or stored.dtype.kind == "f" or chosen is None or grouped:
            continue
        expected = apply_voi_lut(apply_modality_lut(stored, ds), ds).astype(float)
        low, high = _range(ds)
        expected = (expected - low) / (high - low)
        if ds.PhotometricInterpretation == "MONOCHROME1":
            expected = 1 - expected
        hidden = window.padding(ds, stored)
        if hidden is not None:
            expected[hidden] = 0
        assert float(np.abs(window.grey(ds, stored) - expected * 255).max()) <= 0.501, name


def _range(ds: Any) -> tuple[float, float]:
    """The range that pydicom spreads its VOI transformations over."""
    for sequence in ("VOILUTSequence", "ModalityLUTSequence"):
        if ds.get(sequence):
            return 0, 2 ** ds[sequence].value[0].LUTDescriptor[2] - 1
    half = 2 ** (ds.BitsStored - 1)
    low, high = (-half, half - 1) if ds.PixelRepresentation else (0, 2 * half - 1)
    if ds.get("RescaleSlope") is None or ds.get("RescaleIntercept") is None:
        return low, high
    return low * ds.RescaleSlope + ds.RescaleIntercept, high * ds.RescaleSlope + ds.RescaleIntercept


def test_12_bit_jpeg_is_close_to_the_uncompressed_picture(corpus: Path) -> None:
    pictures = {Path(row["path"]).name: corpus / row["path"] for row in _manifest()}
    if not {"NM1_JPLY", "NM1_UNC"} <= pictures.keys():
        pytest.skip("this corpus does not hold the WG-04 pictures NM1_JPLY and NM1_UNC")
    lossy, plain = read(pictures["NM1_JPLY"]), read(pictures["NM1_UNC"])
    frame, _ = next(iter(frames(lossy, "1.2.840.10008.1.2.4.51")))
    found = decode_frame(lossy, frame, "1.2.840.10008.1.2.4.51").astype(float)
    expected = plain.pixel_array.astype(float)
    assert float(np.abs(found - expected).mean()) < 0.01 * float(expected.max() - expected.min())
