"""Grey presentation states as DCMTK's renderer draws them (PS3.4 N.2): it leaves shutters and annotations to others."""

from __future__ import annotations

import shutil
import subprocess
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset

from pacs.pixels.presentation import references
from pacs.pixels.render import PresentationState, Rendition, render_state
from tests.conformance.rendered_objects import LITTLE, image, item, state, window

DCMTK = shutil.which("dcmp2pgm")

pytestmark = pytest.mark.skipif(DCMTK is None, reason="DCMTK's dcmp2pgm is not installed")

BASE = np.random.default_rng(7).integers(0, 4096, (24, 40)).astype("<u2")


def _table(entries: NDArray[Any], first: int, bits: int) -> list[Dataset]:
    return [item(LUTDescriptor=[entries.size, first, bits], LUTData=entries.astype("<u2").tobytes())]


def _voi_table() -> list[Dataset]:
    return [item(VOILUTSequence=_table(np.arange(2000)[::-1] * 2, 500, 12))]


STATES: dict[str, dict[str, Any]] = {
    "window": {"SoftcopyVOILUTSequence": window(1500, 700, "LINEAR")},
    "identity": {},
    "modality": {
        "RescaleSlope": 2, "RescaleIntercept": -1000, "RescaleType": "US",
        "SoftcopyVOILUTSequence": window(900, 2500, "LINEAR"),
    },
    "negative modality": {"RescaleSlope": -1, "RescaleIntercept": 4095, "RescaleType": "US"},
    "modality table": {
        "ModalityLUTSequence": _table(np.arange(4096)[::-1], 0, 12),
        "SoftcopyVOILUTSequence": window(2000, 1000, "LINEAR"),
    },
    "voi table": {"SoftcopyVOILUTSequence": _voi_table()},
    "inverse": {"SoftcopyVOILUTSequence": window(1500, 700, "LINEAR"), "PresentationLUTShape": "INVERSE"},
    "presentation table": {
        "SoftcopyVOILUTSequence": window(2048, 4096, "LINEAR"), "PresentationLUTShape": None,
        "PresentationLUTSequence": _table((np.arange(4096) ** 2 / 4095).astype(int), 0, 12),
    },
    "rotated": {"SoftcopyVOILUTSequence": window(1500, 700, "LINEAR"), "ImageRotation": 90,
                "ImageHorizontalFlip": "N"},
    "turned over": {"SoftcopyVOILUTSequence": window(1500, 700, "LINEAR"), "ImageRotation": 270,
                    "ImageHorizontalFlip": "Y"},
}  # fmt: skip


def _complete(by: Dataset) -> Dataset:
    """What DCMTK asks of a state, and the others of its modules are empty."""
    for keyword, value in {
        "InstanceNumber": 1, "ContentLabel": "TEST", "ContentDescription": "", "ContentCreatorName": "",
        "PresentationCreationDate": "20240101", "PresentationCreationTime": "120000", "StudyID": "", "StudyTime": "",
        "AccessionNumber": "", "ReferringPhysicianName": "", "SeriesNumber": 1, "Manufacturer": "",
    }.items():  # fmt: skip
        setattr(by, keyword, value)
    area = item(
        DisplayedAreaTopLeftHandCorner=[1, 1], DisplayedAreaBottomRightHandCorner=[40, 24],
        PresentationSizeMode="SCALE TO FIT", PresentationPixelAspectRatio=[1, 1],
    )  # fmt: skip
    by.DisplayedAreaSelectionSequence = [area]
    return by


@pytest.mark.parametrize("name", STATES)
def test_states_are_dcmtks(tmp_path: Path, name: str) -> None:
    of = image(BASE, BitsStored=12, HighBit=11, WindowCenter=40, WindowWidth=10, InstanceNumber=1)
    by = _complete(state(of, **STATES[name]))
    of.save_as(tmp_path / "image.dcm", enforce_file_format=True)
    by.save_as(tmp_path / "state.dcm", enforce_file_format=True)
    assert DCMTK is not None
    command = [DCMTK, "--pstate", str(tmp_path / "state.dcm"), str(tmp_path / "image.dcm"), str(tmp_path / "out.pgm")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    expected = np.asarray(Image.open(tmp_path / "out.pgm")).astype(int)
    shown = PresentationState(by, references(by)[0], lambda _: BASE.tobytes())
    made = render_state(of, LITTLE, Rendition("image/png"), shown)
    found = np.asarray(Image.open(BytesIO(made)).convert("L")).astype(int)
    assert found.shape == expected.shape
    assert int(np.abs(found - expected).max()) <= 1
