"""The hosted viewer over the archive's own DICOMweb instead of a fake."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, expect
from pydicom.dataset import Dataset
from pydicom.uid import (
    EncapsulatedPDFStorage,
    ImplicitVRLittleEndian,
    PositronEmissionTomographyImageStorage,
    generate_uid,
)

from dicomweb.context import Context, Upload
from dicomweb.routes import routes
from overread.kit.db import Database
from overread.kit.errors import NotFound
from overread.kit.hosts import Origin
from overread.kit.http import path_uuid
from overread.kit.principals import Principal
from overread.kit.settings import Settings
from pacs.dicom.part10 import write_meta
from pacs.index.scope import ORIGINAL, Scope
from pacs.store import ingest
from pacs.store.archive import Archive
from tests.pacs.datasets import encode
from tests.viewer_bridge import reader
from tests.viewer_bridge.fake_dicomweb import bundled, ct_series
from tests.viewer_bridge.reader import Reading

SOME = (
    "CT_small.dcm",
    "MR_small_jp2klossless.dcm",
    "MR_small_RLE.dcm",
    "SC_rgb_jpeg_dcmtk.dcm",
    "examples_ybr_color.dcm",
)

pytestmark = reader.NEEDED


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with reader.chromium() as opened:
        yield opened


def store(archive: Archive, who: Principal, instances: list[Dataset]) -> None:
    source = ingest.Source(who, "import")
    prepared = []
    for ds in instances:
        # pydicom writes only transfer syntaxes that it knows.
        syntax = ds.file_meta.TransferSyntaxUID
        meta = write_meta(ds.SOPClassUID, ds.SOPInstanceUID, syntax)
        with ingest.receive(archive, source) as incoming:
            incoming.write(meta + encode(ds, implicit=syntax == ImplicitVRLittleEndian))
            made = incoming.finish()
        assert isinstance(made, ingest.Prepared), made
        prepared.append(made)
    assert all(isinstance(outcome, ingest.Stored) for outcome in ingest.store(archive, source, prepared))


@pytest.fixture
def reading(
    db: Database, archive: Archive, settings: Settings, specialist: Principal, browser: Browser
) -> Iterator[Reading]:
    def scope(who: Principal, request: object) -> Scope:
        if who.case_id != path_uuid(request, "case"):  # type: ignore[arg-type]
            raise NotFound("another case")
        return Scope(ORIGINAL, unreleased=True)

    context = Context(archive, scope, lambda _tx, _who, _request: Upload(), Origin("http://localhost"))
    with reader.reading(db, settings, specialist, browser, routes(context)) as opened:
        yield opened


def test_a_ct_from_the_archive_is_on_the_screen(reading: Reading, archive: Archive, specialist: Principal) -> None:
    series = ct_series()
    store(archive, specialist, series)
    reading.open(series[0].StudyInstanceUID)
    grey = reading.screen()
    for expected in (115, 38, 255):
        assert np.mean(np.abs(grey.astype(int) - expected) < 12) > 0.01, f"no grey value near {expected}"
    assert reading.complaints == []
    bodies = [request for request in reading.requests if "/dicomweb/" in request.url]
    assert {request.headers["authorization"] for request in bodies} == {f"Bearer {reading.token()}"}
    refused = [response.url for request in bodies if (response := request.response()) and response.status >= 400]
    assert refused == []


@pytest.mark.parametrize("name", SOME)
def test_other_kinds_of_images_too(
    reading: Reading, archive: Archive, specialist: Principal, name: str, tmp_path: Path
) -> None:
    (ds,) = bundled(name)
    store(archive, specialist, [ds])
    reading.open(ds.StudyInstanceUID)
    assert reading.screen().std() > 5
    keep(reading, tmp_path, name.removesuffix(".dcm"))
    assert reading.complaints == []


def pet_series(ct: list[Dataset]) -> list[Dataset]:
    """A PET of the same body in the same frame of reference, with what a standardised uptake value needs."""
    series, made = generate_uid(), []
    for slice_ in ct:
        ds = deepcopy(slice_)
        ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = PositronEmissionTomographyImageStorage
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        ds.SeriesInstanceUID, ds.Modality, ds.SeriesNumber, ds.SeriesDescription = series, "PT", 2, "PET WB"
        ds.SeriesDate, ds.SeriesTime, ds.AcquisitionDate, ds.AcquisitionTime = (
            "20200101",
            "121500",
            "20200101",
            "121500",
        )
        ds.PatientWeight, ds.Units, ds.DecayCorrection = "70", "BQML", "START"
        ds.CorrectedImage = ["ATTN", "DECY"]
        drug = Dataset()
        drug.RadionuclideTotalDose, drug.RadionuclideHalfLife = "370000000", "6586.2"
        drug.RadiopharmaceuticalStartTime = "110000"
        ds.RadiopharmaceuticalInformationSequence = [drug]
        uptake = np.clip(np.frombuffer(slice_.PixelData, "<i2").astype(int) + 100, 0, None) * 20
        ds.PixelData = uptake.astype("<i2").tobytes()
        ds.WindowCenter, ds.WindowWidth = 4000, 8000
        made.append(ds)
    return made


def test_a_pet_and_its_ct_lie_side_by_side(
    reading: Reading, archive: Archive, specialist: Principal, tmp_path: Path
) -> None:
    ct = ct_series(size=128)
    pet = pet_series(ct)
    store(archive, specialist, [*ct, *pet])
    reading.open(ct[0].StudyInstanceUID)
    axial = reading.screen()
    thumbnails = reading.page.locator("[data-cy='study-browser-thumbnail']")
    thumbnails.nth(1).wait_for(timeout=90_000)
    assert thumbnails.count() == 2
    thumbnails.filter(has_text="PET WB").dblclick()
    for _ in range(100):
        uptake = reading.screen()
        if uptake.shape != axial.shape or np.mean(np.abs(uptake.astype(int) - axial)) > 5:
            break
        reading.page.wait_for_timeout(100)
    else:
        raise AssertionError("the PET never came on the screen")
    keep(reading, tmp_path, "pet-ct")
    assert reading.complaints == []


def test_a_pet_lies_over_its_ct(reading: Reading, archive: Archive, specialist: Principal, tmp_path: Path) -> None:
    ct = ct_series(size=128)
    store(archive, specialist, [*ct, *pet_series(ct)])
    reading.open(ct[0].StudyInstanceUID, fused=True)
    # CT, PET and both, each in three planes, and the PET as a whole.
    expect(reading.page.locator("canvas.cornerstone-canvas")).to_have_count(10, timeout=90_000)
    grid = reading.page.locator("[data-cy='viewport-grid']").first
    for _ in range(300):
        shown = np.asarray(Image.open(io.BytesIO(grid.screenshot())).convert("RGB")).astype(int)
        # Only where both are, there are colours.
        if np.mean(np.ptp(shown, axis=2) > 40) > 0.05:
            break
        reading.page.wait_for_timeout(200)
    else:
        raise AssertionError("the PET is not over the CT")
    keep(reading, tmp_path, "pet-over-ct")
    assert reading.complaints == []


def test_a_structured_report_is_read_as_text(
    reading: Reading, archive: Archive, specialist: Principal, tmp_path: Path
) -> None:
    (report,) = bundled("reportsi.dcm")
    store(archive, specialist, [report])
    reading.open(report.StudyInstanceUID)
    for heading in ("Document Title", "Section Heading", "Report Text"):
        reading.page.get_by_text(heading).first.wait_for(timeout=90_000)
    keep(reading, tmp_path, "structured-report")
    assert reading.complaints == []


def keep(reading: Reading, fallback: Path, name: str) -> None:
    """Keep a screenshot, for somebody to look at."""
    folder = Path(os.environ.get("OVERREAD_ARTIFACTS") or fallback) / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    reading.page.screenshot(path=folder / f"viewer-{name}.png")


def test_a_document_is_fetched_with_the_bearer_and_shown_from_memory(
    reading: Reading, archive: Archive, specialist: Principal
) -> None:
    (ds,) = bundled("CT_small.dcm")
    document = Dataset()
    document.file_meta = ds.file_meta
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "PatientName", "PatientID", "StudyDate"):
        document[keyword] = ds[keyword]
    document.SOPClassUID = document.file_meta.MediaStorageSOPClassUID = EncapsulatedPDFStorage
    document.file_meta.MediaStorageSOPInstanceUID = document.SOPInstanceUID
    document.Modality, document.SeriesNumber, document.InstanceNumber = "DOC", 1, 1
    document.MIMETypeOfEncapsulatedDocument = "application/pdf"
    # Longer than what is sent within the metadata.
    document.EncapsulatedDocument = b"%PDF-1.4\n" + b" " * 100_001
    document.EncapsulatedDocumentLength = 100_010
    store(archive, specialist, [document])
    reading.open(document.StudyInstanceUID)
    reading.page.locator("object[data^='blob:']").wait_for(state="attached", timeout=90_000)
    size = reading.page.evaluate("async () => (await (await fetch(document.querySelector('object').data)).blob()).size")
    assert size == 100_010
