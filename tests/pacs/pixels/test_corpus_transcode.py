"""The corpus's frames in every transfer syntax that they can be had in, read back by other programs than ours.

pydicom reads the frame as it was and as it became, both without a conversion of colours; where it can't, imagecodecs
alone does. Without a loss they have to be equal to the bit.
"""

from __future__ import annotations

import csv
import os
import warnings
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID

from pacs.dicom import transfer_syntaxes as ts
from pacs.pixels import encode
from pacs.pixels.decode import decode_frame
from pacs.pixels.errors import CannotDecode
from pacs.pixels.transcode import changes, targets, transcode
from tests.pacs.pixels.samples import frames, read

#: The targets that compress without a loss and for which there is another reader than `pacs.pixels`.
READERS: dict[str, Callable[[bytes], Any]] = {
    "1.2.840.10008.1.2.4.57": imagecodecs.jpegsof3_decode,
    "1.2.840.10008.1.2.4.70": imagecodecs.jpegsof3_decode,
    "1.2.840.10008.1.2.4.80": imagecodecs.jpegls_decode,
    "1.2.840.10008.1.2.4.90": imagecodecs.jpeg2k_decode,
    "1.2.840.10008.1.2.4.201": imagecodecs.htj2k_decode,
    "1.2.840.10008.1.2.4.202": imagecodecs.htj2k_decode,
    "1.2.840.10008.1.2.4.203": imagecodecs.htj2k_decode,
    "1.2.840.10008.1.2.4.110": lambda frame: imagecodecs.jpegxl_decode(frame, index=0),
}

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")  # real files are not all valid


def _syntaxes() -> list[str]:
    path = Path(os.environ.get("OVERREAD_CORPUS") or os.devnull) / "manifest.csv"
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return sorted({row["transfer_syntax"] for row in csv.DictReader(file)} & (ts.BARE | ts.CODECS.keys()))


def _raw(ds: Dataset, index: int) -> NDArray[Any] | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return pixel_array(ds, index=index, raw=True)
        except Exception:  # noqa: BLE001 - pydicom tells by many kinds of errors that it has no decoder
            return None


def _as(ds: Dataset, frame: bytes, source: str, target: str) -> Dataset:
    """The file as it would be with that one frame."""
    out = deepcopy(ds)
    for keyword, value in changes(ds, source, target).items():
        setattr(out, keyword, value)
    if "NumberOfFrames" in out:
        out.NumberOfFrames = 1
    for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths", "FloatPixelData", "DoubleFloatPixelData"):
        if keyword in out and target not in ts.BARE:
            delattr(out, keyword)
    out.file_meta.TransferSyntaxUID = UID(target)
    out.set_original_encoding(False, True)
    out.PixelData = encapsulate([frame]) if target in ts.CODECS else frame
    out["PixelData"].is_undefined_length = target in ts.CODECS
    return out


def _expected(ds: Dataset, after: Dataset, plain: NDArray[Any]) -> NDArray[Any] | None:
    """What another reader has to find: pydicom's samples where colours stayed YBR, else ours (tested elsewhere)."""
    return _raw(ds, 0) if after.PhotometricInterpretation.startswith("YBR_FULL") else plain


@pytest.mark.parametrize("syntax", _syntaxes() or [""])
def test_lossless_targets_hold_the_oracles_samples(corpus: Path, syntax: str) -> None:
    with (corpus / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["transfer_syntax"] == syntax and row["decode"] == "ok"]
    compared: Counter[str] = Counter()
    refused: list[str] = []
    for row in rows:
        name, ds = row["path"], read(corpus / row["path"])
        frame, bit_offset = next(iter(frames(ds, syntax)))
        plain = decode_frame(ds, frame, syntax, bit_offset=bit_offset)
        for target in sorted(targets(syntax, ds) - {syntax} - encode.METHODS.keys()):
            try:
                there = transcode(frame, ds, syntax, target, bit_offset=bit_offset)
            except CannotDecode as error:
                refused.append(f"{name}: {error}")
                continue
            compared[target] += 1
            if target == ts.JPEG_XL_RECOMPRESSION:
                assert imagecodecs.jpegxl_decode_jpeg(there, numthreads=1) == frame, name
                continue
            after = _as(ds, there, syntax, target)
            expected = _expected(ds, after, plain)
            reader = READERS.get(target)
            found = np.asarray(reader(there)) if reader else _raw(after, 0)
            if found is None or expected is None or found.shape != expected.shape:
                # No other reader for this: ours.
                found, expected = decode_frame(after, there, target), plain
            if found.dtype.kind == "f":
                np.testing.assert_array_equal(found, expected, err_msg=f"{name} {target}")
                continue
            # A codestream without a sign has the same bits; bits above Bits Stored are no part of a sample.
            differing = (found.astype(np.int64) ^ expected.astype(np.int64)) & ((1 << ds.BitsStored) - 1)
            assert not differing.any(), f"{name} {target}"
    print(syntax, sum(compared.values()), "refused:", *sorted(set(refused)), sep="\n")
    # A transfer syntax that names another JPEG process than its codestream is of leaves colours to be guessed.
    assert not [one for one in refused if "another JPEG process" not in one]
    assert compared or not rows
